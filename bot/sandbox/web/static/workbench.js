// The workbench: calls, jobs, faults, and the bot's process.

import { post } from "./api.js";
import { byId, formatTime, make, updateChildren } from "./dom.js";
import { all, get } from "./store.js";

const PANELS = { calls: () => showCalls(), jobs: () => showJobs(), faults: () => showFaults(), bot: () => showBot() };
const TABS = Object.keys(PANELS);
const STATE_MARKS = { done: "✓", failed: "✕", open: "…" };

export const prepareWorkbench = () => {
  const adjust = (id, type, value) =>
    byId(id).addEventListener(type, (event) => post("actions/adjust", { [id]: value(event.target) }));
  byId("open-workbench").addEventListener("click", () => setOpen(byId("workbench").hidden));
  byId("close-workbench").addEventListener("click", () => setOpen(false));
  byId("workbench").addEventListener("keydown", (event) => event.key === "Escape" && setOpen(false));
  for (const name of TABS) byId(`tab-${name}`).addEventListener("click", () => selectTab(name));
  byId("tabs").addEventListener("keydown", selectTabByArrow);
  byId("service").addEventListener("change", showWorkbench);
  for (const name of ["kill", "start", "restart", "forge"]) byId(name).addEventListener("click", () => post(`actions/${name}`));
  byId("reset").addEventListener("click", () => post("reset"));
  adjust("seconds", "input", (input) => Number(input.value));
  adjust("privacy", "change", (input) => input.checked);
  adjust("language", "change", (input) => input.value);
  selectTab("calls");
};

const setOpen = (isOpen) => {
  byId("workbench").hidden = !isOpen;
  document.body.classList.toggle("with-workbench", isOpen);
  byId("open-workbench").setAttribute("aria-expanded", isOpen);
  if (isOpen) showWorkbench();
  (isOpen ? document.querySelector("[role=tab][aria-selected=true]") : byId("open-workbench")).focus();
};

const selectTab = (selected) => {
  for (const name of TABS) {
    const tab = byId(`tab-${name}`);
    tab.setAttribute("aria-selected", name === selected);
    tab.tabIndex = name === selected ? 0 : -1;
    byId(`panel-${name}`).hidden = name !== selected;
  }
  showWorkbench();
};

const selectTabByArrow = (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const index = TABS.findIndex((name) => byId(`tab-${name}`).getAttribute("aria-selected") === "true");
  const next = TABS[(index + step + TABS.length) % TABS.length];
  selectTab(next);
  byId(`tab-${next}`).focus();
};

export const showWorkbench = () => {
  if (byId("workbench").hidden) return;
  for (const name of TABS) if (!byId(`panel-${name}`).hidden) PANELS[name]();
};

const placeholder = (tag, text) => ({
  key: "none",
  fingerprint: "",
  build: () => make(tag, { class: "quiet" }, text),
});

const newestFirst = (items) => items.sort((one, other) => other.number - one.number);

const showCalls = () => {
  const service = byId("service").value;
  const calls = all("call").filter((call) => !service || call.service === service);
  calls.sort((one, other) => other.at - one.at || other.number - one.number);
  const wanted = calls.map((call) => ({
    key: `${call.service}/${call.number}`,
    fingerprint: JSON.stringify(call),
    build: () => callRow(call),
  }));
  updateChildren(byId("calls"), wanted.length ? wanted : [placeholder("li", "No calls yet.")]);
};

const callRow = (call) => {
  const summary = make(
    "summary",
    { "data-focus": "call" },
    make("time", {}, formatTime(call.at, true)),
    make("span", { class: `service-name ${call.service}` }, call.service === "kie" ? "Kie" : "Telegram"),
    make("strong", {}, call.name),
    make("span", { class: `mark ${call.state}`, role: "img", "aria-label": call.state }, STATE_MARKS[call.state]),
    make("span", { class: "about" }, call.about),
  );
  const details = make("details", {}, summary);
  details.addEventListener("toggle", () => details.open && showCallDetails(details, call));
  return make("li", {}, details);
};

const showCallDetails = async (details, call) => {
  for (const old of details.querySelectorAll("h4, pre")) old.remove();
  const response = await fetch(`calls/${call.service}/${call.number}`);
  if (!response.ok) return;
  for (const [name, text] of Object.entries(await response.json())) {
    details.append(make("h4", {}, name), make("pre", { tabindex: 0 }, text));
  }
};

const showJobs = () => {
  const jobs = newestFirst(all("job")).map((job) => ({
    key: `${job.number}`,
    fingerprint: JSON.stringify(job),
    build: () => jobSection(job),
  }));
  updateChildren(byId("jobs"), jobs.length ? jobs : [placeholder("p", "No edit was asked for yet.")]);
  const lines = newestFirst(all("log_line")).map((line) => ({
    key: `${line.number}`,
    fingerprint: "",
    build: () => logEntry(line, formatTime(line.at, true)),
  }));
  updateChildren(byId("log-lines"), lines);
};

const jobSection = (job) => {
  const start = job.steps[0].at;
  const steps = job.steps.map((step) => logEntry(step, `+${(step.at - start).toFixed(1)} s`));
  const title = make("h3", {}, `Job ${job.number} `, make("time", {}, formatTime(start, true)));
  return make("section", {}, title, make("ol", { class: "steps" }, ...steps));
};

const logEntry = ({ level, text }, time) => {
  const className = ["INFO", "DEBUG"].includes(level) ? null : "warning";
  return make("li", { class: className }, make("time", {}, time), make("span", {}, text));
};

const showFaults = () => {
  const faults = all("fault").sort((one, other) => one.order - other.order);
  const groups = [...new Set(faults.map((fault) => fault.group))];
  const wanted = groups.map((group) => {
    const members = faults.filter((fault) => fault.group === group);
    const build = () => make("fieldset", {}, make("legend", {}, group), ...members.map(faultSwitch));
    return { key: group, fingerprint: JSON.stringify(members), build };
  });
  updateChildren(byId("faults"), wanted);
  byId("forge").hidden = !groups.includes("Callbacks");
};

const faultSwitch = ({ name, title, about, on }) => {
  const onchange = (event) => post("actions/fault", { name, on: event.target.checked });
  const input = make("input", { type: "checkbox", role: "switch", "data-focus": name, onchange });
  input.checked = on;
  return make("label", { class: "switch" }, input, make("span", {}, title, make("small", {}, about)));
};

const showBot = () => {
  const [settings, bot] = [get("settings"), get("bot")];
  if (!settings || !bot) return;
  byId("kill").disabled = byId("restart").disabled = bot.state === "stopped";
  byId("start").disabled = bot.state !== "stopped";
  byId("local-kie").hidden = bot.uses_real_kie;
  byId("seconds-value").textContent = `${settings.seconds} s`;
  if (document.activeElement !== byId("seconds")) byId("seconds").value = settings.seconds;
  const { credits } = settings;
  byId("credits").textContent = credits === null ? "" : `${credits.toLocaleString()} credits are left at Kie.`;
  byId("privacy").checked = settings.privacy;
  const language = byId("language");
  if (language.options.length !== settings.languages.length) {
    language.replaceChildren(...settings.languages.map((code) => make("option", { value: code }, code)));
  }
  language.value = settings.language;
};
