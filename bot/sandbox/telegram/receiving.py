"""How the bot gets its updates: it polls, or it names an address that gets them posted."""

from collections.abc import Callable
from urllib.parse import urlsplit

from bot.sandbox.telegram.arguments import Arguments
from bot.sandbox.telegram.cloud import Cloud
from bot.sandbox.telegram.refusals import Json, Refused, bad
from bot.sandbox.telegram.updates import MAX_BATCH

_WEBHOOK_IS_SET = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
_WEBHOOK_CAME = "Conflict: terminated by setWebhook request"


async def get_updates(cloud: Cloud, arguments: Arguments, listening: Callable[[], bool]) -> list[Json]:
    """getUpdates; `listening` says whether the caller is still connected."""
    if cloud.webhook is not None:
        raise Refused(409, _WEBHOOK_IS_SET)
    _allow(cloud, arguments)
    cloud.updates.confirm(arguments.number("offset") or 0)
    limit = arguments.number("limit") or MAX_BATCH
    return await cloud.updates.poll(limit, max(arguments.number("timeout") or 0, 0), listening)


def set_webhook(cloud: Cloud, arguments: Arguments) -> bool:
    """setWebhook; beside https it takes http on this machine. An empty address removes it."""
    address = urlsplit(arguments.text("url"))
    if not address.geturl():
        return delete_webhook(cloud, arguments)
    if address.scheme != "https" and address.hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise bad("bad webhook: An HTTPS URL must be provided for webhook")
    _allow(cloud, arguments)
    if arguments.flag("drop_pending_updates"):
        cloud.updates.forget_all()
    cloud.webhook = dict(arguments.params)
    cloud.updates.interrupt(_WEBHOOK_CAME)
    return True


def delete_webhook(cloud: Cloud, arguments: Arguments) -> bool:
    """deleteWebhook; what waits stays unless it shall be dropped."""
    if arguments.flag("drop_pending_updates"):
        cloud.updates.forget_all()
    cloud.webhook = None
    cloud.changes.notify()
    return True


def get_webhook_info(cloud: Cloud, _: Arguments) -> Json:
    """getWebhookInfo."""
    webhook = cloud.webhook or {}
    info: Json = {
        "url": webhook.get("url", ""),
        "has_custom_certificate": False,
        "pending_update_count": len(cloud.updates.pending),
    }
    kept = ("max_connections", "last_error_date", "last_error_message")
    info |= {name: webhook[name] for name in kept if name in webhook}
    return info | ({"allowed_updates": cloud.updates.allowed} if cloud.updates.allowed else {})


def _allow(cloud: Cloud, arguments: Arguments) -> None:
    asked = "allowed_updates" in arguments.params
    cloud.updates.allow(arguments.listing("allowed_updates") if asked else None)
