"""Menus: messages of ours with buttons to choose from, that change as somebody presses."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from bot.job import Instant
from bot.store.batch import BATCH_SIZE
from bot.store.facts import Fact
from bot.store.outbox import Kind, Outbox, Parcel, Say, parcel_of


@dataclass(frozen=True)
class Menu:
    """What a menu says, and its buttons: a label and what stands behind it."""

    text: str
    buttons: Sequence[tuple[str, str]]

    def written(self) -> str:
        """Return it as a row keeps it."""
        return json.dumps([self.text, self.buttons], ensure_ascii=False)


def read_menu(body: str) -> Menu:
    """Return what a row keeps."""
    text, buttons = json.loads(body)
    return Menu(text, [(label, data) for label, data in buttons])


class Menus:
    """The menu of each chat that has one: the one that was asked for last."""

    def __init__(self, db: sqlite3.Connection, facts: list[Fact]) -> None:
        self._db = db
        self._outbox = Outbox(db, facts)

    def open(self, say: Say, now: Instant) -> None:
        """Send a menu, and take away the one that the chat had."""
        if self._outbox.add(say, now):
            self._db.execute(
                "UPDATE outbox SET is_over = 1, touched = touched + 1, due_at = ?"
                " WHERE chat_id = ? AND kind = ? AND ended_at IS NULL AND is_over = 0 AND key <> ?",
                (now, say.chat_id, Kind.MENU, say.key),
            )

    def is_on_its_way(self, chat_id: int, what: str) -> bool:
        """Say whether a menu whose key begins with `what` is still to be sent to a chat."""
        row = self._db.execute(
            "SELECT 1 FROM outbox WHERE chat_id = ? AND kind = ? AND ended_at IS NULL AND is_over = 0"
            " AND message_id IS NULL AND key GLOB ? || ':*'",
            (chat_id, Kind.MENU, what),
        ).fetchone()
        return row is not None

    def of(self, chat_id: int, message_id: int, *, is_offered: bool) -> Parcel | None:
        """Return the menu that a message is, if it still serves.

        Somebody may press before the answer to its sending is here: then it is known by what was pressed, where
        Telegram shows that the message offers it, and by being newer than the command.
        """
        row = self._db.execute(
            "SELECT * FROM outbox WHERE chat_id = ?1 AND kind = ?2 AND ended_at IS NULL AND is_over = 0"
            " AND (message_id = ?3 OR ?4 AND message_id IS NULL AND reply_to < ?3)",
            (chat_id, Kind.MENU, message_id, is_offered),
        ).fetchone()
        return None if row is None else parcel_of(row)

    def over(self, parcel: Parcel, now: Instant) -> None:
        """Let the message be deleted."""
        self._db.execute(
            "UPDATE outbox SET is_over = 1, touched = touched + 1, due_at = ? WHERE id = ?", (now, parcel.id)
        )

    def forget(self, shown_before: Instant) -> bool:
        """Forget some menus that nobody has pressed since a moment: their buttons are too old from then on.

        Returns whether there may be more.
        """
        forgotten = self._db.execute(
            f"DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE kind = '{Kind.MENU}'"  # noqa: S608 - no data in it
            " AND ended_at IS NULL AND coalesce(shown_at, written_at) < ? LIMIT ?)",
            (shown_before, BATCH_SIZE),
        )
        return forgotten.rowcount == BATCH_SIZE

    def turn(self, parcel: Parcel, menu: Menu, now: Instant) -> None:
        """Let the message show something else."""
        self._db.execute(
            "UPDATE outbox SET body = ?, touched = touched + 1, due_at = ? WHERE id = ?",
            (menu.written(), now, parcel.id),
        )
