// Creates and updates elements. Data becomes text, never markup.

export const byId = (id) => document.getElementById(id);

export const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
};

const fingerprints = new WeakMap();

// Makes the children of `parent` the wanted ones, in this order: {key, fingerprint, build}. An element whose
// fingerprint is unchanged is kept, with its focus and whatever is unfolded in it.
export const updateChildren = (parent, wanted) => {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let next = parent.firstElementChild;
  for (const { key, fingerprint, build } of wanted) {
    let element = old.get(key);
    old.delete(key);
    if (!element || fingerprints.get(element) !== fingerprint) {
      const fresh = build();
      fresh.dataset.key = key;
      fingerprints.set(fresh, fingerprint);
      if (element) {
        if (element === next) next = fresh;
        replaceKeepingFocus(element, fresh);
      }
      element = fresh;
    }
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
  }
  for (const element of old.values()) element.remove();
};

// The keyboard focus moves to the element with the same `data-focus`.
const replaceKeepingFocus = (element, fresh) => {
  const name = element.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
  element.replaceWith(fresh);
  if (name) [...fresh.querySelectorAll("[data-focus]")].find((one) => one.dataset.focus === name)?.focus();
};

export const formatTime = (seconds, precisely = false) => {
  const options = { hour: "2-digit", minute: "2-digit", hour12: false };
  if (precisely) Object.assign(options, { second: "2-digit", fractionalSecondDigits: 3 });
  return new Date(seconds * 1000).toLocaleTimeString([], options);
};

export const formatSize = (bytes) =>
  bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
