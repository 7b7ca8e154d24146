"""Is an update meant for us? Decided before anything is stored.

What people say among each other in a group is not ours to keep. There we are
spoken to by a command, by our name on a picture or in reply to one, and by a
reply to what we said about an edit. Of an album only one item says so; those
that came before it wait for it in memory, for as long as an album may take.
A malformed update passes: it is for the inbox to set aside, and for an operator
to look at.
"""

import re
from collections.abc import Iterable
from typing import Any

from bot.clock import Instant, add_seconds
from bot.job import MAX_ALBUM_SECONDS
from bot.store.transaction import Transaction
from bot.telegram.client import BotAccount

Json = dict[str, Any]

#: Channel posts, business and guest messages: none of them starts anything.
HANDLED_UPDATES = ("message", "edited_message", "my_chat_member")

MESSAGE_UPDATES = ("message", "edited_message")

#: Those that are ours also where they are not said to be for us by name.
GROUP_COMMANDS = ("edit", "cancel", "status", "settings", "help", "privacy", "start", "usage")

#: Items of albums that are kept for a moment, in all: some 2 kB each. Beyond that an album begins where it is for us.
MAX_HELD_ALBUM_ITEMS = 1000

#: What comes of looking into JSON that is not as documented.
MALFORMED_ERRORS = (AttributeError, KeyError, TypeError, ValueError, OverflowError)

_COMMAND = re.compile(r"\s*/([A-Za-z0-9_]{1,32})(?:@(\w+))?(?:\s|$)")


class UpdateFilter:
    """Sorts out what concerns us; knows who we are once it was told by `meet`."""

    def __init__(self) -> None:
        self._me = BotAccount(0, "")
        self._held_album_items: dict[tuple[int, str], list[tuple[Instant, Json]]] = {}

    @property
    def me(self) -> BotAccount:
        """Who we are."""
        return self._me

    def set_identity(self, me: BotAccount) -> None:
        """Hear who we are."""
        self._me = me

    def may_be_for_bot(self, update: Json) -> bool:
        """Say whether it is worth asking what is stored: no for what is certainly chatter."""
        try:
            message = _triage(update)
            if isinstance(message, bool):
                return message
            return self._is_addressed_to_bot(message) or self._depends_on_stored(update, message)
        except MALFORMED_ERRORS:
            return True

    def select_for_bot(self, tx: Transaction, updates: Iterable[Json], now: Instant) -> list[Json]:
        """Return the updates that have to be stored, with the items of albums that waited for one of them."""
        self._forget_expired(now)
        found: list[Json] = []
        for update in updates:
            try:
                found += self._select_one(tx, update, found, now)
            except MALFORMED_ERRORS:
                found.append(update)
        return found

    def _select_one(self, tx: Transaction, update: Json, before: list[Json], now: Instant) -> list[Json]:
        message = _triage(update)
        if isinstance(message, bool):
            return [update] if message else []
        if self._is_addressed_to_bot(message) or self._is_about_stored(tx, update, message, before):
            return [*self._release_album(message), update]
        self._hold_album_item(update, message, now)
        return []

    def _is_addressed_to_bot(self, message: Json) -> bool:
        """Say whether a message in a group is meant for us, as far as it shows that by itself."""
        if "migrate_to_chat_id" in message or "migrate_from_chat_id" in message:
            return True
        if not _is_by_group_member(message):
            return False
        command = _COMMAND.match(_text_of(message))
        if command is not None:
            name, whose = command.groups()
            return name.lower() in GROUP_COMMANDS if whose is None else self._is_bot_username(whose)
        if self._is_mentioned(message) and (_is_media(message) or _has_image(_replied_message(message))):
            return True
        return self._is_prompt_in_reply(message) and _has_image(_replied_message(message))

    def _is_about_stored(self, tx: Transaction, update: Json, message: Json, before: list[Json]) -> bool:
        """Say whether it belongs to something that is stored: an album, an edit, or a message that can be edited."""
        chat_id, album = _chat_id(message), message.get("media_group_id")
        if "edited_message" in update:
            number = _message_id(message)
            return tx.request_messages.get(chat_id, number) is not None or tx.inbox.has_waiting(
                chat_id, message_id=number
            )
        if isinstance(album, str):
            return (
                tx.jobs.get_by_album(chat_id, album) is not None
                or tx.inbox.has_waiting(chat_id, album=album)
                or any(_is_in_album(each, chat_id, album) for each in before)
            )
        if self._is_prompt_in_reply(message):
            return tx.outbox.get_job_id(chat_id, _message_id(_replied_message(message))) is not None
        return False

    def _depends_on_stored(self, update: Json, message: Json) -> bool:
        """Say whether what is stored decides about it."""
        return "edited_message" in update or "media_group_id" in message or self._is_prompt_in_reply(message)

    def _is_prompt_in_reply(self, message: Json) -> bool:
        """Say whether it replies to us with words; a laugh or a command to others is none, as an edit costs money."""
        by_us = _sender(_replied_message(message)).get("id") == self._me.id
        return by_us and "text" in message and _is_by_group_member(message) and _is_prompt(_text_of(message))

    def _is_mentioned(self, message: Json) -> bool:
        found: list[Any] = message.get("entities") or message.get("caption_entities") or []
        return any(self._is_bot_mention(message, entity) for entity in found if isinstance(entity, dict))

    def _is_bot_mention(self, message: Json, entity: Json) -> bool:
        if entity.get("type") == "text_mention":
            return bool(entity.get("user", {}).get("id") == self._me.id)
        if entity.get("type") != "mention":
            return False
        units = _text_of(message).encode("utf-16-le")  # in which entities are counted
        start = 2 * int(entity["offset"])
        name = units[start : start + 2 * int(entity["length"])].decode("utf-16-le", "replace")
        return self._is_bot_username(name.removeprefix("@"))

    def _is_bot_username(self, name: str) -> bool:
        return name.casefold() == self._me.username.casefold()

    def _hold_album_item(self, update: Json, message: Json, now: Instant) -> None:
        album = message.get("media_group_id")
        if (
            isinstance(album, str)
            and "message" in update
            and sum(map(len, self._held_album_items.values())) < MAX_HELD_ALBUM_ITEMS
        ):
            self._held_album_items.setdefault((_chat_id(message), album), []).append((now, update))

    def _release_album(self, message: Json) -> list[Json]:
        album = (_chat_id(message), str(message.get("media_group_id")))
        return [update for _, update in self._held_album_items.pop(album, [])]

    def _forget_expired(self, now: Instant) -> None:
        oldest = add_seconds(now, -MAX_ALBUM_SECONDS)
        self._held_album_items = {
            album: items for album, items in self._held_album_items.items() if items[-1][0] >= oldest
        }


