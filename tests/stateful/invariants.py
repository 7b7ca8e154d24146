"""The invariants that must hold at any moment and at the end, by the servers' state and the database.

Every function returns descriptions of the violations.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bot.handlers.replies import REPEAT_WINDOW_MS
from bot.job import TRANSITIONS, State
from bot.pipeline.deliver_image import MAX_UNCERTAIN_SENDS
from bot.sandbox.kie.tasks import LocalKieTask
from bot.sandbox.telegram import TelegramCall
from bot.telegram.buttons import parse_callback_data
from tests.process_harness import KEY, TOKEN
from tests.stateful.crashable_bot import CrashableBot
from tests.stateful.user_actions import MessageKey, UserActions

SEND_METHODS = frozenset({"sendMessage", "sendPhoto", "sendDocument"})

#: the tables that updates change
TABLES = ("jobs", "source_images", "request_messages", "fair_queue", "attempts", "outbox", "users", "chats")

#: how long Telegram keeps an update
UPDATE_LIFETIME_SECONDS = 24 * 3600

#: replaces `:free`: nothing was ordered for a job, or Kie reported no cost
COST_NOTHING = """NOT EXISTS (SELECT 1 FROM attempts WHERE job_id = jobs.id
    AND coalesce(outcome, '') <> 'not_ordered' AND coalesce(cost, 1) > 0)"""

#: violations, each with the query that finds it
_FORBIDDEN_TEMPLATES = {
    "a daily usage count that differs from the counted edits": """
        SELECT daily_usage.scope_id FROM daily_usage WHERE edits <> (SELECT count(*) FROM jobs
            WHERE counted_day = daily_usage.day
            AND CASE scope WHEN 'user' THEN charged_to = daily_usage.scope_id
                WHEN 'chat' THEN counted_for_all AND chat_id = daily_usage.scope_id ELSE counted_for_all END)""",
    "an edit that is uncounted without having failed or been cancelled": """
        SELECT id FROM jobs WHERE state NOT IN ('failed', 'cancelled')
            AND (counted_day IS NULL OR (state <> 'gathering' AND NOT counted_for_all))""",
    "an edit that counts towards the shared quotas without a prompt, or does not with one": """
        SELECT id FROM jobs WHERE state = 'gathering' AND counted_for_all
            <> EXISTS (SELECT 1 FROM request_messages WHERE job_id = jobs.id AND text <> '')""",
    "a refunded edit that may have cost something": """
        SELECT id FROM jobs WHERE state IN ('failed', 'cancelled') AND NOT (:free)
            AND (counted_day IS NULL OR NOT counted_for_all)""",
    "a free failed or cancelled edit that is not refunded": """
        SELECT id FROM jobs WHERE state IN ('failed', 'cancelled') AND :free AND (counted_for_all
            OR (counted_day IS NOT NULL AND (state = 'cancelled' OR EXISTS (SELECT 1 FROM daily_usage
                WHERE day = counted_day AND scope = 'user' AND daily_usage.scope_id = charged_to
                    AND refunded_failures < 3))))""",
    "a day with less spending than its edits cost": """
        SELECT day FROM daily_spending WHERE credits + 0.01 < (SELECT total(credits) FROM jobs
            WHERE finished_at / 86400000 = daily_spending.day)""",
    "total spending that differs from the orders' actual or estimated cost": """
        SELECT spent FROM (SELECT total(credits) AS spent FROM daily_spending) WHERE abs(spent - (
            SELECT total(coalesce(cost, 4)) FROM attempts AS one JOIN jobs ON jobs.id = job_id
            WHERE outcome IN ('accepted', 'uncertain') AND NOT (state IN ('submitting', 'running')
                AND one.id = (SELECT max(id) FROM attempts WHERE job_id = jobs.id)))) > 0.01""",
    "a wrong count of jobs in a state": """
        SELECT state FROM job_counts WHERE count <> (SELECT count(*) FROM jobs WHERE jobs.state = job_counts.state)
        UNION SELECT state FROM jobs WHERE state NOT IN (SELECT state FROM job_counts)""",
    "an outbox lane with a wrong due time": """
        SELECT chat_id, lane, due_at FROM outbox_lanes EXCEPT
            SELECT chat_id, lane, min(due_at) FROM outbox WHERE due_at IS NOT NULL GROUP BY 1, 2""",
    "a due message without an outbox lane": """
        SELECT chat_id, lane, min(due_at) FROM outbox WHERE due_at IS NOT NULL GROUP BY 1, 2 EXCEPT
            SELECT chat_id, lane, due_at FROM outbox_lanes""",
    "a queued job whose due times differ": """
        SELECT job_id FROM fair_queue JOIN jobs ON jobs.id = job_id WHERE fair_queue.due_at <> jobs.due_at
            OR (fair_queue.due_at IS NOT NULL) > (jobs.due_at IS NOT NULL)""",
    "a queued job missing from the fair queue, or another job in it": """
        SELECT id FROM jobs WHERE (state = 'queued') <> EXISTS (SELECT 1 FROM fair_queue WHERE job_id = jobs.id)""",
    "a gathering job that is never due, or has later milestones": """
        SELECT id FROM jobs WHERE state = 'gathering' AND (due_at IS NULL OR coalesce(
            queued_at, submitted_at, asked_at, finished_at, answering_at, answered_at, task_id, reason, result_url
        ) IS NOT NULL)""",
    "a queued job that is incomplete, or has a task": """
        SELECT id FROM jobs WHERE state = 'queued' AND (queued_at IS NULL OR prompt = '' OR coalesce(
            closes_by, submitted_at, asked_at, overdue_at, finished_at, answering_at, answered_at, task_id
        ) IS NOT NULL)""",
    "a complete job without an image": """
        SELECT id FROM jobs WHERE state NOT IN ('gathering', 'cancelled')
            AND NOT EXISTS (SELECT 1 FROM source_images WHERE job_id = jobs.id)""",
    "a submitting job without a call in progress or a question": """
        SELECT id FROM jobs WHERE state = 'submitting' AND (submitted_at IS NULL
            OR (asked_at IS NULL) <> (due_at IS NULL)
            OR (asked_at IS NULL) <> EXISTS (SELECT 1 FROM attempts WHERE job_id = jobs.id AND ended_at IS NULL)
            OR coalesce(task_id, finished_at, answering_at, answered_at) IS NOT NULL)""",
    "a running job without an accepted order of its task": """
        SELECT id FROM jobs WHERE state = 'running' AND (submitted_at IS NULL OR due_at IS NOT NULL OR
            coalesce(finished_at, answering_at, answered_at) IS NOT NULL OR NOT EXISTS (SELECT 1 FROM attempts
                WHERE job_id = jobs.id AND outcome = 'accepted' AND attempts.task_id = jobs.task_id))""",
    "a finished job that is still due": """
        SELECT id FROM jobs WHERE state IN ('succeeded', 'failed', 'cancelled')
            AND (finished_at IS NULL OR due_at IS NOT NULL)""",
    "an unfinished job with finished_at": """
        SELECT id FROM jobs WHERE state NOT IN ('succeeded', 'failed', 'cancelled') AND finished_at IS NOT NULL""",
    "a success without a result URL, or with a reason": """
        SELECT id FROM jobs WHERE state = 'succeeded' AND ((result_url IS NULL) <> (answer_deleted_at IS NOT NULL)
            OR reason IS NOT NULL)""",
    "a deleted answer that is still to be sent": """
        SELECT jobs.id FROM jobs JOIN outbox ON job_id = jobs.id WHERE answer_deleted_at IS NOT NULL
            AND ended_at IS NULL AND kind IN ('image', 'file')""",
    "a failure without a reason": """
        SELECT id FROM jobs WHERE state = 'failed' AND reason IS NULL""",
    "an answer to an unfinished or cancelled job": """
        SELECT id FROM jobs WHERE answered_at IS NOT NULL AND state NOT IN ('succeeded', 'failed')""",
    "a job with none or several answers": """
        SELECT id FROM jobs WHERE (SELECT count(*) FROM outbox WHERE job_id = jobs.id AND is_answer)
            <> (state = 'succeeded' OR (state = 'failed' AND reason <> 'doubt'))""",
    "answered_at that contradicts the answer's outcome": """
        SELECT id FROM jobs WHERE coalesce(reason, '') <> 'doubt' AND (answered_at IS NOT NULL) <>
            EXISTS (SELECT 1 FROM outbox WHERE job_id = jobs.id AND is_answer AND outcome = 'sent')""",
    "a sent picture without answering_at": """
        SELECT jobs.id FROM jobs JOIN outbox ON job_id = jobs.id AND is_answer AND kind = 'image'
            WHERE outcome = 'sent' AND answering_at IS NULL""",
    "an ended attempt without an outcome, or an accepted one without a task": """
        SELECT id FROM attempts WHERE (ended_at IS NULL) <> (outcome IS NULL)
            OR (coalesce(outcome, '') = 'accepted') <> (task_id IS NOT NULL)""",
    "a task of two attempts": """
        SELECT task_id FROM attempts WHERE task_id IS NOT NULL GROUP BY task_id HAVING count(*) > 1""",
    "an ended message that is due, or an unsent one that never will be": """
        SELECT id FROM outbox WHERE (ended_at IS NULL) <> (outcome IS NULL)
            OR (ended_at IS NOT NULL AND due_at IS NOT NULL)
            OR (ended_at IS NULL AND due_at IS NULL AND (kind NOT IN ('progress_message', 'menu')
                OR is_to_be_deleted))""",
    "a job with two progress messages": """
        SELECT job_id FROM outbox WHERE kind = 'progress_message' AND ended_at IS NULL AND NOT is_to_be_deleted
            GROUP BY job_id HAVING count(*) > 1""",
    "an answered job with a progress message": """
        SELECT jobs.id FROM jobs JOIN outbox ON job_id = jobs.id WHERE kind = 'progress_message' AND ended_at IS NULL
            AND NOT is_to_be_deleted AND answered_at IS NOT NULL AND coalesce(reason, '') <> 'doubt'""",
    "an update that was quarantined, or whose body was kept": """
        SELECT update_id FROM inbox WHERE quarantine_reason IS NOT NULL OR (handled_at IS NOT NULL
            AND body IS NOT NULL)""",
    "a request without a message": """
        SELECT id FROM jobs WHERE variation_of IS NULL AND NOT EXISTS (SELECT 1 FROM request_messages
            WHERE job_id = jobs.id)""",
}

FORBIDDEN = {description: query.replace(":free", COST_NOTHING) for description, query in _FORBIDDEN_TEMPLATES.items()}

#: violations while a bot is running and idle
FORBIDDEN_WHILE_RUNNING = {
    "an order in progress": """
        SELECT id FROM attempts WHERE ended_at IS NULL""",
}

#: violations unless the clock was changed
FORBIDDEN_WITH_STEADY_CLOCK = {
    "milestones in the wrong order": """
        SELECT id FROM jobs WHERE received_at > coalesce(queued_at, received_at) OR queued_at > submitted_at
            OR submitted_at > finished_at OR coalesce(queued_at, received_at) > finished_at
            OR finished_at > answering_at OR coalesce(answering_at, finished_at) > answered_at""",
}

#: violations at the end
FORBIDDEN_AT_THE_END = {
    "an unfinished job": """
        SELECT id FROM jobs WHERE state NOT IN ('succeeded', 'failed', 'cancelled')""",
    "an unsent message": """
        SELECT id FROM outbox WHERE ended_at IS NULL""",
    "an unhandled update": """
        SELECT update_id FROM inbox WHERE handled_at IS NULL""",
}

#: unanswered jobs, with the outcome of their answer
UNANSWERED_JOBS = """
    SELECT jobs.id, jobs.chat_id, jobs.message_id, coalesce(outbox.outcome, '') AS outcome
        FROM jobs LEFT JOIN outbox ON job_id = jobs.id AND is_answer
        WHERE state <> 'cancelled' AND answered_at IS NULL"""


@dataclass(frozen=True)
class DatabaseSnapshot:
    """The database while nothing is in progress."""

    states: Mapping[int, State]
    #: by job, the job that it is a variation of, if any
    variation_of: Mapping[int, int | None]
    #: the job of each message
    request_messages: Mapping[MessageKey, int]
    #: sent messages, with the number of their rows
    sent_messages: Counter[MessageKey]
    attempts: list[sqlite3.Row]
    known_updates: frozenset[int]
    problems: list[str]


def take_snapshot(bot: CrashableBot, actions: UserActions) -> DatabaseSnapshot:
    """Read the database and its violations."""
    with closing(sqlite3.connect(f"file:{bot.path}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        queries = FORBIDDEN | ({} if actions.clock_was_set else FORBIDDEN_WITH_STEADY_CLOCK)
        queries |= {} if bot.application is None else FORBIDDEN_WHILE_RUNNING
        sent = db.execute("SELECT chat_id, message_id FROM outbox WHERE message_id IS NOT NULL")
        return DatabaseSnapshot(
            states={row["id"]: State(row["state"]) for row in db.execute("SELECT id, state FROM jobs")},
            variation_of={row["id"]: row["variation_of"] for row in db.execute("SELECT id, variation_of FROM jobs")},
            request_messages={
                (row["chat_id"], row["message_id"]): row["job_id"]
                for row in db.execute("SELECT * FROM request_messages")
            },
            sent_messages=Counter((row["chat_id"], row["message_id"]) for row in sent),
            attempts=db.execute("SELECT job_id, outcome, task_id FROM attempts").fetchall(),
            known_updates=frozenset(row["update_id"] for row in db.execute("SELECT update_id FROM inbox")),
            problems=[*_integrity_violations(db), *_query_violations(db, queries)],
        )


def read_contents(bot: CrashableBot) -> dict[str, list[tuple[object, ...]]]:
    """Return the contents of TABLES."""
    with closing(sqlite3.connect(f"file:{bot.path}?mode=ro", uri=True)) as db:
        return {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES}  # noqa: S608 - ours


def _integrity_violations(db: sqlite3.Connection) -> Iterator[str]:
    for check in ("integrity_check", "foreign_key_check"):
        for row in db.execute(f"PRAGMA {check}"):
            if tuple(row) != ("ok",):
                yield f"{check}: {tuple(row)}"


def _query_violations(db: sqlite3.Connection, queries: Mapping[str, str]) -> Iterator[str]:
    for description, query in queries.items():
        found = [row[0] for row in db.execute(query)]
        if found:
            yield f"{description}: {found}"


def violations_now(
    bot: CrashableBot, actions: UserActions, before: DatabaseSnapshot | None, now: DatabaseSnapshot
) -> list[str]:
    """Return the violations while nothing is in progress."""
    return [
        *now.problems,
        *([] if before is None else _illegal_transitions(before.states, now.states)),
        *_lost_updates(bot, now),
        *_unrequested_orders(bot, actions, now),
        *_repeated_messages(bot, actions, now),
        *_repeated_answers(bot),
        *bot.telegram.check_failures,
        *bot.auditor.logged_errors,
    ]


def _illegal_transitions(before: Mapping[int, State], now: Mapping[int, State]) -> Iterator[str]:
    for job_id, state in before.items():
        if job_id not in now:
            yield f"job {job_id} is gone"
        elif now[job_id] not in REACHABLE[state]:
            yield f"job {job_id} went from {state} to {now[job_id]}"


def _reachable_states(start: State) -> frozenset[State]:
    found, new = {start}, {start}
    while new:
        new = {onward for state in new for onward in TRANSITIONS[state]} - found
        found |= new
    return frozenset(found)


REACHABLE = {state: _reachable_states(state) for state in State}


def _lost_updates(bot: CrashableBot, now: DatabaseSnapshot) -> Iterator[str]:
    """Yield the updates that neither Telegram nor the bot has."""
    updates = bot.telegram.state.updates
    waiting = {update["update_id"] for update in updates.pending}
    for update_id, (at, _) in updates._known.items():
        is_somewhere = update_id in waiting or update_id in now.known_updates
        if not is_somewhere and bot.clock.now - at <= UPDATE_LIFETIME_SECONDS:
            yield f"update {update_id} was confirmed and not kept"


def _unrequested_orders(bot: CrashableBot, actions: UserActions, now: DatabaseSnapshot) -> Iterator[str]:
    """Compare Kie's tasks with the users' requests and with the stored attempts."""
    for job_id, job_tasks in _tasks_by_job(bot, actions, now).items():
        family = [each for each in now.variation_of if _original_job(now, each) == job_id]
        free = sum(
            task.outcome.is_failure and task.outcome.refunded and task.finished_at is not None for task in job_tasks
        )
        retries = sum(len(actions.retries_pressed[each]) for each in family)
        if len(job_tasks) > len(family) + min(free, len(family)) + retries:
            yield f"job {job_id} with its variations was paid {len(job_tasks)} times, after {retries} presses: {family}"
        written = [row for row in now.attempts if row["job_id"] in family and row["outcome"] != "not_ordered"]
        if len(job_tasks) > len(written):
            yield f"job {job_id} was ordered {len(job_tasks)} times and that was written down {len(written)} times"
    for job_id, times in Counter(each for each in now.variation_of.values() if each is not None).items():
        if times > actions.variations[job_id]:
            yield f"{times} variations of job {job_id}, after {actions.variations[job_id]} presses"
    unknown = {row["task_id"] for row in now.attempts if row["task_id"]} - bot.kie.tasks.keys()
    if unknown:
        yield f"tasks that Kie never made: {unknown}"
    if not actions.clock_was_set and bot.kie.refused_by_rate:
        yield f"{bot.kie.refused_by_rate} orders came too fast for Kie"


def _original_job(now: DatabaseSnapshot, job_id: int) -> int:
    """Return the job that a variation is based on, directly or indirectly."""
    while (earlier := now.variation_of[job_id]) is not None:
        job_id = earlier
    return job_id


def _tasks_by_job(bot: CrashableBot, actions: UserActions, now: DatabaseSnapshot) -> dict[int, list[LocalKieTask]]:
    tasks: dict[int, list[LocalKieTask]] = defaultdict(list)
    for task in bot.kie.tasks.values():
        message = actions.find_message(task)
        assert message is not None, f"a task that nobody asked for: {task.prompt}"
        tasks[now.request_messages[message]].append(task)
    return tasks


def _repeated_messages(bot: CrashableBot, actions: UserActions, now: DatabaseSnapshot) -> Iterator[str]:
    """Yield sent messages that are not stored, unless they were unconfirmed.

    A message belongs to one row and a row has one message, so nothing is sent twice.
    """
    unconfirmed: Counter[tuple[object, ...]] = Counter()
    for number, call in enumerate(bot.telegram.calls):
        sent = _sent_message(call)
        if sent is None:
            continue
        if number in bot.auditor.unconfirmed_calls:
            unconfirmed[_message_fingerprint(call)] += 1
        elif sent not in now.sent_messages and sent[0] not in actions.lost_chats:
            yield f"{call.method} {dict(call.params)} was sent, but not stored"
    too_often = {what: times for what, times in unconfirmed.items() if times > MAX_UNCERTAIN_SENDS}
    if too_often:
        yield f"sent too often, unconfirmed: {too_often}"
    shared = [sent for sent, rows in now.sent_messages.items() if rows > 2]
    if shared:
        yield f"messages of several rows: {shared}"


def _repeated_answers(bot: CrashableBot) -> Iterator[str]:
    """Yield the unconfirmed answers that were sent again although a progress message could have been edited."""
    unconfirmed = bot.auditor.unconfirmed_calls - bot.auditor.refused_calls
    for job_id, sends in _photos_by_job(bot.telegram.calls).items():
        for earlier, again in pairwise(sends):
            if earlier in unconfirmed and _could_edit_progress_message(bot, job_id, earlier, again):
                yield f"the answer to job {job_id} was sent again, and could have been an edit"


def _photos_by_job(calls: list[TelegramCall]) -> dict[int, list[int]]:
    """Return the numbers of the calls that send an answer, by job."""
    found: dict[int, list[int]] = defaultdict(list)
    for number, call in enumerate(calls):
        if call.method == "sendPhoto":
            markup = call.params["reply_markup"]
            assert isinstance(markup, dict)
            press = parse_callback_data(markup["inline_keyboard"][0][0]["callback_data"])
            assert press is not None
            found[press.target].append(number)
    return found


def _could_edit_progress_message(bot: CrashableBot, job_id: int, earlier: int, again: int) -> bool:
    """Return whether the job's latest progress message existed, and Telegram did not refuse to edit it."""
    with closing(sqlite3.connect(f"file:{bot.path}?mode=ro", uri=True)) as db:
        found = db.execute(
            "SELECT chat_id, message_id, outcome FROM outbox WHERE job_id = ? AND kind = 'progress_message'"
            " ORDER BY id DESC",
            (job_id,),
        ).fetchone()
    if found is None or found[1] is None or found[2] in ("gone", "rejected", "unclear"):
        return False
    calls = bot.telegram.calls
    stood = any(_sent_message(call) == found[:2] for call in calls[:earlier])
    touched = [call for call in calls[:again] if _edited_message(call) == found[:2]]
    is_gone = any(call.method == "deleteMessage" for call in touched)
    return stood and not is_gone and not any(call.method == "editMessageMedia" and call.error for call in touched)


