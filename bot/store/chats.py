"""Chats: their preferences, and what is known about a group.

A private chat has the user's id, so preferences of users and of groups are stored alike.
"""

import json
import sqlite3
from collections.abc import Iterable
from enum import StrEnum

from bot.clock import Instant
from bot.edit_options import DEFAULT_OPTIONS, AnswerAs, AspectRatio, EditOptions, ResultFormat
from bot.store.base_table import DELETE_BATCH_SIZE, Table


class Preference(StrEnum):
    """What can be chosen for a chat; the values are column names."""

    FORMAT = "format"
    ASPECT_RATIO = "aspect_ratio"
    ANSWER_AS = "answer_as"
    #: NULL for the language of the user's app
    LANGUAGE = "language"


#: Columns that a group keeps when it becomes a supergroup.
MIGRATED_COLUMNS = (*Preference, "greeted_at")


def greeting_key(chat_id: int) -> str:
    """Return the outbox key of a group's greeting."""
    return f"hello:{chat_id}"


class Chats(Table):
    """Chats by their Telegram id."""

    def set_preference(self, chat_id: int, preference: Preference, value: str | None) -> None:
        """Store a preference of a chat."""
        self._set(chat_id, preference, value)

    def get_edit_options(self, chat_id: int) -> EditOptions:
        """Return the edit options chosen in a chat, with defaults for the others."""
        row = self._get_row(chat_id)
        if row is None:
            return DEFAULT_OPTIONS
        return EditOptions(
            ResultFormat(row["format"] or DEFAULT_OPTIONS.format),
            AspectRatio(row["aspect_ratio"] or DEFAULT_OPTIONS.aspect_ratio),
            AnswerAs(row["answer_as"] or DEFAULT_OPTIONS.answer_as),
        )

    def get_language(self, chat_id: int) -> str | None:
        """Return the language chosen in a chat, None for that of the user's app."""
        row = self._get_row(chat_id)
        return None if row is None else row["language"]

    def mark_greeted(self, chat_id: int, now: Instant) -> bool:
        """Record that a group is greeted; return False if it was greeted before."""
        if self.is_greeted(chat_id):
            return False
        self._set(chat_id, "greeted_at", now)
        return True

    def is_greeted(self, chat_id: int) -> bool:
        """Say whether a group was greeted."""
        return self._get_int(chat_id, "greeted_at") is not None

    def get_added_by(self, chat_id: int) -> int | None:
        """Return the user who added the bot to a group, None if unknown."""
        return self._get_int(chat_id, "added_by")

    def set_added_by(self, chat_id: int, user_id: int) -> None:
        """Store who added the bot to a group, unless a supergroup has that from the former group."""
        if self.get_former_id(chat_id) is None or self.get_added_by(chat_id) is None:
            self._set(chat_id, "added_by", user_id)

    def clear_added_by(self, chat_id: int) -> None:
        """Forget who added the bot to a group, because it is no longer a member."""
        self._set(chat_id, "added_by", None)

    def is_known(self, chat_id: int) -> bool:
        """Say whether anything is stored about a chat."""
        return self._get_row(chat_id) is not None

    def receives_all_messages(self, chat_id: int) -> bool:
        """Say whether Telegram sends the bot every message there because it is an administrator."""
        return bool(self._get_int(chat_id, "receives_all_messages"))

    def set_receives_all_messages(self, chat_id: int, *, receives_all: bool) -> None:
        """Store whether the bot is an administrator of a group."""
        self._set(chat_id, "receives_all_messages", int(receives_all))

    def get_former_id(self, chat_id: int) -> int | None:
        """Return the id that a supergroup had as a group, if it was one."""
        return self._get_int(chat_id, "former_id")

    def get_admins(self, chat_id: int, known_since: Instant) -> frozenset[int] | None:
        """Return the ids of a group's administrators, None if they were looked up before `known_since` or never."""
        row = self._get_row(chat_id)
        if row is None or row["admins_known_at"] is None or row["admins_known_at"] < known_since:
            return None
        return frozenset(json.loads(row["admins"]))

    def request_admins(self, chat_id: int, now: Instant) -> None:
        """Request a lookup of a group's administrators, if none is pending."""
        self._change(
            "INSERT INTO chats (chat_id, admins_due_at) VALUES (?1, ?2)"
            " ON CONFLICT DO UPDATE SET admins_due_at = coalesce(admins_due_at, ?2)",
            (chat_id, now),
        )

    def list_admins_due(self, now: Instant, limit: int) -> list[int]:
        """Return the groups whose administrators are due to be looked up."""
        sql = "SELECT chat_id FROM chats WHERE admins_due_at <= ? ORDER BY admins_due_at LIMIT ?"
        return self._ints(sql, (now, limit))

    def next_admins_due_at(self, now: Instant) -> Instant | None:
        """Return the first moment after `now` at which an administrator lookup is due."""
        return self._int("SELECT min(admins_due_at) FROM chats WHERE admins_due_at > ?", (now,))

    def get_admins_tries(self, chat_id: int) -> int:
        """Return how many lookups of a group's administrators have failed in a row."""
        return self._get_int(chat_id, "admins_tries") or 0

    def postpone_admins(self, chat_id: int, due_at: Instant) -> None:
        """Count a failed lookup of a group's administrators, and repeat it at `due_at`."""
        self._change(
            "UPDATE chats SET admins_due_at = ?, admins_tries = admins_tries + 1 WHERE chat_id = ?", (due_at, chat_id)
        )

    def set_admins(self, chat_id: int, ids: Iterable[int], now: Instant) -> None:
        """Store who the administrators of a group are."""
        self._change(
            "UPDATE chats SET admins = ?, admins_known_at = ?, admins_due_at = NULL, admins_tries = 0"
            " WHERE chat_id = ?",
            (json.dumps(sorted(ids)), now, chat_id),
        )

    def cancel_admins_request(self, chat_id: int) -> None:
        """Cancel the lookup of a group's administrators, because no update needs it any more."""
        self._change("UPDATE chats SET admins_due_at = NULL, admins_tries = 0 WHERE chat_id = ?", (chat_id,))

    def delete_old_admins(self, known_before: Instant) -> bool:
        """Delete some administrator lists older than `known_before`; return whether there may be more."""
        changed = self._change(
            "UPDATE chats SET admins = NULL, admins_known_at = NULL"
            " WHERE chat_id IN (SELECT chat_id FROM chats WHERE admins_known_at < ? LIMIT ?)",
            (known_before, DELETE_BATCH_SIZE),
        )
        return changed == DELETE_BATCH_SIZE

    def migrate_chat(self, old_id: int, new_id: int) -> None:
        """Merge what is stored about a group into the supergroup that it became."""
        self._set(new_id, "former_id", old_id)
        kept = ", ".join(f"{column} = coalesce(chats.{column}, old.{column})" for column in MIGRATED_COLUMNS)
        self._change(
            f"UPDATE chats SET {kept},"
            " receives_all_messages = max(chats.receives_all_messages, old.receives_all_messages),"
            " added_by = coalesce(old.added_by, chats.added_by)"
            " FROM chats AS old WHERE chats.chat_id = ? AND old.chat_id = ?",
            (new_id, old_id),
        )
        self._change("DELETE FROM chats WHERE chat_id = ?", (old_id,))

    def _get_row(self, chat_id: int) -> sqlite3.Row | None:
        return self._row("SELECT * FROM chats WHERE chat_id = ?", (chat_id,))

    def _get_int(self, chat_id: int, column: str) -> int | None:
        row = self._get_row(chat_id)
        return None if row is None else row[column]

    def _set(self, chat_id: int, column: str, value: str | int | None) -> None:
        self._change(
            f"INSERT INTO chats (chat_id, {column}) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET {column} = ?2",
            (chat_id, value),
        )
