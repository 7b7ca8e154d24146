"""Decides, before anything is stored, whether an update is meant for the bot.

What members of a group say to each other is never stored. There the bot is addressed by a command, by a mention on an
image or in reply to one, and by a reply to its messages about an edit. In an album only one item addresses the bot, so
the items before it are held in memory for as long as an album may take. A malformed update is stored for an operator to
inspect.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bot.clock import Instant, add_seconds
from bot.handlers.update_parser import parse_update
from bot.handlers.update_types import GroupMessage, GroupMigrated, ParsedUpdate, UpdateOrigin
from bot.job import MAX_ALBUM_SECONDS
from bot.store.database import Transaction
from bot.telegram.client import BotAccount

#: Commands that the bot accepts in a group even if they do not name it.
GROUP_COMMANDS = ("edit", "cancel", "status", "settings", "help", "privacy", "start", "usage")

#: Album items held in memory at most, about 4 kB each. Beyond that, an album begins with the item that addresses the
#: bot.
MAX_HELD_ALBUM_ITEMS = 1000


@dataclass(frozen=True)
class ReceivedUpdate:
    """An update as received, and parsed; `parsed` is None when it is malformed."""

    raw: dict[str, Any]
    parsed: ParsedUpdate | None

    @property
    def update_id(self) -> int:
        """The id that Telegram gave it."""
        return int(self.raw["update_id"])


class UpdateFilter:
    """Selects the updates that are meant for the bot; needs `set_identity` first."""

    def __init__(self) -> None:
        self.me = BotAccount(0, "")
        self._held_album_items: dict[tuple[int, str], list[tuple[Instant, ReceivedUpdate]]] = {}

    def set_identity(self, me: BotAccount) -> None:
        """Set the bot's own account."""
        self.me = me

    def parse_candidate(self, raw: dict[str, Any]) -> ReceivedUpdate | None:
        """Parse an update; return None when it cannot be meant for the bot, whatever is stored."""
        try:
            parsed = parse_update(raw, self.me)
        except ValueError:
            return ReceivedUpdate(raw, None)
        if parsed is None:
            return None
        message = parsed.group_message
        may_be_stored = message is None or _is_addressed(parsed, message) or _depends_on_stored(message)
        return ReceivedUpdate(raw, parsed) if may_be_stored else None

    def select_for_bot(
        self, tx: Transaction, candidates: Iterable[ReceivedUpdate], now: Instant
    ) -> list[ReceivedUpdate]:
        """Return the updates to store, with the held items of their albums."""
        self._forget_expired(now)
        selected: list[ReceivedUpdate] = []
        for update in candidates:
            parsed = update.parsed
            message = None if parsed is None else parsed.group_message
            if parsed is None or message is None:
                selected.append(update)
            elif _is_addressed(parsed, message) or _belongs_to_stored(tx, parsed.origin, message, selected):
                held = self._held_album_items.pop((parsed.origin.chat_id, message.media_group_id or ""), [])
                selected += [*(item for _, item in held), update]
            elif message.media_group_id is not None and not message.is_edited:
                self._hold_album_item((parsed.origin.chat_id, message.media_group_id), update, now)
        return selected

    def _hold_album_item(self, album: tuple[int, str], update: ReceivedUpdate, now: Instant) -> None:
        if sum(map(len, self._held_album_items.values())) < MAX_HELD_ALBUM_ITEMS:
            self._held_album_items.setdefault(album, []).append((now, update))

    def _forget_expired(self, now: Instant) -> None:
        oldest = add_seconds(now, -MAX_ALBUM_SECONDS)
        self._held_album_items = {
            album: items for album, items in self._held_album_items.items() if items[-1][0] >= oldest
        }


def _is_addressed(update: ParsedUpdate, message: GroupMessage) -> bool:
    """Return whether a message in a group is meant for the bot, judging by that message alone."""
    if isinstance(update.content, GroupMigrated):
        return True
    if not message.is_from_member:
        return False
    if message.command is not None:
        return message.command in GROUP_COMMANDS if message.is_command_for_bot is None else message.is_command_for_bot
    if message.mentions_bot and (message.is_media or message.is_reply_to_media):
        return True
    return message.prompt_for is not None and message.is_reply_to_media


def _depends_on_stored(message: GroupMessage) -> bool:
    is_prompt = message.is_from_member and message.prompt_for is not None
    return message.is_edited or message.media_group_id is not None or is_prompt


def _belongs_to_stored(
    tx: Transaction, origin: UpdateOrigin, message: GroupMessage, selected: Iterable[ReceivedUpdate]
) -> bool:
    """Return whether a message belongs to an album or edit that is stored or about to be."""
    chat_id, album = origin.chat_id, message.media_group_id
    if message.is_edited:
        return (
            tx.request_messages.get(chat_id, origin.message_id) is not None
            or tx.inbox.has_waiting(chat_id, message_id=origin.message_id)
            or any(each.message_id == origin.message_id for each, _ in _new_messages(selected, chat_id))
        )
    if album is not None:
        return (
            tx.jobs.get_by_album(chat_id, album) is not None
            or tx.inbox.has_waiting(chat_id, album=album)
            or any(each.media_group_id == album for _, each in _new_messages(selected, chat_id))
        )
    if message.is_from_member and message.prompt_for is not None:
        return tx.outbox.get_job_id(chat_id, message.prompt_for) is not None
    return False


def _new_messages(updates: Iterable[ReceivedUpdate], chat_id: int) -> Iterator[tuple[UpdateOrigin, GroupMessage]]:
    for parsed in (update.parsed for update in updates):
        message = None if parsed is None else parsed.group_message
        if parsed is not None and message is not None and parsed.origin.chat_id == chat_id and not message.is_edited:
            yield parsed.origin, message
