"""Menus: messages of ours with buttons to choose from, that change as somebody presses."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from bot.clock import Instant
from bot.store import DELETE_BATCH_SIZE
from bot.store.events import DomainEvent
from bot.store.outbox import MessageDraft, MessageKind, Outbox, OutboxMessage, read_outbox_message


@dataclass(frozen=True)
class Menu:
    """What a menu says, and its buttons: a label and what stands behind it."""

    text: str
    buttons: Sequence[tuple[str, str]]

    def serialize(self) -> str:
        """Return it as a row keeps it."""
        return json.dumps([self.text, self.buttons], ensure_ascii=False)


def parse_menu(body: str) -> Menu:
    """Return what a row keeps."""
    text, buttons = json.loads(body)
    return Menu(text, [(label, data) for label, data in buttons])


class Menus:
    """The menu of each chat that has one: the one that was asked for last."""

    def __init__(self, db: sqlite3.Connection, facts: list[DomainEvent]) -> None:
        self._db = db
        self._outbox = Outbox(db, facts)

    def open(self, say: MessageDraft, now: Instant) -> None:
        """Send a menu, and take away the one that the chat had."""
        if self._outbox.add(say, now):
            self._db.execute(
                "UPDATE outbox SET is_to_be_deleted = 1, revision = revision + 1, due_at = ?"
                " WHERE chat_id = ? AND kind = ? AND ended_at IS NULL AND is_to_be_deleted = 0 AND key <> ?",
                (now, say.chat_id, MessageKind.MENU, say.key),
            )

    def has_pending(self, chat_id: int, what: str) -> bool:
        """Say whether a menu whose key begins with `what` is still to be sent to a chat."""
        row = self._db.execute(
            "SELECT 1 FROM outbox WHERE chat_id = ? AND kind = ? AND ended_at IS NULL AND is_to_be_deleted = 0"
            " AND message_id IS NULL AND key GLOB ? || ':*'",
            (chat_id, MessageKind.MENU, what),
        ).fetchone()
        return row is not None

    def get(self, chat_id: int, message_id: int, *, is_offered: bool) -> OutboxMessage | None:
        """Return the menu that a message is, if it still serves.

        Somebody may press before the answer to its sending is here: then it is known by what was pressed, where
        Telegram shows that the message offers it, and by being newer than the command.
        """
        row = self._db.execute(
            "SELECT * FROM outbox WHERE chat_id = ?1 AND kind = ?2 AND ended_at IS NULL AND is_to_be_deleted = 0"
            " AND (message_id = ?3 OR ?4 AND message_id IS NULL AND reply_to < ?3)",
            (chat_id, MessageKind.MENU, message_id, is_offered),
        ).fetchone()
        return None if row is None else read_outbox_message(row)

    def queue_deletion(self, parcel: OutboxMessage, now: Instant) -> None:
        """Let the message be deleted."""
        self._db.execute(
            "UPDATE outbox SET is_to_be_deleted = 1, revision = revision + 1, due_at = ? WHERE id = ?", (now, parcel.id)
        )

    def delete_expired(self, shown_before: Instant) -> bool:
        """Forget some menus that nobody has pressed since a moment: their buttons are too old from then on.

        Returns whether there may be more.
        """
        forgotten = self._db.execute(
            f"DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE kind = '{MessageKind.MENU}'"  # noqa: S608 - no data in it
            " AND ended_at IS NULL AND coalesce(shown_at, written_at) < ? LIMIT ?)",
            (shown_before, DELETE_BATCH_SIZE),
        )
        return forgotten.rowcount == DELETE_BATCH_SIZE

    def set_content(self, parcel: OutboxMessage, menu: Menu, now: Instant) -> None:
        """Let the message show something else."""
        self._db.execute(
            "UPDATE outbox SET body = ?, revision = revision + 1, due_at = ? WHERE id = ?",
            (menu.serialize(), now, parcel.id),
        )
