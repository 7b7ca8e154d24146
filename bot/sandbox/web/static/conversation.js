// The list of chats on the left, and the selected conversation in the middle.

import { currentConversation, sampleButtons, selectConversation } from "./composer.js";
import { byId, make, updateChildren } from "./dom.js";
import { messageBubble } from "./message.js";
import { all, conversations, messagesIn } from "./store.js";

const CHAT_ACTION_SECONDS = 5;
const CHAT_ACTIONS = {
  typing: "is typing…",
  upload_photo: "is sending a photo…",
  upload_document: "is sending a file…",
};

const HINTS = {
  private: ["Send a picture and say what to change.", "Click one of these, or drop, paste or pick your own."],
  group: ["In groups the bot answers when it is addressed.", "Caption a picture with /edit and a prompt, or reply to one with that."],
};

const lastSeen = new Map();

export const showConversationList = () => {
  const wanted = conversations().map((conversation) => {
    const latest = messagesIn(conversation).filter((message) => !message.service).at(-1);
    const isCurrent = conversation.key === currentConversation()?.key;
    if (isCurrent && latest) lastSeen.set(conversation.key, latest.id);
    const isUnread = latest && latest.id > (lastSeen.get(conversation.key) ?? 0);
    return {
      key: conversation.key,
      fingerprint: JSON.stringify([conversation, latest, isCurrent, isUnread]),
      build: () => listEntry(conversation, latest, isCurrent, isUnread),
    };
  });
  updateChildren(byId("conversations"), wanted);
};

const listEntry = (conversation, latest, isCurrent, isUnread) => {
  const preview = latest ? latest.text || (latest.photo ? "Picture" : "File") : conversation.about;
  return make(
    "button",
    {
      type: "button",
      class: conversation.kind,
      "aria-current": isCurrent ? "true" : null,
      "data-focus": "entry",
      onclick: () => selectConversation(conversation.key),
    },
    make("span", { class: "avatar", "aria-hidden": "true" }, conversation.kind === "topic" ? "#" : conversation.title[0]),
    make("span", { class: "title" }, conversation.title),
    make("span", { class: "latest" }, preview),
    isUnread ? make("span", { class: "unread", role: "img", "aria-label": "unread" }) : null,
  );
};

let shownKey = "";
// whether the view follows the end of the conversation
let followsEnd = true;
let before = { top: 0, height: 0 };

export const prepareConversation = () => {
  byId("message-view").addEventListener("scroll", onScroll);
  const observer = new ResizeObserver(() => followsEnd && scrollToEnd());
  observer.observe(byId("message-view"));
  observer.observe(byId("messages"));
};

// Only scrolling up by hand leaves the end: growing and shrinking content scrolls as well.
const onScroll = () => {
  const { scrollTop: top, scrollHeight: height, clientHeight } = byId("message-view");
  const isSameSize = height === before.height && clientHeight === before.clientHeight;
  if (height - top - clientHeight < 40) followsEnd = true;
  else if (isSameSize && top < before.top) followsEnd = false;
  before = { top, height, clientHeight };
};

const scrollToEnd = () => (byId("message-view").scrollTop = byId("message-view").scrollHeight);

export const showConversation = () => {
  const conversation = currentConversation();
  if (!conversation) return;
  byId("title").textContent = conversation.title;
  byId("about").textContent = conversation.about;
  if (shownKey !== conversation.key) followsEnd = true;
  const groups = groupAlbums(messagesIn(conversation));
  const wanted = groups.map((messages) => ({
    key: `${conversation.key}/${messages[0].id}`,
    fingerprint: JSON.stringify(messages),
    build: () => messageBubble(messages, conversation),
  }));
  if (groups.every(([first]) => first.service)) {
    wanted.push({ key: `empty/${conversation.key}`, fingerprint: "", build: () => emptyHint(conversation) });
  }
  updateChildren(byId("messages"), wanted);
  if (followsEnd) scrollToEnd();
  shownKey = conversation.key;
  showChatAction(conversation);
};

const groupAlbums = (messages) => {
  const groups = [];
  for (const message of messages) {
    const latest = groups.at(-1);
    if (message.album && latest?.[0].album === message.album) latest.push(message);
    else groups.push([message]);
  }
  return groups;
};

const emptyHint = (conversation) => {
  const isPrivate = conversation.kind === "private";
  const [title, text] = HINTS[isPrivate ? "private" : "group"];
  return make("div", { class: "empty" }, make("h3", {}, title), make("p", {}, text), sampleButtons(isPrivate ? "" : "/edit "));
};

let hideTimer = 0;

const showChatAction = (conversation) => {
  const { chat, thread } = conversation;
  const action = all("chat_action").find((one) => one.chat === chat && one.thread === thread);
  const isAnswered =
    action && messagesIn(conversation).some((message) => message.from_bot && message.at >= Math.floor(action.at));
  const secondsLeft = action && !isAnswered ? action.at + CHAT_ACTION_SECONDS - Date.now() / 1000 : 0;
  byId("chat-action").textContent = secondsLeft > 0 ? `Darkroom ${CHAT_ACTIONS[action.action] ?? "is busy…"}` : "";
  clearTimeout(hideTimer);
  if (secondsLeft > 0) hideTimer = setTimeout(() => showChatAction(conversation), secondsLeft * 1000 + 50);
};
