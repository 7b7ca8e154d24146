// The chats on the left, and the conversation in the middle.

import { choose, here, samples } from "./composer.js";
import { byId, keep, make } from "./dom.js";
import { bubble } from "./message.js";
import { all, messagesIn, places } from "./store.js";

const SIGN_SECONDS = 5;
const SIGNS = { typing: "is typing…", upload_photo: "is sending a photo…", upload_document: "is sending a file…" };

const HINTS = {
  private: ["Send a picture and say what to change.", "Click one of these, or drop, paste or pick your own."],
  group: ["In groups the bot speaks when spoken to.", "Caption a picture with /edit and a wish, or reply to one with that."],
};

const seen = new Map();

export const showPlaces = () => {
  const wanted = places().map((place) => {
    const latest = messagesIn(place).filter((message) => !message.service).at(-1);
    const current = place.key === here()?.key;
    if (current && latest) seen.set(place.key, latest.id);
    const unread = latest && latest.id > (seen.get(place.key) ?? 0);
    const sign = JSON.stringify([place, latest, current, unread]);
    return { key: place.key, sign, build: () => entry(place, latest, current, unread) };
  });
  keep(byId("places"), wanted);
};

const entry = (place, latest, current, unread) => {
  const about = latest ? latest.text || (latest.picture ? "Picture" : "File") : place.about;
  return make(
    "button",
    {
      type: "button",
      class: place.kind,
      "aria-current": current ? "true" : null,
      "data-focus": "entry",
      onclick: () => choose(place.key),
    },
    make("span", { class: "face", "aria-hidden": "true" }, place.kind === "topic" ? "#" : place.title[0]),
    make("span", { class: "title" }, place.title),
    make("span", { class: "latest" }, about),
    unread ? make("span", { class: "unread", role: "img", "aria-label": "unread" }) : null,
  );
};

let shown = "";
// whether the end of the conversation is looked at, and stays so whatever comes
let sticks = true;
let before = { top: 0, height: 0 };

export const prepareTalk = () => {
  byId("talk").addEventListener("scroll", scrolled);
  const observer = new ResizeObserver(() => sticks && toTheEnd());
  observer.observe(byId("talk"));
  observer.observe(byId("messages"));
};

// Only who scrolls up leaves the end: what grows or shrinks moves it as well.
const scrolled = () => {
  const { scrollTop: top, scrollHeight: height, clientHeight } = byId("talk");
  const isSame = height === before.height && clientHeight === before.clientHeight;
  if (height - top - clientHeight < 40) sticks = true;
  else if (isSame && top < before.top) sticks = false;
  before = { top, height, clientHeight };
};

const toTheEnd = () => (byId("talk").scrollTop = byId("talk").scrollHeight);

export const showTalk = () => {
  const place = here();
  if (!place) return;
  byId("title").textContent = place.title;
  byId("about").textContent = place.about;
  if (shown !== place.key) sticks = true;
  const blocks = grouped(messagesIn(place));
  const wanted = blocks.map((messages) => ({
    key: `${place.key}/${messages[0].id}`,
    sign: JSON.stringify(messages),
    build: () => bubble(messages, place),
  }));
  const isEmpty = blocks.every(([first]) => first.service);
  if (isEmpty) wanted.push({ key: `empty/${place.key}`, sign: "", build: () => empty(place) });
  keep(byId("messages"), wanted);
  if (sticks) toTheEnd();
  shown = place.key;
  showSign(place);
};

const grouped = (messages) => {
  const blocks = [];
  for (const message of messages) {
    const latest = blocks.at(-1);
    if (message.album && latest?.[0].album === message.album) latest.push(message);
    else blocks.push([message]);
  }
  return blocks;
};

const empty = (place) => {
  const [title, about] = HINTS[place.kind === "private" ? "private" : "group"];
  const offered = samples(place.kind === "private" ? "" : "/edit ");
  return make("div", { class: "empty" }, make("h3", {}, title), make("p", {}, about), offered);
};

let ending = 0;

const showSign = (place) => {
  const sign = all("sign").find((one) => one.chat === place.chat && one.thread === place.thread);
  const answered = sign && messagesIn(place).some((message) => message.mine && message.at >= Math.floor(sign.at));
  const left = sign && !answered ? sign.at + SIGN_SECONDS - Date.now() / 1000 : 0;
  byId("sign").textContent = left > 0 ? `Darkroom ${SIGNS[sign.action] ?? "is busy…"}` : "";
  clearTimeout(ending);
  if (left > 0) ending = setTimeout(() => showSign(place), left * 1000 + 50);
};
