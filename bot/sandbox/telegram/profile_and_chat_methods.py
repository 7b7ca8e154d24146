"""The methods about the bot's profile and commands, chats and their members, files, and callback queries."""

import re

from bot.sandbox.telegram.arguments import Arguments
from bot.sandbox.telegram.chats import chat_member
from bot.sandbox.telegram.errors import JsonObject, bad_request_error
from bot.sandbox.telegram.server_state import TelegramState
from bot.sandbox.telegram.text_entities import utf16_length

_COMMAND_NAME = re.compile(r"[a-z0-9_]{1,32}")
_MAX_COMMANDS = 100
_GIFT_TYPES = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
_DEFAULT_SCOPE: JsonObject = {"type": "default"}


def get_me(state: TelegramState, _: Arguments) -> JsonObject:
    return state.bot_user | {
        "can_join_groups": True,
        "can_read_all_group_messages": not state.privacy_mode,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


def get_chat(state: TelegramState, arguments: Arguments) -> JsonObject:
    more = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": dict.fromkeys(_GIFT_TYPES, False)}
    return state.require_chat(arguments).api_object | more


def get_chat_member(state: TelegramState, arguments: Arguments) -> JsonObject:
    chat = state.require_chat(arguments)
    user_id = arguments.number("user_id")
    if user_id == state.bot_user["id"]:
        return chat_member(state.bot_user, chat.bot_status)
    if user_id not in chat.members:
        raise bad_request_error("user not found")
    return chat_member(chat.members[user_id], "administrator" if user_id in chat.admins else "member")


def get_chat_administrators(state: TelegramState, arguments: Arguments) -> list[JsonObject]:
    """Return the administrators without other bots."""
    chat = state.require_chat(arguments)
    if chat.is_private:
        raise bad_request_error("there are no administrators in the private chat")
    found = [chat_member(chat.members[user_id], "administrator") for user_id in sorted(chat.admins)]
    return found + ([chat_member(state.bot_user, chat.bot_status)] if chat.bot_status == "administrator" else [])


def set_my_commands(state: TelegramState, arguments: Arguments) -> bool:
    """Set the commands of a scope and language; the scope of one chat needs an existing chat."""
    chat_id = arguments.json_object("scope").get("chat_id")
    if chat_id is not None and chat_id not in state.chats:
        raise bad_request_error("chat not found")
    commands = arguments.array("commands")
    if len(commands) > _MAX_COMMANDS:
        raise bad_request_error("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not _COMMAND_NAME.fullmatch(str(command.get("command", ""))):
            raise bad_request_error("BOT_COMMAND_INVALID")
        if not 1 <= utf16_length(str(command.get("description", ""))) <= 256:
            raise bad_request_error("BOT_COMMAND_DESCRIPTION_INVALID")
    return _store_in_profile(state, _commands_key(arguments), commands)


def get_my_commands(state: TelegramState, arguments: Arguments) -> object:
    """Return the commands of exactly this scope and language."""
    return state.profile.get(_commands_key(arguments), [])


def delete_my_commands(state: TelegramState, arguments: Arguments) -> bool:
    """Delete the commands of exactly this scope and language."""
    return _store_in_profile(state, _commands_key(arguments), [])


def set_my_description(state: TelegramState, arguments: Arguments) -> bool:
    return _set_description(state, arguments, "description", 512)


def set_my_short_description(state: TelegramState, arguments: Arguments) -> bool:
    return _set_description(state, arguments, "short_description", 120)


def get_my_description(state: TelegramState, arguments: Arguments) -> JsonObject:
    return _get_description(state, arguments, "description")


def get_my_short_description(state: TelegramState, arguments: Arguments) -> JsonObject:
    return _get_description(state, arguments, "short_description")


def answer_callback_query(state: TelegramState, arguments: Arguments) -> bool:
    """Answer a callback query; unknown ones are "too old"."""
    query_id = arguments.text("callback_query_id")
    if query_id not in state.callback_answers:
        raise bad_request_error("query is too old and response timeout expired or query ID is invalid")
    if utf16_length(arguments.text("text")) > 200:
        raise bad_request_error("MESSAGE_TOO_LONG")
    answer = {name: value for name, value in arguments.params.items() if name != "callback_query_id"}
    state.callback_answers[query_id] = answer
    state.changes.notify()
    return True


def get_file(state: TelegramState, arguments: Arguments) -> JsonObject:
    return state.files.get_file(arguments.text("file_id"))


def _commands_key(arguments: Arguments) -> tuple[str, ...]:
    scope = arguments.json_object("scope") or _DEFAULT_SCOPE
    return ("commands", repr(sorted(scope.items())), arguments.text("language_code"))


def _set_description(state: TelegramState, arguments: Arguments, name: str, max_length: int) -> bool:
    if utf16_length(arguments.text(name)) > max_length:
        raise bad_request_error(f"{name} is too long")
    return _store_in_profile(state, (name, arguments.text("language_code")), arguments.text(name))


def _get_description(state: TelegramState, arguments: Arguments, name: str) -> JsonObject:
    own = state.profile.get((name, arguments.text("language_code")))
    return {name: own or state.profile.get((name, ""), "")}


def _store_in_profile(state: TelegramState, key: tuple[str, ...], value: object) -> bool:
    state.profile[key] = value
    state.changes.notify()
    return True
