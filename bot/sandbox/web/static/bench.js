// The workbench: calls, jobs, troubles, and the bot's process.

import { ask } from "./ask.js";
import { byId, clock, keep, make } from "./dom.js";
import { all, get } from "./store.js";

const TABS = ["calls", "jobs", "troubles", "bot"];
const MARKS = { done: "✓", failed: "✕", open: "…" };

export const prepareBench = () => {
  byId("open-bench").addEventListener("click", () => toggle(byId("bench").hidden));
  byId("close-bench").addEventListener("click", () => toggle(false));
  byId("bench").addEventListener("keydown", (event) => event.key === "Escape" && toggle(false));
  for (const name of TABS) byId(`tab-${name}`).addEventListener("click", () => choose(name));
  byId("tabs").addEventListener("keydown", arrows);
  byId("side").addEventListener("change", showBench);
  for (const name of ["kill", "start", "restart", "forge"]) byId(name).addEventListener("click", () => ask(`do/${name}`));
  byId("reset").addEventListener("click", () => ask("reset"));
  byId("seconds").addEventListener("input", (event) => ask("do/adjust", { seconds: Number(event.target.value) }));
  byId("privacy").addEventListener("change", (event) => ask("do/adjust", { privacy: event.target.checked }));
  byId("language").addEventListener("change", (event) => ask("do/adjust", { language: event.target.value }));
  choose("calls");
};

const toggle = (open) => {
  byId("bench").hidden = !open;
  document.body.classList.toggle("with-bench", open);
  byId("open-bench").setAttribute("aria-expanded", open);
  if (open) showBench();
  (open ? document.querySelector("[role=tab][aria-selected=true]") : byId("open-bench")).focus();
};

const choose = (chosen) => {
  for (const name of TABS) {
    const tab = byId(`tab-${name}`);
    tab.setAttribute("aria-selected", name === chosen);
    tab.tabIndex = name === chosen ? 0 : -1;
    byId(`panel-${name}`).hidden = name !== chosen;
  }
  showBench();
};

const arrows = (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const at = TABS.findIndex((name) => byId(`tab-${name}`).getAttribute("aria-selected") === "true");
  const next = TABS[(at + step + TABS.length) % TABS.length];
  choose(next);
  byId(`tab-${next}`).focus();
};

export const showBench = () => {
  if (byId("bench").hidden) return;
  const parts = { calls: showCalls, jobs: showJobs, troubles: showTroubles, bot: showBot };
  for (const name of TABS) if (!byId(`panel-${name}`).hidden) parts[name]();
};

const showCalls = () => {
  const side = byId("side").value;
  const calls = all("call").filter((call) => !side || call.side === side);
  calls.sort((one, other) => other.at - one.at || other.number - one.number);
  const wanted = calls.map((call) => ({
    key: `${call.side}/${call.number}`,
    sign: JSON.stringify(call),
    build: () => row(call),
  }));
  if (!wanted.length) wanted.push(nothing("li", "No calls yet."));
  keep(byId("calls"), wanted);
};

const nothing = (tag, words) => ({ key: "none", sign: "", build: () => make(tag, { class: "quiet" }, words) });

const row = (call) => {
  const summary = make(
    "summary",
    { "data-focus": "call" },
    make("time", {}, clock(call.at, true)),
    make("span", { class: `side ${call.side}` }, call.side === "kie" ? "Kie" : "Telegram"),
    make("strong", {}, call.name),
    make("span", { class: `mark ${call.state}`, role: "img", "aria-label": call.state }, MARKS[call.state]),
    make("span", { class: "about" }, call.about),
  );
  const details = make("details", {}, summary);
  details.addEventListener("toggle", () => details.open && unfold(details, call));
  return make("li", {}, details);
};

const unfold = async (details, call) => {
  for (const old of details.querySelectorAll("h4, pre")) old.remove();
  const answer = await fetch(`calls/${call.side}/${call.number}`);
  if (!answer.ok) return;
  const { asked, answered } = await answer.json();
  for (const [title, text] of [["Asked", asked], ["Answered", answered]]) {
    details.append(make("h4", {}, title), make("pre", { tabindex: 0 }, text));
  }
};

const showJobs = () => {
  const jobs = all("job").sort((one, other) => other.number - one.number);
  const wanted = jobs.map((job) => ({ key: `${job.number}`, sign: JSON.stringify(job), build: () => life(job) }));
  if (!wanted.length) wanted.push(nothing("p", "No edit was asked for yet."));
  keep(byId("jobs"), wanted);
  const lines = all("line").sort((one, other) => other.number - one.number);
  const logged = (line) => ({ key: `${line.number}`, sign: "", build: () => step(line, clock(line.at, true)) });
  keep(byId("lines"), lines.map(logged));
};

const life = (job) => {
  const since = job.steps[0].at;
  const steps = job.steps.map((one) => step(one, `+${(one.at - since).toFixed(1)} s`));
  const title = make("h3", {}, `Job ${job.number} `, make("time", {}, clock(since, true)));
  return make("section", {}, title, make("ol", { class: "steps" }, ...steps));
};

const step = ({ level, text }, when) => {
  const loudness = ["INFO", "DEBUG"].includes(level) ? null : "loud";
  return make("li", { class: loudness }, make("time", {}, when), make("span", {}, text));
};

const showTroubles = () => {
  const troubles = all("trouble").sort((one, other) => one.order - other.order);
  const sides = [...new Set(troubles.map((trouble) => trouble.side))];
  keep(byId("troubles"), sides.map((side) => {
    const own = troubles.filter((trouble) => trouble.side === side);
    const build = () => make("fieldset", {}, make("legend", {}, side), ...own.map(lever));
    return { key: side, sign: JSON.stringify(own), build };
  }));
  byId("forge").hidden = !sides.includes("Callbacks");
};

const lever = ({ name, title, about, on }) => {
  const turn = (event) => ask("do/trouble", { name, on: event.target.checked });
  const box = make("input", { type: "checkbox", role: "switch", "data-focus": name, onchange: turn });
  box.checked = on;
  return make("label", { class: "switch" }, box, make("span", {}, title, make("small", {}, about)));
};

const showBot = () => {
  const bench = get("bench");
  const bot = get("bot");
  if (!bench || !bot) return;
  byId("kill").disabled = byId("restart").disabled = bot.life === "stopped";
  byId("start").disabled = bot.life !== "stopped";
  byId("of-kie").hidden = bot.live;
  byId("seconds-now").textContent = `${bench.seconds} s`;
  if (document.activeElement !== byId("seconds")) byId("seconds").value = bench.seconds;
  byId("credits").textContent = bench.credits === null ? "" : `${bench.credits.toLocaleString()} credits are left at Kie.`;
  byId("privacy").checked = bench.privacy;
  const language = byId("language");
  if (language.options.length !== bench.languages.length) {
    language.replaceChildren(...bench.languages.map((one) => make("option", { value: one }, one)));
  }
  language.value = bench.language;
};
