// A picture, as large as it fits.

import { byId } from "./dom.js";

export const enlarge = (address, words, name) => {
  const image = byId("large");
  image.src = address;
  image.alt = words;
  Object.assign(byId("download"), { href: address, download: name });
  byId("viewer").showModal();
};

export const prepareViewer = () => {
  const viewer = byId("viewer");
  viewer.addEventListener("click", (event) => {
    if (event.target === viewer) viewer.close();
  });
};
