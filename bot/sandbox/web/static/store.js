// The sandbox's state: each item by its name, kept up to date by server-sent events.

const items = new Map();
const listeners = [];
let scheduled = false;

export const onChange = (listener) => listeners.push(listener);

export const changed = () => {
  if (scheduled) return;
  scheduled = true;
  setTimeout(() => {
    scheduled = false;
    for (const listener of listeners) listener();
  }, 0);
};

export const get = (name) => items.get(name);

export const all = (kind) => [...items].filter(([name]) => name.startsWith(`${kind}/`)).map(([, item]) => item);

export const conversations = () => all("conversation").sort((one, other) => one.order - other.order);

export const messagesIn = (conversation) =>
  all("message")
    .filter((message) => message.chat === conversation.chat && message.thread === conversation.thread)
    .sort((one, other) => one.id - other.id);

export const followEvents = (onConnection) => {
  const source = new EventSource("events");
  source.onmessage = (event) => {
    const { snapshot, set, removed } = JSON.parse(event.data);
    if (snapshot) items.clear();
    for (const [name, item] of Object.entries(set)) items.set(name, item);
    for (const name of removed) items.delete(name);
    changed();
  };
  source.onopen = () => onConnection(true);
  source.onerror = () => onConnection(false);
};
