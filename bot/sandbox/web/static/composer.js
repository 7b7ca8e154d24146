// Where one writes: which chat, who speaks, pictures, words, and what they answer or change.

import { ask, tell } from "./ask.js";
import { byId, make } from "./dom.js";
import { changed, get, places } from "./store.js";

const MOST = 10;
const MOST_ROWS = 6;
const EMPTY = { words: "", pictures: [], asFiles: false, reply: null, edit: null, before: null };
// `edit` is the message that is changed; `before` are the words that were in the field until then
const state = { place: "", speakers: new Map(), drafts: new Map(), ...EMPTY };

export const here = () => get(`place/${state.place}`) ?? places()[0];

export const speaker = () => state.speakers.get(here().key) ?? here().speakers[0].id;

// Each chat keeps what was begun in it.
export const choose = (key) => {
  state.drafts.set(here().key, draft());
  state.place = key;
  show(state.drafts.get(key) ?? EMPTY);
  shelve("");
  changed();
  byId("words").focus();
};

const draft = () => {
  const { pictures, reply, edit, before } = state;
  return { words: byId("words").value, pictures, asFiles: byId("as-files").checked, reply, edit, before };
};

const show = ({ words, asFiles, ...rest }) => {
  Object.assign(state, rest);
  byId("words").value = words;
  byId("as-files").checked = asFiles;
  showContext();
  showPictures();
  grow();
};

export const answer = (message) => {
  leaveContext();
  state.reply = message;
  showContext();
};

export const change = (message) => {
  leaveContext();
  Object.assign(state, { edit: message, before: byId("words").value });
  byId("words").value = message.text;
  showContext();
};

// No longer replies to anything, or changes it; the words from before are there again.
const leaveContext = () => {
  if (state.edit) byId("words").value = state.before;
  Object.assign(state, { reply: null, edit: null, before: null });
  showContext();
};

// Sends words at once, as a click on a command does.
export const say = (text) => post({ text, pictures: [], asFiles: false, reply: null });

export const samples = (before = "") => {
  const row = make("div", { class: "samples", role: "group", "aria-label": "Sample pictures" });
  for (const { name, wish } of known) {
    const image = make("img", { src: `samples/${name}`, alt: `Sample ${name.split(".")[0]}`, width: 120, height: 90 });
    const pick = () => pickSample(name, before + wish);
    row.append(make("button", { type: "button", onclick: pick }, image, make("span", {}, `“${wish}”`)));
  }
  return row;
};

let known = [];

// what is sent waits for it: whoever clicks a sample and presses Enter at once means that picture
let arriving = Promise.resolve();

const pickSample = (name, wish) => {
  arriving = fetchSample(name, wish).catch(() => tell(`The sample ${name} could not be fetched.`));
};

const fetchSample = async (name, wish) => {
  const data = await (await fetch(`samples/${name}`)).blob();
  shelve("");
  addPictures([new File([data], name, { type: data.type })]);
  const words = byId("words");
  if (!words.value.trim()) {
    words.value = wish;
    words.select();
    grow();
  }
};

// Done when the samples are known, which empty chats offer.
export const prepareComposer = async () => {
  byId("composer").addEventListener("submit", submit);
  byId("words").addEventListener("keydown", enter);
  byId("words").addEventListener("input", grow);
  byId("context-off").addEventListener("click", leaveContext);
  document.addEventListener("keydown", escape);
  window.addEventListener("resize", grow);
  byId("attach").addEventListener("click", () => byId("pick").click());
  byId("pick").addEventListener("change", picked);
  byId("show-samples").addEventListener("click", () => shelve("samples"));
  byId("show-menu").addEventListener("click", () => shelve("menu"));
  byId("speaker").addEventListener("change", (event) => state.speakers.set(here().key, Number(event.target.value)));
  acceptFiles();
  known = await (await fetch("samples")).json();
};

const acceptFiles = () => {
  const files = (transfer) => [...(transfer?.files ?? [])];
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    addPictures(files(event.dataTransfer));
  });
  document.addEventListener("paste", (event) => {
    const pasted = files(event.clipboardData);
    if (!pasted.length) return;
    event.preventDefault();
    addPictures(pasted);
  });
};

const picked = (event) => {
  addPictures([...event.target.files]);
  event.target.value = "";
};

const addPictures = (files) => {
  if (state.pictures.length + files.length > MOST) tell(`An album has at most ${MOST} pictures.`);
  state.pictures = [...state.pictures, ...files].slice(0, MOST);
  if (state.edit) leaveContext();
  showPictures();
  byId("words").focus();
};

const showPictures = () => {
  const list = byId("pictures");
  for (const image of list.querySelectorAll("img")) URL.revokeObjectURL(image.src);
  list.replaceChildren(...state.pictures.map(chosen));
  list.hidden = !state.pictures.length;
  showOptions();
};

