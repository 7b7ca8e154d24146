"""The bot's own affairs: who it is, what it says about itself, whom it meets, which buttons it answers."""

import re

from bot.sandbox.telegram.arguments import Arguments
from bot.sandbox.telegram.chats import member
from bot.sandbox.telegram.cloud import Cloud
from bot.sandbox.telegram.refusals import Json, bad
from bot.sandbox.telegram.words import units

_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
_MAX_COMMANDS = 100
_GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
_EVERYWHERE: Json = {"type": "default"}


def get_me(cloud: Cloud, _: Arguments) -> Json:
    """getMe."""
    return cloud.me | {
        "can_join_groups": True,
        "can_read_all_group_messages": not cloud.privacy_mode,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


def get_chat(cloud: Cloud, arguments: Arguments) -> Json:
    """getChat."""
    more = {
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(_GIFTS, False),
    }
    return cloud.chat(arguments).shown | more


def get_chat_member(cloud: Cloud, arguments: Arguments) -> Json:
    """getChatMember."""
    chat = cloud.chat(arguments)
    user_id = arguments.number("user_id")
    if user_id == cloud.me["id"]:
        return member(cloud.me, chat.standing)
    if user_id not in chat.members:
        raise bad("user not found")
    return member(chat.members[user_id], "administrator" if user_id in chat.admins else "member")


def get_chat_administrators(cloud: Cloud, arguments: Arguments) -> list[Json]:
    """getChatAdministrators: the people among them, and this bot."""
    chat = cloud.chat(arguments)
    if chat.is_private:
        raise bad("there are no administrators in the private chat")
    found = [member(chat.members[user_id], "administrator") for user_id in sorted(chat.admins)]
    return found + ([member(cloud.me, chat.standing)] if chat.standing == "administrator" else [])


def set_my_commands(cloud: Cloud, arguments: Arguments) -> bool:
    """setMyCommands, per scope and language; a scope of one chat needs a chat that is there."""
    chat_id = arguments.mapping("scope").get("chat_id")
    if chat_id is not None and chat_id not in cloud.chats:
        raise bad("chat not found")
    commands = arguments.listing("commands")
    if len(commands) > _MAX_COMMANDS:
        raise bad("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not _COMMAND.fullmatch(str(command.get("command", ""))):
            raise bad("BOT_COMMAND_INVALID")
        if not 1 <= units(str(command.get("description", ""))) <= 256:
            raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
    return _remember(cloud, _commands_key(arguments), commands)


def get_my_commands(cloud: Cloud, arguments: Arguments) -> object:
    """getMyCommands, exactly for this scope and language."""
    return cloud.profile.get(_commands_key(arguments), [])


def delete_my_commands(cloud: Cloud, arguments: Arguments) -> bool:
    """deleteMyCommands, exactly for this scope and language."""
    return _remember(cloud, _commands_key(arguments), [])


def set_my_description(cloud: Cloud, arguments: Arguments) -> bool:
    """setMyDescription: up to 512 characters."""
    return _describe(cloud, arguments, "description", 512)


def set_my_short_description(cloud: Cloud, arguments: Arguments) -> bool:
    """setMyShortDescription: up to 120 characters."""
    return _describe(cloud, arguments, "short_description", 120)


def get_my_description(cloud: Cloud, arguments: Arguments) -> Json:
    """getMyDescription."""
    return _description(cloud, arguments, "description")


def get_my_short_description(cloud: Cloud, arguments: Arguments) -> Json:
    """getMyShortDescription."""
    return _description(cloud, arguments, "short_description")


def answer_callback_query(cloud: Cloud, arguments: Arguments) -> bool:
    """answerCallbackQuery; unknown queries are "too old"."""
    query_id = arguments.text("callback_query_id")
    if query_id not in cloud.presses:
        raise bad("query is too old and response timeout expired or query ID is invalid")
    if units(arguments.text("text")) > 200:
        raise bad("MESSAGE_TOO_LONG")
    answer = {name: value for name, value in arguments.params.items() if name != "callback_query_id"}
    cloud.presses[query_id] = answer
    cloud.changes.notify()
    return True


def get_file(cloud: Cloud, arguments: Arguments) -> Json:
    """getFile."""
    return cloud.files.locate(arguments.text("file_id"))


def _commands_key(arguments: Arguments) -> tuple[str, ...]:
    scope = arguments.mapping("scope") or _EVERYWHERE
    return ("commands", repr(sorted(scope.items())), arguments.text("language_code"))


def _describe(cloud: Cloud, arguments: Arguments, name: str, most: int) -> bool:
    if units(arguments.text(name)) > most:
        raise bad(f"{name} is too long")
    return _remember(cloud, (name, arguments.text("language_code")), arguments.text(name))


def _description(cloud: Cloud, arguments: Arguments, name: str) -> Json:
    own = cloud.profile.get((name, arguments.text("language_code")))
    return {name: own or cloud.profile.get((name, ""), "")}


def _remember(cloud: Cloud, key: tuple[str, ...], value: object) -> bool:
    cloud.profile[key] = value
    cloud.changes.notify()
    return True
