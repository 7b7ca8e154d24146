"""A local Telegram, to try and to test the bot with no account.

    person, group --> cloud (chats, files) --> updates --> receiving, delivery --> the bot
    the bot --> door --> arguments --> methods (account, sending, editing) --> cloud

`LocalTelegram` holds it all. It speaks the part of the Bot API that the bot
uses, refuses in Telegram's own words, and records every call.
"""

from bot.sandbox.telegram.bot_api_server import TelegramCall as TelegramCall
from bot.sandbox.telegram.local_telegram import LocalTelegram as LocalTelegram
from bot.sandbox.telegram.people_and_groups import Group as Group
from bot.sandbox.telegram.people_and_groups import Person as Person
