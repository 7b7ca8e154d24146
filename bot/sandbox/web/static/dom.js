// Making and keeping elements. Data becomes text, never markup.

const attributes = (element, given) => {
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
};

export const make = (tag, given = {}, ...children) => {
  const element = document.createElement(tag);
  attributes(element, given);
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
};

export const byId = (id) => document.getElementById(id);

const signatures = new WeakMap();

// Makes the children of `parent` those that are wanted, in their order: {key, sign, build}. What has the same
// signature as before stays the element that it is, with its focus and whatever is open in it.
export const keep = (parent, wanted) => {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let next = parent.firstElementChild;
  for (const { key, sign, build } of wanted) {
    let element = old.get(key);
    old.delete(key);
    if (!element || signatures.get(element) !== sign) {
      const fresh = build();
      fresh.dataset.key = key;
      signatures.set(fresh, sign);
      if (element) {
        if (element === next) next = fresh;
        exchange(element, fresh);
      }
      element = fresh;
    }
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
  }
  for (const gone of old.values()) gone.remove();
};

// The keyboard's place survives: what had the focus hands it to what has the same name.
const exchange = (element, fresh) => {
  const name = element.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
  element.replaceWith(fresh);
  if (name) [...fresh.querySelectorAll("[data-focus]")].find((one) => one.dataset.focus === name)?.focus();
};

export const clock = (seconds, precisely = false) => {
  const options = { hour: "2-digit", minute: "2-digit", hour12: false };
  if (precisely) Object.assign(options, { second: "2-digit", fractionalSecondDigits: 3 });
  return new Date(seconds * 1000).toLocaleTimeString([], options);
};

export const size = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
