// The composer: the selected chat, the speaker, the text and pictures to send, and the message they reply to or edit.

import { post, showToast } from "./api.js";
import { byId, make } from "./dom.js";
import { changed, conversations, get } from "./store.js";

const MAX_PICTURES = 10;
const MAX_ROWS = 6;
const EMPTY = { text: "", pictures: [], asFiles: false, reply: null, edit: null, textBeforeEdit: null };
const state = { conversation: "", speakers: new Map(), drafts: new Map(), ...EMPTY };

export const currentConversation = () => get(`conversation/${state.conversation}`) ?? conversations()[0];

export const speakerId = () => state.speakers.get(currentConversation().key) ?? currentConversation().speakers[0].id;

// Each chat keeps its draft.
export const selectConversation = (key) => {
  state.drafts.set(currentConversation().key, readDraft());
  state.conversation = key;
  showDraft(state.drafts.get(key) ?? EMPTY);
  togglePicker("");
  changed();
  byId("text").focus();
};

const readDraft = () => {
  const { pictures, reply, edit, textBeforeEdit } = state;
  return { text: byId("text").value, pictures, asFiles: byId("as-files").checked, reply, edit, textBeforeEdit };
};

const showDraft = ({ text, asFiles, ...rest }) => {
  Object.assign(state, rest);
  byId("text").value = text;
  byId("as-files").checked = asFiles;
  showContext();
  showPictures();
  fitTextHeight();
};

export const replyTo = (message) => {
  leaveContext();
  state.reply = message;
  showContext();
};

export const editMessage = (message) => {
  leaveContext();
  Object.assign(state, { edit: message, textBeforeEdit: byId("text").value });
  byId("text").value = message.text;
  showContext();
};

// Stops replying or editing; the text from before an edit returns.
const leaveContext = () => {
  if (state.edit) byId("text").value = state.textBeforeEdit;
  Object.assign(state, { reply: null, edit: null, textBeforeEdit: null });
  showContext();
};

// Sends a text at once, as a click on a command does.
export const sendText = (text) => postMessage({ ...EMPTY, text });

export const sampleButtons = (prefix = "") => {
  const buttons = samples.map(({ name, prompt }) => {
    const image = make("img", { src: `samples/${name}`, alt: `Sample ${name.split(".")[0]}`, width: 120, height: 90 });
    const onclick = () => pickSample(name, prefix + prompt);
    return make("button", { type: "button", onclick }, image, make("span", {}, `“${prompt}”`));
  });
  return make("div", { class: "samples", role: "group", "aria-label": "Sample pictures" }, ...buttons);
};

let samples = [];

// Sending waits for it, so that pressing Enter right after a click on a sample sends that picture.
let sampleLoaded = Promise.resolve();

const pickSample = (name, prompt) => {
  sampleLoaded = loadSample(name, prompt).catch(() => showToast(`The sample ${name} could not be fetched.`));
};

const loadSample = async (name, prompt) => {
  const data = await (await fetch(`samples/${name}`)).blob();
  togglePicker("");
  addPictures([new File([data], name, { type: data.type })]);
  const field = byId("text");
  if (!field.value.trim()) {
    field.value = prompt;
    field.select();
    fitTextHeight();
  }
};

// Returns once the samples, which empty chats offer, are known.
export const prepareComposer = async () => {
  byId("composer").addEventListener("submit", submit);
  byId("text").addEventListener("keydown", submitOnEnter);
  byId("text").addEventListener("input", fitTextHeight);
  byId("context-off").addEventListener("click", leaveContext);
  document.addEventListener("keydown", cancelOnEscape);
  window.addEventListener("resize", fitTextHeight);
  byId("attach").addEventListener("click", () => byId("file-input").click());
  byId("file-input").addEventListener("change", (event) => {
    addPictures([...event.target.files]);
    event.target.value = "";
  });
  byId("show-samples").addEventListener("click", () => togglePicker("samples"));
  byId("show-commands").addEventListener("click", () => togglePicker("commands"));
  byId("speaker").addEventListener("change", (event) =>
    state.speakers.set(currentConversation().key, Number(event.target.value)),
  );
  acceptFiles();
  samples = await (await fetch("samples")).json();
};

const acceptFiles = () => {
  const accept = (event, transfer) => {
    const files = [...(transfer?.files ?? [])];
    if (event.type === "paste" && !files.length) return;
    event.preventDefault();
    addPictures(files);
  };
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => accept(event, event.dataTransfer));
  document.addEventListener("paste", (event) => accept(event, event.clipboardData));
};

const addPictures = (files) => {
  if (state.pictures.length + files.length > MAX_PICTURES) {
    showToast(`An album has at most ${MAX_PICTURES} pictures.`);
  }
  state.pictures = [...state.pictures, ...files].slice(0, MAX_PICTURES);
  if (state.edit) leaveContext();
  showPictures();
  byId("text").focus();
};

const showPictures = () => {
  const list = byId("pictures");
  for (const image of list.querySelectorAll("img")) URL.revokeObjectURL(image.src);
  list.replaceChildren(...state.pictures.map(pictureItem));
  list.hidden = !state.pictures.length;
  showOptions();
};

