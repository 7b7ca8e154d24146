"""What every column of the database is about, and how it goes: a column that is not here fails a test.

Ask of a new one: could it lead to a person, or hold their words, or where their picture is? Then say by
what it is erased, and let `bot/store/erasure.py` do so.
"""

from collections.abc import Mapping
from enum import StrEnum


class ColumnClass(StrEnum):
    """How what a column holds goes."""

    #: leads to nobody: a number, a moment, a word of ours
    NOT_PERSONAL = "nobody's"
    #: erased by /delete, and when its days are over
    ERASED = "erased"
    #: somebody's choice, erased by /delete
    PREFERENCE = "chosen"
    #: what an admin has decided about somebody; it stays
    ADMIN_DECISION = "decided"
    #: how much somebody asked for on a day; /delete must not begin it anew, and it is forgotten two days later
    DAILY_USAGE = "counted"


_N, _E, _C, _D = ColumnClass.NOT_PERSONAL, ColumnClass.ERASED, ColumnClass.PREFERENCE, ColumnClass.ADMIN_DECISION

#: By table and column.
COLUMN_CLASSES: Mapping[str, Mapping[str, ColumnClass]] = {
    "inbox": {"update_id": _N, "body": _E, "received_at": _N, "handled_at": _N, "fault": _N, "awaits": _N, "tries": _N,
              "turn": _N},
    "jobs": {
        "id": _N, "state": _N, "chat_id": _E, "user_id": _E, "charged_to": _E, "message_id": _E, "thread_id": _E,
        "prompt": _E, "due_at": _N, "received_at": _N, "queued_at": _N, "submitted_at": _N, "asked_at": _N,
        "overdue_at": _N, "finished_at": _N, "answering_at": _N, "answered_at": _N, "answer_deleted_at": _N,
        "erased_at": _N, "task_id": _N,
        "tries": _N, "rejections": _N, "reorders": _N, "reason": _N, "result_url": _E, "credits": _N, "album": _E,
        "closes_by": _N, "took": _N, "language": _E, "format": _N, "shape": _N, "answer_as": _N, "variation_of": _N,
        "counted_on": _N, "counted_for_all": _N, "erase_when_ended": _N, "unread_result": _E, "unfetched_at": _N,
    },
    "sources": dict.fromkeys(
        ("job_id", "place", "file_id", "file_unique_id", "is_photo", "size", "upload_url", "uploaded_at", "full_url"),
        _E,
    ),
    "parts": dict.fromkeys(("chat_id", "message_id", "job_id", "words", "kind"), _E),
    "line": dict.fromkeys(
        ("job_id", "chat_id", "turn", "place", "is_ready", "conversion_turn", "due_at", "told"), _E
    ),
    "lanes": dict.fromkeys(("chat_id", "user_id", "last"), _E),
    "line_clock": {"only": _N, "turn": _N},
    "owner": {"only": _N, "bot_id": _N, "menus": _N},
    "attempts": dict.fromkeys(
        ("id", "job_id", "reference", "started_at", "ended_at", "outcome", "task_id", "cost"), _N
    ),
    "outbox": dict.fromkeys(
        ("id", "key", "kind", "chat_id", "thread_id", "reply_to", "body", "press_id", "job_id", "is_answer",
         "is_asked_for", "written_at", "due_at", "tries", "in_doubt", "ended_at", "ending", "message_id", "shown",
         "shown_at", "touched", "is_over", "instead_of"), _E,
    ),
    # follows the outbox, as long as something waits there
    "chat_queues": dict.fromkeys(("chat_id", "lane", "due_at", "served_at"), _E),
    "job_counts": dict.fromkeys(("state", "jobs"), _N),
    # for as long as it takes to erase all the rest
    "erasures": dict.fromkeys(("user_id", "asked_at", "last_job"), _E),
    "standings": dict.fromkeys(("id", "standing", "decided_by", "decided_at"), _D),
    "counts": dict.fromkeys(("day", "whose", "id", "edits", "forgiven"), ColumnClass.DAILY_USAGE),
    "spending": dict.fromkeys(("day", "credits"), _N),
    "account": dict.fromkeys(("only", "balance", "asked_at", "due_at", "low_since"), _N),
    "breakers": dict.fromkeys(("name", "since", "until", "trips", "probed"), _N),
    # the language of admins, for as long as they are
    "people": {"user_id": _C, "language": _C},
    # the chat of a person has the person's id; that of a group is nobody's
    "chats": {
        "chat_id": _C, "language": _C, "format": _C, "shape": _C, "answer_as": _C, "greeted_at": _N, "former_id": _N,
        "hears_all": _N, "admins": _E, "admins_known_at": _E, "admins_due_at": _N, "admins_tries": _N,
        # who added the bot to a group; of those whom an admin has shut out it stays like that decision
        "placed_by": _C,
    },
}  # fmt: skip
