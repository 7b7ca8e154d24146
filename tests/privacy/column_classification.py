"""Every column of the database, and how its contents are erased; a test fails for a column that is not listed here.

Ask of a new column: could it lead to a user, or hold their text or the address of their image? Then classify it as
erased, and erase it in `bot/store/erasure.py`.
"""

from collections.abc import Mapping
from enum import StrEnum


class ColumnClass(StrEnum):
    """How a column's contents are erased."""

    #: not personal: a number, a time, a constant of ours
    NOT_PERSONAL = "nobody's"
    #: erased by /delete, and after `KEEP_DAYS`
    ERASED = "erased"
    #: a user's preference, erased by /delete
    PREFERENCE = "chosen"
    #: an admin's decision about a user; it stays
    ADMIN_DECISION = "decided"
    #: how many edits a user requested on a day; deleted two days later, and not by /delete, which must not reset quotas
    DAILY_USAGE = "counted"


_N, _E, _C, _D = ColumnClass.NOT_PERSONAL, ColumnClass.ERASED, ColumnClass.PREFERENCE, ColumnClass.ADMIN_DECISION

#: By table and column.
COLUMN_CLASSES: Mapping[str, Mapping[str, ColumnClass]] = {
    "inbox": {
        "update_id": _N, "body": _E, "received_at": _N, "handled_at": _N, "quarantine_reason": _N,
        "waits_for_admins_of": _N, "tries": _N, "queue_turn": _N,
    },
    "jobs": {
        "id": _N, "state": _N, "chat_id": _E, "user_id": _E, "charged_to": _E, "message_id": _E, "thread_id": _E,
        "media_group_id": _E, "prompt": _E, "language": _E, "format": _N, "aspect_ratio": _N, "answer_as": _N,
        "variation_of": _N, "due_at": _N, "received_at": _N, "closes_by": _N, "queued_at": _N, "submitted_at": _N,
        "asked_at": _N, "overdue_at": _N, "finished_at": _N, "download_failing_since": _N, "answering_at": _N,
        "answered_at": _N, "answer_deleted_at": _N, "erased_at": _N, "erase_when_ended": _N, "task_id": _N,
        "tries": _N, "rejections": _N, "reorders": _N, "reason": _N, "result_url": _E, "unparsed_result": _E,
        "kie_duration_ms": _N, "credits": _N, "counted_day": _N, "counted_for_all": _N,
    },
    "source_images": dict.fromkeys(
        ("job_id", "position", "file_id", "file_unique_id", "is_photo", "size", "full_url", "upload_url",
         "uploaded_at"), _E,
    ),
    "request_messages": dict.fromkeys(("chat_id", "message_id", "job_id", "text", "kind"), _E),
    "fair_queue": dict.fromkeys(
        ("job_id", "chat_id", "chat_turn", "user_turn", "is_ready", "conversion_turn", "due_at", "notified_outage"),
        _E,
    ),
    "fair_queue_lanes": dict.fromkeys(("chat_id", "user_id", "last_turn"), _E),
    "fair_queue_clock": dict.fromkeys(("id", "virtual_time"), _N),
    "bot_identity": dict.fromkeys(("id", "bot_id", "command_menus_digest"), _N),
    "attempts": dict.fromkeys(
        ("id", "job_id", "reference", "started_at", "ended_at", "outcome", "task_id", "cost"), _N
    ),
    "outbox": dict.fromkeys(
        ("id", "key", "kind", "chat_id", "thread_id", "reply_to", "body", "callback_query_id", "job_id", "is_answer",
         "is_requested", "replaces", "written_at", "due_at", "tries", "uncertain_sends", "ended_at", "outcome",
         "message_id", "shown", "shown_at", "revision", "is_to_be_deleted"), _E,
    ),
    # a row exists only while the outbox has a message for the chat
    "outbox_lanes": dict.fromkeys(("chat_id", "lane", "due_at", "served_at"), _E),
    "job_counts": dict.fromkeys(("state", "count"), _N),
    # deleted when everything else is erased
    "erasures": dict.fromkeys(("user_id", "asked_at", "last_job_id"), _E),
    "access_rules": dict.fromkeys(("principal_id", "rule", "decided_by", "decided_at"), _D),
    "daily_usage": dict.fromkeys(("day", "scope", "scope_id", "edits", "refunded_failures"), ColumnClass.DAILY_USAGE),
    "daily_spending": dict.fromkeys(("day", "credits"), _N),
    "credit_balance": dict.fromkeys(("id", "balance", "asked_at", "due_at", "low_since"), _N),
    "circuit_breakers": dict.fromkeys(("name", "opened_at", "open_until", "trips", "is_probed"), _N),
    # only the languages of admins are kept
    "users": {"user_id": _C, "language": _C},
    # a private chat has the user's id; that of a group is not personal
    "chats": {
        "chat_id": _C, "language": _C, "format": _C, "aspect_ratio": _C, "answer_as": _C, "greeted_at": _N,
        "former_id": _N, "receives_all_messages": _N, "admins": _E, "admins_known_at": _E, "admins_due_at": _N,
        "admins_tries": _N,
        # who added the bot to a group; if an admin has denied or blocked that user, it stays like the decision
        "added_by": _C,
    },
}  # fmt: skip