const chosen = (file, position) => {
  const remove = () => {
    state.pictures = state.pictures.filter((other) => other !== file);
    showPictures();
    byId("words").focus();
  };
  const image = make("img", { src: URL.createObjectURL(file), alt: file.name, width: 72, height: 72 });
  const label = `Remove picture ${position + 1}: ${file.name}`;
  const button = make("button", { type: "button", class: "icon", "aria-label": label, onclick: remove }, "✕");
  return make("li", {}, image, button);
};

export const showOptions = () => {
  const place = here();
  if (!place) return;
  const select = byId("speaker");
  const wanted = JSON.stringify(place.speakers);
  if (select.dataset.of !== wanted) {
    select.replaceChildren(...place.speakers.map(({ id, name }) => make("option", { value: id }, name)));
    select.dataset.of = wanted;
  }
  select.value = speaker();
  byId("speaker-choice").hidden = place.speakers.length < 2;
  byId("file-choice").hidden = !state.pictures.length;
  byId("options").hidden = byId("speaker-choice").hidden && byId("file-choice").hidden;
  byId("words").placeholder = placeholder(place);
};

const placeholder = (place) => {
  if (!state.pictures.length) return "Message";
  return place.kind === "private" ? "What should change? For example: make it snow" : "Caption, such as: /edit make it snow";
};

const showContext = () => {
  const { reply, edit } = state;
  const text = reply ? `Reply to ${reply.from.name}: ${reply.text || "picture"}` : edit ? about(edit) : "";
  byId("context").hidden = !text;
  byId("context-text").textContent = text;
  if (text) byId("words").focus();
  grow();
};

const about = (message) => (message.picture || message.file ? "Edit the caption" : "Edit the message");

// Gives back what could not be sent, before whatever was begun meanwhile.
const giveBack = (place, unsent) => {
  if (here().key !== place) {
    state.drafts.set(place, unsent);
    return;
  }
  const since = byId("words").value;
  if (unsent.edit) {
    show({ ...unsent, before: since });
    return;
  }
  const words = [unsent.words, since].filter(Boolean).join("\n");
  show({ ...unsent, words, pictures: [...unsent.pictures, ...state.pictures].slice(0, MOST) });
};

// The shelf above the words holds the samples, the commands, or nothing.
const shelve = (what) => {
  const shelf = byId("shelf");
  const next = shelf.dataset.what === what ? "" : what;
  shelf.dataset.what = next;
  shelf.hidden = !next;
  shelf.replaceChildren(...(next === "samples" ? [samples()] : next === "menu" ? [menu()] : []));
  byId("show-samples").setAttribute("aria-expanded", next === "samples");
  byId("show-menu").setAttribute("aria-expanded", next === "menu");
};

const menu = () => {
  const menus = get("menu") ?? {};
  const commands = menus[here().kind === "private" ? "private" : "group"] ?? menus.default ?? [];
  if (!commands.length) return make("p", { class: "quiet" }, "The bot has not set its commands yet.");
  const items = commands.map(({ command, description }) => {
    const send = () => {
      shelve("");
      say(`/${command}`);
    };
    const name = make("strong", {}, `/${command}`);
    return make("li", {}, make("button", { type: "button", onclick: send }, name, ` ${description}`));
  });
  return make("ul", { class: "menu", "aria-label": "Commands" }, ...items);
};

// Goes back by one step, and never eats what was written: an input method may only mean its own list by it.
const escape = (event) => {
  if (event.key !== "Escape" || event.isComposing || document.querySelector("dialog[open]")) return;
  if (byId("bench").contains(event.target)) return;
  if (byId("shelf").dataset.what) shelve("");
  else leaveContext();
};

const enter = (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId("composer").requestSubmit();
};

const grow = () => {
  const words = byId("words");
  words.rows = 1;
  const { lineHeight, paddingTop, paddingBottom } = getComputedStyle(words);
  const height = words.scrollHeight - parseFloat(paddingTop) - parseFloat(paddingBottom);
  words.rows = Math.min(MOST_ROWS, Math.max(1, Math.round(height / parseFloat(lineHeight))));
};

// The field is free at once: what is typed while a message is on its way belongs to the next one.
const submit = async (event) => {
  event.preventDefault();
  await arriving;
  const place = here().key;
  const begun = draft();
  if (!begun.edit && !begun.pictures.length && !begun.words.trim()) return;
  show({ ...EMPTY, words: begun.before ?? "" });
  shelve("");
  if (!(await send(place, begun))) giveBack(place, begun);
};

const send = (place, { words, pictures, asFiles, reply, edit }) =>
  edit
    ? ask("edit", { place, speaker: edit.from.id, message: edit.id, text: words })
    : post({ text: words, pictures, asFiles, reply });

const post = ({ text, pictures, asFiles, reply }) => {
  const form = new FormData();
  form.set("place", here().key);
  form.set("speaker", speaker());
  form.set("text", text);
  if (reply) form.set("reply_to", reply.id);
  if (asFiles) form.set("as_files", "yes");
  for (const file of pictures) form.append("picture", file, file.name);
  return ask("send", form);
};
