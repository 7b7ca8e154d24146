// What the sandbox tells: every object by its name, kept true by the feed.

const things = new Map();
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

export const get = (name) => things.get(name);

export const all = (kind) => [...things].filter(([name]) => name.startsWith(`${kind}/`)).map(([, thing]) => thing);

export const places = () => all("place").sort((one, other) => one.order - other.order);

export const messagesIn = (place) =>
  all("message")
    .filter((message) => message.chat === place.chat && message.thread === place.thread)
    .sort((one, other) => one.id - other.id);

export const follow = (onConnection) => {
  const feed = new EventSource("events");
  feed.onmessage = (event) => {
    const news = JSON.parse(event.data);
    if (news.whole) things.clear();
    for (const [name, thing] of Object.entries(news.set)) things.set(name, thing);
    for (const name of news.gone) things.delete(name);
    changed();
  };
  feed.onopen = () => onConnection(true);
  feed.onerror = () => onConnection(false);
};
