// Asking the sandbox to do something, and telling people what came of it.

import { byId } from "./dom.js";

let until = 0;

// Above the words; while the workbench lies over them, in the workbench.
export const tell = (text) => {
  const isCovered = !byId("bench").hidden && matchMedia("(max-width: 1080px)").matches;
  const [toast, other] = isCovered ? [byId("bench-toast"), byId("toast")] : [byId("toast"), byId("bench-toast")];
  toast.textContent = text;
  toast.hidden = false;
  other.hidden = true;
  clearTimeout(until);
  until = setTimeout(() => (toast.hidden = true), 5000);
};

export const alertWith = (text) => {
  byId("notice-text").textContent = text;
  byId("notice").showModal();
};

// Returns the answer, or null when it could not be done; then that has been told.
export const ask = async (path, wanted = {}) => {
  const body = wanted instanceof FormData ? wanted : JSON.stringify(wanted);
  try {
    const answer = await fetch(path, { method: "POST", body });
    const said = answer.headers.get("Content-Type")?.startsWith("application/json") ? await answer.json() : {};
    if (answer.ok) return said;
    tell(said.error ?? `That cannot be done (HTTP ${answer.status}).`);
  } catch {
    tell("The sandbox does not answer: has it been ended?");
  }
  return null;
};
