"""Delivers updates: getUpdates, and the webhook."""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout

from bot.sandbox.telegram.arguments import Arguments
from bot.sandbox.telegram.errors import BotApiError, JsonObject, bad_request_error
from bot.sandbox.telegram.server_state import TelegramState
from bot.sandbox.telegram.update_queue import MAX_BATCH

_WEBHOOK_IS_ACTIVE = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
_TERMINATED_BY_SET_WEBHOOK = "Conflict: terminated by setWebhook request"


async def get_updates(state: TelegramState, arguments: Arguments, is_connected: Callable[[], bool]) -> list[JsonObject]:
    """Return pending updates, after a long poll of `timeout` seconds at most."""
    if state.webhook is not None:
        raise BotApiError(409, _WEBHOOK_IS_ACTIVE)
    _set_allowed_updates(state, arguments)
    state.updates.confirm(arguments.number("offset") or 0)
    limit = arguments.number("limit") or MAX_BATCH
    return await state.updates.poll(limit, max(arguments.number("timeout") or 0, 0), is_connected)


def set_webhook(state: TelegramState, arguments: Arguments) -> bool:
    """Set the webhook; it may use http on this machine. An empty URL removes it."""
    address = urlsplit(arguments.text("url"))
    if not address.geturl():
        return delete_webhook(state, arguments)
    if address.scheme != "https" and address.hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise bad_request_error("bad webhook: An HTTPS URL must be provided for webhook")
    _set_allowed_updates(state, arguments)
    if arguments.flag("drop_pending_updates"):
        state.updates.clear()
    state.webhook = dict(arguments.params)
    state.updates.terminate_poll(_TERMINATED_BY_SET_WEBHOOK)
    return True


def delete_webhook(state: TelegramState, arguments: Arguments) -> bool:
    """Delete the webhook, and the pending updates if asked to."""
    if arguments.flag("drop_pending_updates"):
        state.updates.clear()
    state.webhook = None
    state.changes.notify()
    return True


def get_webhook_info(state: TelegramState, _: Arguments) -> JsonObject:
    webhook = state.webhook or {}
    info: JsonObject = {
        "url": webhook.get("url", ""),
        "has_custom_certificate": False,
        "pending_update_count": len(state.updates.pending),
    }
    kept = ("max_connections", "last_error_date", "last_error_message")
    info |= {name: webhook[name] for name in kept if name in webhook}
    return info | ({"allowed_updates": state.updates.allowed} if state.updates.allowed else {})


def _set_allowed_updates(state: TelegramState, arguments: Arguments) -> None:
    asked = "allowed_updates" in arguments.params
    state.updates.set_allowed(arguments.array("allowed_updates") if asked else None)


FIRST_RETRY_SECONDS = 0.05
MAX_RETRY_SECONDS = 1.0
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the header's name, not a secret


async def deliver_to_webhook(state: TelegramState) -> None:
    """Post pending updates to the webhook, if there is one; runs until cancelled."""
    pause = FIRST_RETRY_SECONDS
    async with ClientSession(timeout=ClientTimeout(total=60)) as session:
        while True:
            webhook, waiting = state.webhook, state.updates.pending
            if webhook is None or not waiting:
                await state.changes.wait()
            elif await _post_update(session, state, webhook, waiting[0]):
                state.updates.remove_delivered(waiting[0]["update_id"])
                pause = FIRST_RETRY_SECONDS
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, MAX_RETRY_SECONDS)


async def _post_update(session: ClientSession, state: TelegramState, webhook: JsonObject, update: JsonObject) -> bool:
    secret = webhook.get("secret_token")
    headers = {SECRET_HEADER: secret} if secret else {}
    try:
        async with session.post(webhook["url"], json=update, headers=headers) as answer:
            if answer.ok:
                return True
            problem = f"Wrong response from the webhook: {answer.status} {answer.reason}"
    except (ClientError, TimeoutError) as error:
        problem = str(error) or type(error).__name__
    webhook |= {"last_error_date": state.date, "last_error_message": problem}
    state.changes.notify()
    return False
