// The page: puts its parts together.

import { prepareBench, showBench } from "./bench.js";
import { prepareComposer, showOptions } from "./composer.js";
import { byId } from "./dom.js";
import { all, follow, get, onChange } from "./store.js";
import { prepareTalk, showPlaces, showTalk } from "./talk.js";
import { prepareViewer } from "./viewer.js";

const LIVES = { starting: "The bot is starting…", running: "The bot is running", stopped: "The bot is not running" };

let connected = true;

const showTop = () => {
  const bot = get("bot");
  if (!bot) return;
  const troubles = all("trouble").filter((trouble) => trouble.on).length;
  const life = byId("life");
  const words = connected ? LIVES[bot.life] : "The sandbox has ended";
  const text = troubles ? `${words} · ${troubles} ${troubles > 1 ? "troubles" : "trouble"} on` : words;
  if (life.textContent !== text) life.textContent = text;
  life.dataset.life = !connected || bot.life === "stopped" ? "stopped" : troubles ? "troubled" : bot.life;
  byId("where").textContent = bot.live ? "Pictures go to Kie, and cost credits." : "Nothing leaves this machine.";
};

const show = () => {
  showTop();
  showPlaces();
  showOptions();
  showTalk();
  showBench();
};

onChange(show);
prepareViewer();
prepareTalk();
prepareBench();
await prepareComposer();
follow((now) => {
  connected = now;
  showTop();
});