def _triage(update: Json) -> bool | Json:
    """Return a message of a group, which may be chatter; else whether the update is stored."""
    if "callback_query" in update:
        return _chat_type(update["callback_query"].get("message")) != "channel"
    kind = next((each for each in HANDLED_UPDATES if each in update), None)
    if kind is None or _chat_type(update[kind]) == "channel":
        return False
    message: Json = update[kind]
    return message if kind in MESSAGE_UPDATES and _chat_type(message) in ("group", "supergroup") else True


def _chat_type(event: Json | None) -> object:
    return None if event is None else event.get("chat", {}).get("type")


def _is_by_group_member(message: Json) -> bool:
    """Say whether somebody wrote it here: neither another bot, nor the channel that the group belongs to."""
    is_bot = _sender(message).get("is_bot", False)
    return not message.get("is_automatic_forward") and (not is_bot or "sender_chat" in message)


def _is_prompt(words: str) -> bool:
    return _COMMAND.match(words) is None and any(char.isalnum() for char in words)


def _is_in_album(update: Json, chat_id: int, album: str) -> bool:
    message = update.get("message", {})
    return _chat_id(message) == chat_id and message.get("media_group_id") == album


def _is_media(message: Json) -> bool:
    return "text" not in message


def _has_image(message: Json) -> bool:
    return "photo" in message or "document" in message


def _replied_message(message: Json) -> Json:
    """Return the message that one replies to, as far as it is shown."""
    shown: Json = message.get("reply_to_message") or message.get("external_reply") or {}
    return shown


def _sender(message: Json) -> Json:
    sender: Json = message.get("from", {})
    return sender


def _text_of(message: Json) -> str:
    words = message.get("text", message.get("caption", ""))
    return words if isinstance(words, str) else ""


def _chat_id(message: Json) -> int:
    return int(message.get("chat", {}).get("id", 0))


def _message_id(message: Json) -> int:
    return int(message.get("message_id", 0))
