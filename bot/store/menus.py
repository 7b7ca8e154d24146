"""Menus: messages with buttons, which are edited when a button is pressed."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from bot.clock import Instant
from bot.store.base_table import DELETE_BATCH_SIZE, Table
from bot.store.domain_events import DomainEvent
from bot.store.outbox import MessageDraft, MessageKind, Outbox, OutboxMessage, read_outbox_message


@dataclass(frozen=True)
class Menu:
    """The text of a menu, and its buttons: a label and the callback data of each."""

    text: str
    buttons: Sequence[tuple[str, str]]

    def serialize(self) -> str:
        """Return the menu as JSON, as the outbox stores it."""
        return json.dumps([self.text, self.buttons], ensure_ascii=False)


def parse_menu(body: str) -> Menu:
    """Return the menu that the outbox stores."""
    text, buttons = json.loads(body)
    return Menu(text, [(label, data) for label, data in buttons])


_OPEN = "ended_at IS NULL AND is_to_be_deleted = 0"
_DELETE = "UPDATE outbox SET is_to_be_deleted = 1, revision = revision + 1, due_at = ?"


class Menus(Table):
    """The open menus, at most one per chat."""

    def __init__(self, db: sqlite3.Connection, events: list[DomainEvent]) -> None:
        super().__init__(db)
        self._outbox = Outbox(db, events)

    def open(self, draft: MessageDraft, now: Instant) -> None:
        """Send a menu, and delete the previous one of the chat."""
        if self._outbox.add(draft, now):
            where = f"WHERE chat_id = ? AND kind = ? AND {_OPEN} AND key <> ?"
            self._change(f"{_DELETE} {where}", (now, draft.chat_id, MessageKind.MENU, draft.key))

    def has_pending(self, chat_id: int, prefix: str) -> bool:
        """Say whether a menu whose key begins with `prefix` is yet to be sent to a chat."""
        return self._exists(
            f"SELECT 1 FROM outbox WHERE chat_id = ? AND kind = ? AND {_OPEN}"
            " AND message_id IS NULL AND key GLOB ? || '*'",
            (chat_id, MessageKind.MENU, prefix),
        )

    def get(self, chat_id: int, message_id: int, *, is_offered: bool) -> OutboxMessage | None:
        """Return the open menu in a message, None if there is none.

        A user may press a button before Telegram's response to the send arrives. The menu then has no message id yet,
        and is recognised if the message has the pressed button (`is_offered`) and is newer than the command.
        """
        row = self._row(
            f"SELECT * FROM outbox WHERE chat_id = ?1 AND kind = ?2 AND {_OPEN}"
            " AND (message_id = ?3 OR ?4 AND message_id IS NULL AND reply_to < ?3)",
            (chat_id, MessageKind.MENU, message_id, is_offered),
        )
        return None if row is None else read_outbox_message(row)

    def queue_deletion(self, menu: OutboxMessage, now: Instant) -> None:
        """Delete a menu from its chat."""
        self._change(f"{_DELETE} WHERE id = ?", (now, menu.id))

    def delete_expired(self, shown_before: Instant) -> bool:
        """Delete some menus that were last sent or edited before a moment; their buttons have then expired.

        Their messages stay. Returns whether there may be more.
        """
        deleted = self._change(
            f"DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE kind = '{MessageKind.MENU}'"
            " AND ended_at IS NULL AND coalesce(shown_at, written_at) < ? LIMIT ?)",
            (shown_before, DELETE_BATCH_SIZE),
        )
        return deleted == DELETE_BATCH_SIZE

    def set_content(self, message: OutboxMessage, menu: Menu, now: Instant) -> None:
        """Replace the content of a menu's message."""
        self._change(
            "UPDATE outbox SET body = ?, revision = revision + 1, due_at = ? WHERE id = ?",
            (menu.serialize(), now, message.id),
        )
