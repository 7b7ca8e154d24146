// Requests to the sandbox, and what the page shows of their answers: toasts and alerts.

import { byId } from "./dom.js";

let hideTimer = 0;

// Shown above the composer, or in the workbench where that covers the composer.
export const showToast = (text) => {
  const isCovered = !byId("workbench").hidden && matchMedia("(max-width: 1080px)").matches;
  const [toast, other] = isCovered ? [byId("workbench-toast"), byId("toast")] : [byId("toast"), byId("workbench-toast")];
  toast.textContent = text;
  toast.hidden = false;
  other.hidden = true;
  clearTimeout(hideTimer);
  hideTimer = setTimeout(() => (toast.hidden = true), 5000);
};

export const showAlert = (text) => {
  byId("alert-text").textContent = text;
  byId("alert").showModal();
};

// Returns the decoded response, or null after an error, which is shown as a toast.
export const post = async (path, params = {}) => {
  const body = params instanceof FormData ? params : JSON.stringify(params);
  try {
    const response = await fetch(path, { method: "POST", body });
    const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
    const content = isJson ? await response.json() : {};
    if (response.ok) return content;
    showToast(content.error ?? `That cannot be done (HTTP ${response.status}).`);
  } catch {
    showToast("The sandbox does not answer: has it been ended?");
  }
  return null;
};
