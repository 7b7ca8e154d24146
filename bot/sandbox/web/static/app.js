// The page: starts its parts and redraws them after every change.

import { prepareComposer, showOptions } from "./composer.js";
import { prepareConversation, showConversation, showConversationList } from "./conversation.js";
import { byId } from "./dom.js";
import { prepareViewer } from "./message.js";
import { all, followEvents, get, onChange } from "./store.js";
import { prepareWorkbench, showWorkbench } from "./workbench.js";

const BOT_STATES = { starting: "The bot is starting…", running: "The bot is running", stopped: "The bot is not running" };

let connected = true;

const showStatus = () => {
  const bot = get("bot");
  if (!bot) return;
  const faults = all("fault").filter((fault) => fault.on).length;
  const state = connected ? BOT_STATES[bot.state] : "The sandbox has ended";
  const text = faults ? `${state} · ${faults} ${faults > 1 ? "faults" : "fault"} on` : state;
  const status = byId("bot-status");
  if (status.textContent !== text) status.textContent = text;
  status.dataset.state = !connected || bot.state === "stopped" ? "stopped" : faults ? "faulty" : bot.state;
  byId("cost-notice").textContent = bot.uses_real_kie
    ? "Pictures go to Kie, and cost credits."
    : "Nothing leaves this machine.";
};

onChange(() => {
  showStatus();
  showConversationList();
  showOptions();
  showConversation();
  showWorkbench();
});
prepareViewer();
prepareConversation();
prepareWorkbench();
await prepareComposer();
followEvents((isConnected) => {
  connected = isConnected;
  showStatus();
});