const pictureItem = (file, index) => {
  const onclick = () => {
    state.pictures = state.pictures.filter((other) => other !== file);
    showPictures();
    byId("text").focus();
  };
  const image = make("img", { src: URL.createObjectURL(file), alt: file.name, width: 72, height: 72 });
  const label = `Remove picture ${index + 1}: ${file.name}`;
  return make("li", {}, image, make("button", { type: "button", class: "icon", "aria-label": label, onclick }, "✕"));
};

export const showOptions = () => {
  const conversation = currentConversation();
  if (!conversation) return;
  const select = byId("speaker");
  const fingerprint = JSON.stringify(conversation.speakers);
  if (select.dataset.fingerprint !== fingerprint) {
    select.replaceChildren(...conversation.speakers.map(({ id, name }) => make("option", { value: id }, name)));
    select.dataset.fingerprint = fingerprint;
  }
  select.value = speakerId();
  byId("speaker-choice").hidden = conversation.speakers.length < 2;
  byId("file-choice").hidden = !state.pictures.length;
  byId("options").hidden = byId("speaker-choice").hidden && byId("file-choice").hidden;
  byId("text").placeholder = placeholder(conversation);
};

const placeholder = ({ kind }) => {
  if (!state.pictures.length) return "Message";
  return kind === "private" ? "What should change? For example: make it snow" : "Caption, such as: /edit make it snow";
};

const showContext = () => {
  const { reply, edit } = state;
  let text = "";
  if (reply) text = `Reply to ${reply.from.name}: ${reply.text || "picture"}`;
  else if (edit) text = edit.photo || edit.file ? "Edit the caption" : "Edit the message";
  byId("context").hidden = !text;
  byId("context-text").textContent = text;
  if (text) byId("text").focus();
  fitTextHeight();
};

// Puts an unsent message back, before what was typed in the meantime.
const restoreDraft = (conversation, unsent) => {
  const typed = byId("text").value;
  if (currentConversation().key !== conversation) {
    state.drafts.set(conversation, unsent);
  } else if (unsent.edit) {
    showDraft({ ...unsent, textBeforeEdit: typed });
  } else {
    const text = [unsent.text, typed].filter(Boolean).join("\n");
    showDraft({ ...unsent, text, pictures: [...unsent.pictures, ...state.pictures].slice(0, MAX_PICTURES) });
  }
};

// The picker above the text holds the samples, the commands, or nothing.
const togglePicker = (name) => {
  const picker = byId("picker");
  const content = picker.dataset.content === name ? "" : name;
  picker.dataset.content = content;
  picker.hidden = !content;
  picker.replaceChildren(...(content === "samples" ? [sampleButtons()] : content === "commands" ? [commandMenu()] : []));
  byId("show-samples").setAttribute("aria-expanded", content === "samples");
  byId("show-commands").setAttribute("aria-expanded", content === "commands");
};

const commandMenu = () => {
  const menus = get("menu") ?? {};
  const commands = menus[currentConversation().kind === "private" ? "private" : "group"] ?? menus.default ?? [];
  if (!commands.length) return make("p", { class: "quiet" }, "The bot has not set its commands yet.");
  const items = commands.map(({ command, description }) => {
    const onclick = () => {
      togglePicker("");
      sendText(`/${command}`);
    };
    const name = make("strong", {}, `/${command}`);
    return make("li", {}, make("button", { type: "button", onclick }, name, ` ${description}`));
  });
  return make("ul", { class: "menu", "aria-label": "Commands" }, ...items);
};

// Closes the picker or leaves a reply or edit, but never clears the text: an input method uses Escape as well.
const cancelOnEscape = (event) => {
  if (event.key !== "Escape" || event.isComposing || document.querySelector("dialog[open]")) return;
  if (byId("workbench").contains(event.target)) return;
  if (byId("picker").dataset.content) togglePicker("");
  else leaveContext();
};

const submitOnEnter = (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId("composer").requestSubmit();
};

const fitTextHeight = () => {
  const field = byId("text");
  field.rows = 1;
  const { lineHeight, paddingTop, paddingBottom } = getComputedStyle(field);
  const height = field.scrollHeight - parseFloat(paddingTop) - parseFloat(paddingBottom);
  field.rows = Math.min(MAX_ROWS, Math.max(1, Math.round(height / parseFloat(lineHeight))));
};

// The field is cleared at once: what is typed while a message is being sent belongs to the next one.
const submit = async (event) => {
  event.preventDefault();
  await sampleLoaded;
  const conversation = currentConversation().key;
  const draft = readDraft();
  if (!draft.edit && !draft.pictures.length && !draft.text.trim()) return;
  showDraft({ ...EMPTY, text: draft.textBeforeEdit ?? "" });
  togglePicker("");
  if (!(await (draft.edit ? postEdit : postMessage)(draft))) restoreDraft(conversation, draft);
};

const postEdit = ({ text, edit }) =>
  post("edit", { conversation: currentConversation().key, speaker: edit.from.id, message: edit.id, text });

const postMessage = ({ text, pictures, asFiles, reply }) => {
  const form = new FormData();
  form.set("conversation", currentConversation().key);
  form.set("speaker", speakerId());
  form.set("text", text);
  if (reply) form.set("reply_to", reply.id);
  if (asFiles) form.set("as_files", "yes");
  for (const file of pictures) form.append("picture", file, file.name);
  return post("send", form);
};
