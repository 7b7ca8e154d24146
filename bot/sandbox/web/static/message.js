// A message or an album: one bubble, with its pictures, reactions and buttons; and the dialog that enlarges a picture.

import { post, showAlert, showToast } from "./api.js";
import { currentConversation, editMessage, replyTo, sendText, speakerId } from "./composer.js";
import { byId, formatSize, formatTime, make } from "./dom.js";

const TAGS = { bold: "strong", italic: "em", underline: "u", strikethrough: "s", code: "code", pre: "code" };
const DISPLAYABLE = /\.(jpe?g|png|webp|gif)$/i;

export const messageBubble = (messages, conversation) => {
  const [first] = messages;
  if (first.service) return make("article", { class: "service" }, make("p", {}, first.service));
  const isOwn = first.from.id === conversation.speakers[0].id;
  const card = make("div", { class: "card" });
  if (!isOwn && conversation.kind !== "private") {
    card.append(make("p", { class: `name who-${first.from.id % 3}` }, first.from.name));
  }
  if (first.reply) card.append(quote(first.reply));
  card.append(...media(messages));
  const captioned = messages.find((message) => message.text) ?? first;
  if (captioned.text) card.append(make("p", { class: "text" }, ...formattedText(captioned.text, captioned.entities)));
  card.append(footer(messages, captioned, isOwn));
  const label = `${first.from.name}, ${formatTime(first.at)}`;
  const bubble = make("article", { class: isOwn ? "message own" : "message", "aria-label": label, id: `message-${first.id}` });
  bubble.append(card, ...messages.filter((message) => message.buttons.length).map(keyboard));
  return bubble;
};

const quote = (reply) =>
  make(
    "button",
    {
      type: "button",
      class: "quote",
      onclick: () => byId(`message-${reply.id}`)?.scrollIntoView({ block: "center" }),
    },
    make("small", { class: "visually-hidden" }, "In reply to "),
    make("strong", {}, reply.name, make("small", { class: "visually-hidden" }, ": ")),
    make("span", {}, reply.text),
  );

const media = (messages) => {
  const photos = messages.filter((message) => message.photo).map(photo);
  const grid = photos.length ? [make("div", { class: photos.length > 1 ? "album" : "single" }, ...photos)] : [];
  return [...grid, ...messages.filter((message) => message.file).map(file)];
};

const photo = (message) => {
  const { id, width, height } = message.photo;
  const alt = `Picture from ${message.from.name}${message.text ? `: ${message.text}` : ""}`;
  const image = make("img", { src: `files/${id}`, width, height, alt });
  const onclick = () => enlarge(`files/${id}`, alt, `darkroom-${message.id}.jpg`);
  return make("button", { type: "button", class: "photo", onclick }, image);
};

const file = (message) => {
  const { id, name, bytes } = message.file;
  const url = `files/${id}`;
  const row = make("div", { class: "file" });
  if (DISPLAYABLE.test(name)) {
    const image = make("img", { src: url, alt: `Preview of ${name}`, width: 56, height: 56 });
    row.append(make("button", { type: "button", class: "photo", onclick: () => enlarge(url, name, name) }, image));
  }
  row.append(make("p", {}, make("a", { href: url, download: name }, name), make("small", {}, formatSize(bytes))));
  return row;
};

const footer = (messages, captioned, isOwn) => {
  const reactions = messages.flatMap((message) => message.reactions).join(" ");
  const label = `Reactions: ${reactions}`;
  return make(
    "div",
    { class: "foot" },
    reactions ? make("span", { class: "reactions", role: "img", "aria-label": label }, reactions) : null,
    tools(messages[0], captioned, isOwn),
    make("time", {}, `${captioned.edited && !captioned.from_bot ? "edited " : ""}${formatTime(messages[0].at)}`),
  );
};

const tools = (first, captioned, isOwn) => {
  const tool = (name, onclick) => make("button", { type: "button", "data-focus": name, onclick }, name);
  const edit = isOwn ? tool("Edit", () => editMessage(captioned)) : null;
  return make("span", { class: "tools" }, tool("Reply", () => replyTo(first)), edit);
};

const keyboard = (message) => {
  const button = (label) => {
    const onclick = (event) => press(event.currentTarget, message, label);
    return make("button", { type: "button", "data-focus": label, onclick }, label);
  };
  const rows = message.buttons.map((row) => make("div", {}, ...row.map(button)));
  return make("div", { class: "keyboard", role: "group", "aria-label": "Buttons of the message" }, ...rows);
};

const press = async (button, message, label) => {
  button.setAttribute("aria-busy", "true");
  const params = { conversation: currentConversation().key, speaker: speakerId(), message: message.id, label };
  const response = await post("press", params);
  button.removeAttribute("aria-busy");
  if (response?.answer) (response.show_alert ? showAlert : showToast)(response.answer);
};

// The text with its entities; their offsets count UTF-16 code units, as JavaScript's strings do.
const formattedText = (text, entities) => {
  const parts = [];
  let end = 0;
  for (const { type, offset, length, url } of entities) {
    if (offset < end) continue;
    parts.push(text.slice(end, offset));
    end = offset + length;
    parts.push(formatted(type, text.slice(offset, end), url));
  }
  return [...parts, text.slice(end)];
};

const formatted = (type, text, url) => {
  if (type === "bot_command") {
    return make("button", { type: "button", class: "link", onclick: () => sendText(text) }, text);
  }
  const href = url ?? text;
  if ((type === "url" || type === "text_link") && /^https?:\/\//i.test(href)) {
    return make("a", { href, target: "_blank", rel: "noopener noreferrer" }, text);
  }
  return TAGS[type] ? make(TAGS[type], {}, text) : text;
};

const enlarge = (url, alt, fileName) => {
  Object.assign(byId("large"), { src: url, alt });
  Object.assign(byId("download"), { href: url, download: fileName });
  byId("viewer").showModal();
};

export const prepareViewer = () => {
  const viewer = byId("viewer");
  viewer.addEventListener("click", (event) => event.target === viewer && viewer.close());
};
