// A message, or an album: one bubble, with what belongs to it.

import { alertWith, ask, tell } from "./ask.js";
import { answer, change, here, say, speaker } from "./composer.js";
import { clock, make, size } from "./dom.js";
import { enlarge } from "./viewer.js";

const TAGS = { bold: "strong", italic: "em", underline: "u", strikethrough: "s", code: "code", pre: "code" };
const VISIBLE = /\.(jpe?g|png|webp|gif)$/i;

export const bubble = (messages, place) => {
  const [first] = messages;
  if (first.service) return make("article", { class: "service" }, make("p", {}, first.service));
  const own = first.from.id === place.speakers[0].id;
  const card = make("div", { class: "card" });
  if (!own && place.kind !== "private") card.append(make("p", { class: `name who-${first.from.id % 3}` }, first.from.name));
  if (first.reply) card.append(quote(first.reply));
  card.append(...media(messages));
  const worded = messages.find((message) => message.text) ?? first;
  if (worded.text) card.append(make("p", { class: "text" }, ...rich(worded.text, worded.entities)));
  card.append(foot(messages, worded, own));
  const label = `${first.from.name}, ${clock(first.at)}`;
  const all = make("article", { class: own ? "message own" : "message", "aria-label": label, id: `message-${first.id}` });
  all.append(card, ...messages.filter((one) => one.buttons.length).map(keyboard));
  return all;
};

const quote = (reply) =>
  make(
    "button",
    {
      type: "button",
      class: "quote",
      onclick: () => document.getElementById(`message-${reply.id}`)?.scrollIntoView({ block: "center" }),
    },
    make("small", { class: "unseen" }, "In reply to "),
    make("strong", {}, reply.name, make("small", { class: "unseen" }, ": ")),
    make("span", {}, reply.text),
  );

const media = (messages) => {
  const pictures = messages.filter((message) => message.picture);
  const grid = make("div", { class: pictures.length > 1 ? "album" : "single" });
  grid.append(...pictures.map(photo));
  return [...(pictures.length ? [grid] : []), ...messages.filter((message) => message.file).map(file)];
};

const photo = (message) => {
  const { id, width, height } = message.picture;
  const name = `darkroom-${message.id}.jpg`;
  const words = `Picture from ${message.from.name}${message.text ? `: ${message.text}` : ""}`;
  const image = make("img", { src: `files/${id}`, width, height, alt: words });
  return make("button", { type: "button", class: "photo", onclick: () => enlarge(`files/${id}`, words, name) }, image);
};

const file = (message) => {
  const { id, name, bytes } = message.file;
  const address = `files/${id}`;
  const row = make("div", { class: "file" });
  if (VISIBLE.test(name)) {
    const image = make("img", { src: address, alt: `Preview of ${name}`, width: 56, height: 56 });
    row.append(make("button", { type: "button", class: "photo", onclick: () => enlarge(address, name, name) }, image));
  }
  const link = make("a", { href: address, download: name }, name);
  row.append(make("p", {}, link, make("small", {}, size(bytes))));
  return row;
};

const foot = (messages, worded, own) => {
  const signs = messages.flatMap((message) => message.signs);
  return make(
    "div",
    { class: "foot" },
    signs.length ? reactions(signs.join(" ")) : null,
    tools(messages[0], worded, own),
    make("time", {}, `${worded.edited && !worded.mine ? "edited " : ""}${clock(messages[0].at)}`),
  );
};

const reactions = (signs) => make("span", { class: "signs", role: "img", "aria-label": `Reactions: ${signs}` }, signs);

const tools = (first, worded, own) => {
  const row = make("span", { class: "tools" });
  const add = (name, onclick) => row.append(make("button", { type: "button", "data-focus": name, onclick }, name));
  add("Reply", () => answer(first));
  if (own) add("Edit", () => change(worded));
  return row;
};

const keyboard = (message) => {
  const rows = message.buttons.map((row) => make("div", {}, ...row.map((label) => key(message, label))));
  return make("div", { class: "keyboard", role: "group", "aria-label": "Buttons of the message" }, ...rows);
};

const key = (message, label) => {
  const onclick = (event) => press(event.currentTarget, message, label);
  return make("button", { type: "button", "data-focus": label, onclick }, label);
};

const press = async (button, message, label) => {
  button.setAttribute("aria-busy", "true");
  const said = await ask("press", { place: here().key, speaker: speaker(), message: message.id, label });
  button.removeAttribute("aria-busy");
  if (said?.toast) (said.alert ? alertWith : tell)(said.toast);
};

// The text with its entities, whose places count UTF-16 units, as strings do here.
const rich = (text, entities) => {
  const parts = [];
  let at = 0;
  for (const { type, offset, length, url } of entities) {
    if (offset < at) continue;
    parts.push(text.slice(at, offset));
    at = offset + length;
    parts.push(marked(type, text.slice(offset, at), url));
  }
  return [...parts, text.slice(at)];
};

const marked = (type, text, url) => {
  if (type === "bot_command") return make("button", { type: "button", class: "link", onclick: () => say(text) }, text);
  const address = url ?? text;
  if ((type === "url" || type === "text_link") && /^https?:\/\//i.test(address)) {
    return make("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, text);
  }
  return TAGS[type] ? make(TAGS[type], {}, text) : text;
};
