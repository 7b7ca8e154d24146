"""A local Bot API server: the part of the API that the bot uses, with Telegram's own errors; it records every call."""

from bot.sandbox.telegram.bot_api_server import TelegramCall as TelegramCall
from bot.sandbox.telegram.local_telegram import LocalTelegram as LocalTelegram
from bot.sandbox.telegram.people_and_groups import Group as Group
from bot.sandbox.telegram.people_and_groups import Person as Person