def _edited_message(call: TelegramCall) -> tuple[object, object]:
    return call.params.get("chat_id"), call.params.get("message_id")


def _sent_message(call: TelegramCall) -> MessageKey | None:
    """Return the message that a call sent, if any."""
    if call.method not in SEND_METHODS or not isinstance(call.result, dict):
        return None
    return call.result["chat"]["id"], call.result["message_id"]


def _message_fingerprint(call: TelegramCall) -> tuple[object, ...]:
    return call.method, call.params["chat_id"], _replied_message(call), call.params.get("text")


def _replied_message(call: TelegramCall) -> object:
    reply = call.params.get("reply_parameters")
    return reply.get("message_id") if isinstance(reply, dict) else None


def violations_at_the_end(bot: CrashableBot, actions: UserActions, now: DatabaseSnapshot) -> list[str]:
    """Return the violations after all faults were removed and enough time has passed."""
    with closing(sqlite3.connect(f"file:{bot.path}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        return [
            *_query_violations(db, FORBIDDEN_AT_THE_END),
            *_unanswered_jobs(bot, actions, db),
            *_ignored_messages(bot, now, db),
            *_wrong_pictures(bot, db),
            *_leaked_secrets(bot),
        ]


def _unanswered_jobs(bot: CrashableBot, actions: UserActions, db: sqlite3.Connection) -> Iterator[str]:
    """Yield the unanswered jobs, unless the bot was blocked or each of several sends may have arrived."""
    for row in db.execute(UNANSWERED_JOBS):
        is_gone = row["outcome"] == "gone" and row["chat_id"] in actions.lost_chats
        # one more send may have been lost in a crash
        is_unclear = row["outcome"] == "unclear" and _unconfirmed_sends(bot, row) >= MAX_UNCERTAIN_SENDS - 1
        if not is_gone and not is_unclear:
            yield f"job {row['id']} was never answered"


def _unconfirmed_sends(bot: CrashableBot, job: sqlite3.Row) -> int:
    """Count the unconfirmed sends in answer to a job."""
    calls = [bot.telegram.calls[number] for number in bot.auditor.unconfirmed_calls]
    about = job["chat_id"], job["message_id"]
    return sum(
        call.method in SEND_METHODS and (call.params["chat_id"], _replied_message(call)) == about for call in calls
    )


def _ignored_messages(bot: CrashableBot, now: DatabaseSnapshot, db: sqlite3.Connection) -> Iterator[str]:
    """Yield the users' messages that neither became part of a request nor got a reply."""
    replied = {(row["chat_id"], row["reply_to"]) for row in db.execute("SELECT chat_id, reply_to FROM outbox")}
    for at, update in bot.telegram.state.updates._known.values():
        message = update.get("message")
        if message is None or update["update_id"] not in now.known_updates:
            continue  # Telegram has dropped it
        key = message["chat"]["id"], message["message_id"]
        was_said = _was_answered_recently(update["update_id"], message["chat"]["id"], db)
        if key not in now.request_messages and key not in replied and not was_said and not _needs_no_reply(message, db):
            yield f"{message}, sent at {at}, was ignored"


def _was_answered_recently(update_id: int, chat_id: int, db: sqlite3.Connection) -> bool:
    """Return whether the chat got such a reply recently: the bot sends it at most once a minute per chat.

    The difference may be negative, as a small setback of the clock is not corrected.
    """
    found = db.execute(
        "SELECT 1 FROM inbox JOIN outbox ON outbox.chat_id = ?1 AND abs(written_at - handled_at) <= ?2"
        " AND (key GLOB 'no-picture:*' OR key GLOB 'unusable:*' OR key GLOB 'under-way:*' OR key GLOB 'unsupported:*'"
        " OR key GLOB 'deleted:*') WHERE update_id = ?3",
        (chat_id, REPEAT_WINDOW_MS, update_id),
    ).fetchone()
    return found is not None


def _needs_no_reply(message: Mapping[str, Any], db: sqlite3.Connection) -> bool:
    """Return whether a message needs no reply of its own.

    Its album was already complete (which is said once) or cancelled; or it is /status,
    which the progress messages answer.
    """
    found = db.execute(
        "SELECT 1 FROM jobs WHERE (media_group_id = ? AND (state = 'cancelled'"
        " OR EXISTS (SELECT 1 FROM outbox WHERE key = printf('late:%d', jobs.id)))) OR (? = '/status' AND chat_id = ?)",
        (message.get("media_group_id"), message.get("text"), message["chat"]["id"]),
    ).fetchone()
    return found is not None


def _wrong_pictures(bot: CrashableBot, db: sqlite3.Connection) -> Iterator[str]:
    """Yield the answers that are not the result of their task."""
    query = (
        "SELECT jobs.id, jobs.task_id, outbox.chat_id, outbox.message_id FROM jobs JOIN outbox ON job_id = jobs.id"
        " WHERE is_answer AND kind = 'image' AND outcome = 'sent'"
    )
    shown = dict(_pictures(bot.telegram.calls))
    for row in db.execute(query):
        if shown.get((row["chat_id"], row["message_id"])) != bot.kie.tasks[row["task_id"]].result:
            yield f"job {row['id']} was answered with another picture"


def _pictures(calls: Iterable[TelegramCall]) -> Iterator[tuple[MessageKey, bytes]]:
    """Yield the sent pictures, byte for byte, with their messages."""
    for call in calls:
        if call.files and isinstance(call.result, dict):
            [upload] = call.files.values()
            yield (call.result["chat"]["id"], call.result["message_id"]), upload.content


def _leaked_secrets(bot: CrashableBot) -> Iterator[str]:
    for file in bot.path.parent.iterdir():
        content = file.read_bytes()
        yield from (f"{file.name} holds a secret" for secret in (KEY, TOKEN) if secret.encode() in content)
    if any(TOKEN in f"{call.body}{call.params}{call.headers}" for call in bot.kie.calls):
        yield "the bot token was sent to Kie"
    if any(KEY in f"{call.params}" for call in bot.telegram.calls):
        yield "the API key was sent to Telegram"
