"""The bot token: which bot it is, and what groups show it."""

from bot.chat.client import Chat, Me
from bot.chat.errors import ChatError, WrongToken
from bot.operate.check.finding import Finding, failure, ok
from bot.operate.check.reach import Reach

NAME, GROUPS = "bot", "groups"


async def look(chat: Chat, reach: Reach, api_url: str) -> list[Finding]:
    """Ask Telegram who we are."""
    try:
        me = await chat.me()
    except WrongToken:
        remedy = "copy the token from @BotFather again, and look at TELEGRAM_API_URL if you set it"
        return [failure(NAME, "Telegram does not know TELEGRAM_BOT_TOKEN", remedy)]
    except ChatError as error:
        why = await reach.why_not(api_url, str(error))
        return [failure(NAME, f"Telegram cannot be asked: {why.found}", why.remedy)]
    return [ok(NAME, f"@{me.username}, id {me.id}"), ok(GROUPS, _in_groups(me))]


def _in_groups(me: Me) -> str:
    if not me.joins_groups:
        return "cannot be added to groups (Allow Groups is off at @BotFather)"
    if me.hears_all:
        return "is shown everything that is said in groups, and keeps what is meant for it (Group Privacy is off)"
    return "is shown only replies to it and commands that name it, unless it is an admin there (Group Privacy is on)"
