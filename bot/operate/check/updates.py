"""How updates arrive: whether what Telegram knows fits TELEGRAM_UPDATES and PUBLIC_URL.

Whether another program polls could only be found out by polling, which would disturb a bot that runs.
"""

from collections.abc import Callable

from bot.chat.client import Chat, Webhook
from bot.chat.errors import ChatError, WrongToken
from bot.operate.check.finding import Finding, ok, skipped, warning
from bot.operate.check.reach import host_of
from bot.settings import Settings

NAME = "updates"

#: Seconds for which a failure of Telegram's to bring an update is worth a word.
RECENT = 3600.0

_SOMEBODY_ELSE = "stop whatever else uses this bot, or it will go on to change that"


async def look(chat: Chat, settings: Settings, *, is_running: bool, of_day: Callable[[], float]) -> list[Finding]:
    """Ask Telegram where it brings updates; `of_day` gives seconds since 1970."""
    try:
        known = await chat.webhook()
    except WrongToken:
        return [skipped(NAME, "Telegram does not say with this token")]
    except ChatError as error:
        return [skipped(NAME, f"Telegram cannot be asked ({error})")]
    if settings.telegram_updates == "polling":
        return [_polled(known)]
    return [_brought(known, f"{settings.public_url}/telegram/webhook", is_running=is_running, now=of_day())]


def _polled(known: Webhook) -> Finding:
    if known.url:
        # only the host: the path of somebody's webhook may be a secret
        found = f"a webhook is set at {host_of(known.url)}, though TELEGRAM_UPDATES=polling{_waiting(known)}"
        return warning(NAME, found, f"the bot removes it at its start; {_SOMEBODY_ELSE}")
    return ok(NAME, f"asked for by polling{_waiting(known)}")


def _brought(known: Webhook, ours: str, *, is_running: bool, now: float) -> Finding:
    if known.url != ours and (known.url or is_running):
        where = f"brings updates to {host_of(known.url)}" if known.url else "brings no updates"
        found = f"Telegram {where}, and not to {ours}{_waiting(known)}"
        return warning(NAME, found, f"the bot sets it right; {_SOMEBODY_ELSE}")
    if not known.url:
        return ok(NAME, f"will be brought to {ours} once the bot runs{_waiting(known)}")
    if known.failure and now - known.failed_at < RECENT:
        minutes = max(0.0, now - known.failed_at) / 60
        found = f"Telegram could not bring an update {minutes:.0f} min ago ({known.failure}){_waiting(known)}"
        return warning(NAME, found, "let PUBLIC_URL lead to the bot while it runs; what waits is brought again")
    return ok(NAME, f"brought to {ours}{_waiting(known)}")


def _waiting(known: Webhook) -> str:
    return f"; {known.waiting} wait at Telegram" if known.waiting else ""
