"""What has to be true at any moment, and what in the end, by the servers' own knowledge and by the database.

Every function returns what is wrong, in words; nothing when all is well.
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

#: What updates change.
TABLES = ("jobs", "source_images", "request_messages", "fair_queue", "attempts", "outbox", "users", "chats")

#: Seconds for which Telegram keeps an update.
UPDATE_LIFETIME_SECONDS = 24 * 3600

#: Stands behind `:free`: nothing was ordered for a job, or it cost nothing by Kie's own word.
COST_NOTHING = """NOT EXISTS (SELECT 1 FROM attempts WHERE job_id = jobs.id
    AND coalesce(outcome, '') <> 'not_ordered' AND coalesce(cost, 1) > 0)"""

#: What may never be found, each with the question that finds it.
_FORBIDDEN_TEMPLATES = {
    "a count of a day that is not the number of edits that count": """
        SELECT daily_usage.scope_id FROM daily_usage WHERE edits <> (SELECT count(*) FROM jobs
            WHERE counted_day = daily_usage.day
            AND CASE scope WHEN 'user' THEN charged_to = daily_usage.scope_id
                WHEN 'chat' THEN counted_for_all AND chat_id = daily_usage.scope_id ELSE counted_for_all END)""",
    "an edit that did not come to nothing and does not count": """
        SELECT id FROM jobs WHERE state NOT IN ('failed', 'cancelled')
            AND (counted_day IS NULL OR (state <> 'gathering' AND NOT counted_for_all))""",
    "an edit that waits for words and holds a place of others, or has them and does not": """
        SELECT id FROM jobs WHERE state = 'gathering' AND counted_for_all
            <> EXISTS (SELECT 1 FROM request_messages WHERE job_id = jobs.id AND text <> '')""",
    "an edit that was given back although it may have cost something": """
        SELECT id FROM jobs WHERE state IN ('failed', 'cancelled') AND NOT (:free)
            AND (counted_day IS NULL OR NOT counted_for_all)""",
    "an edit that came to nothing for nothing and is not given back": """
        SELECT id FROM jobs WHERE state IN ('failed', 'cancelled') AND :free AND (counted_for_all
            OR (counted_day IS NOT NULL AND (state = 'cancelled' OR EXISTS (SELECT 1 FROM daily_usage
                WHERE day = counted_day AND scope = 'user' AND daily_usage.scope_id = charged_to
                    AND refunded_failures < 3))))""",
    "a day on which less was spent than Kie says that its edits cost": """
        SELECT day FROM daily_spending WHERE credits + 0.01 < (SELECT total(credits) FROM jobs
            WHERE finished_at / 86400000 = daily_spending.day)""",
    "something else that was spent than all orders cost, or usually cost where nobody can know": """
        SELECT spent FROM (SELECT total(credits) AS spent FROM daily_spending) WHERE abs(spent - (
            SELECT total(coalesce(cost, 4)) FROM attempts AS one JOIN jobs ON jobs.id = job_id
            WHERE outcome IN ('accepted', 'uncertain') AND NOT (state IN ('submitting', 'running')
                AND one.id = (SELECT max(id) FROM attempts WHERE job_id = jobs.id)))) > 0.01""",
    "a count of the jobs in a state that is not how many there are": """
        SELECT state FROM job_counts WHERE count <> (SELECT count(*) FROM jobs WHERE jobs.state = job_counts.state)
        UNION SELECT state FROM jobs WHERE state NOT IN (SELECT state FROM job_counts)""",
    "a queue of a chat that does not say when its first message is due": """
        SELECT chat_id, lane, due_at FROM outbox_lanes EXCEPT
            SELECT chat_id, lane, min(due_at) FROM outbox WHERE due_at IS NOT NULL GROUP BY 1, 2""",
    "a message that waits in no queue of its chat": """
        SELECT chat_id, lane, min(due_at) FROM outbox WHERE due_at IS NOT NULL GROUP BY 1, 2 EXCEPT
            SELECT chat_id, lane, due_at FROM outbox_lanes""",
    "a job in the line that is put off until another moment than its row says": """
        SELECT job_id FROM fair_queue JOIN jobs ON jobs.id = job_id WHERE fair_queue.due_at <> jobs.due_at
            OR (fair_queue.due_at IS NOT NULL) > (jobs.due_at IS NOT NULL)""",
    "a queued job that is not in the line, or another one that is": """
        SELECT id FROM jobs WHERE (state = 'queued') <> EXISTS (SELECT 1 FROM fair_queue WHERE job_id = jobs.id)""",
    "a gathering job that will never close, or that has gone further": """
        SELECT id FROM jobs WHERE state = 'gathering' AND (due_at IS NULL OR coalesce(
            queued_at, submitted_at, asked_at, finished_at, answering_at, answered_at, task_id, reason, result_url
        ) IS NOT NULL)""",
    "a queued job that is not complete, or of which a task may exist": """
        SELECT id FROM jobs WHERE state = 'queued' AND (queued_at IS NULL OR prompt = '' OR coalesce(
            closes_by, submitted_at, asked_at, overdue_at, finished_at, answering_at, answered_at, task_id
        ) IS NOT NULL)""",
    "a job that is complete without a picture": """
        SELECT id FROM jobs WHERE state NOT IN ('gathering', 'cancelled')
            AND NOT EXISTS (SELECT 1 FROM source_images WHERE job_id = jobs.id)""",
    "a submitting job whose call is neither under way nor asked about": """
        SELECT id FROM jobs WHERE state = 'submitting' AND (submitted_at IS NULL
            OR (asked_at IS NULL) <> (due_at IS NULL)
            OR (asked_at IS NULL) <> EXISTS (SELECT 1 FROM attempts WHERE job_id = jobs.id AND ended_at IS NULL)
            OR coalesce(task_id, finished_at, answering_at, answered_at) IS NOT NULL)""",
    "a running job without a task that was ordered for it": """
        SELECT id FROM jobs WHERE state = 'running' AND (submitted_at IS NULL OR due_at IS NOT NULL OR
            coalesce(finished_at, answering_at, answered_at) IS NOT NULL OR NOT EXISTS (SELECT 1 FROM attempts
                WHERE job_id = jobs.id AND outcome = 'accepted' AND attempts.task_id = jobs.task_id))""",
    "a job that has ended and is still due": """
        SELECT id FROM jobs WHERE state IN ('succeeded', 'failed', 'cancelled')
            AND (finished_at IS NULL OR due_at IS NOT NULL)""",
    "a job that has not ended and seems so": """
        SELECT id FROM jobs WHERE state NOT IN ('succeeded', 'failed', 'cancelled') AND finished_at IS NOT NULL""",
    "a success without a picture, or with a reason": """
        SELECT id FROM jobs WHERE state = 'succeeded' AND ((result_url IS NULL) <> (answer_deleted_at IS NOT NULL)
            OR reason IS NOT NULL)""",
    "an answer that was deleted, and is still to come": """
        SELECT jobs.id FROM jobs JOIN outbox ON job_id = jobs.id WHERE answer_deleted_at IS NOT NULL
            AND ended_at IS NULL AND kind IN ('image', 'file')""",
    "a failure without a reason": """
        SELECT id FROM jobs WHERE state = 'failed' AND reason IS NULL""",
    "an answer to a job that has not ended, or was taken back": """
        SELECT id FROM jobs WHERE answered_at IS NOT NULL AND state NOT IN ('succeeded', 'failed')""",
    "a job with more or fewer than its one answer": """
        SELECT id FROM jobs WHERE (SELECT count(*) FROM outbox WHERE job_id = jobs.id AND is_answer)
            <> (state = 'succeeded' OR (state = 'failed' AND reason <> 'doubt'))""",
    "a job that is answered although its answer was not sent, or the other way round": """
        SELECT id FROM jobs WHERE coalesce(reason, '') <> 'doubt' AND (answered_at IS NOT NULL) <>
            EXISTS (SELECT 1 FROM outbox WHERE job_id = jobs.id AND is_answer AND outcome = 'sent')""",
    "a picture that was sent without a word before": """
        SELECT jobs.id FROM jobs JOIN outbox ON job_id = jobs.id AND is_answer AND kind = 'image'
            WHERE outcome = 'sent' AND answering_at IS NULL""",
    "an attempt that has ended without an outcome, or was taken without a task": """
        SELECT id FROM attempts WHERE (ended_at IS NULL) <> (outcome IS NULL)
            OR (coalesce(outcome, '') = 'accepted') <> (task_id IS NOT NULL)""",
    "a task that two orders are said to have made": """
        SELECT task_id FROM attempts WHERE task_id IS NOT NULL GROUP BY task_id HAVING count(*) > 1""",
    "a message that has ended and is still due, or has not and never will be": """
        SELECT id FROM outbox WHERE (ended_at IS NULL) <> (outcome IS NULL)
            OR (ended_at IS NOT NULL AND due_at IS NOT NULL)
            OR (ended_at IS NULL AND due_at IS NULL AND (kind NOT IN ('progress_message', 'menu')
                OR is_to_be_deleted))""",
    "a job with two messages that tell how it stands": """
        SELECT job_id FROM outbox WHERE kind = 'progress_message' AND ended_at IS NULL AND NOT is_to_be_deleted
            GROUP BY job_id HAVING count(*) > 1""",
    "a job that is answered and still tells how it stands": """
        SELECT jobs.id FROM jobs JOIN outbox ON job_id = jobs.id WHERE kind = 'progress_message' AND ended_at IS NULL
            AND NOT is_to_be_deleted AND answered_at IS NOT NULL AND coalesce(reason, '') <> 'doubt'""",
    "an update that was set aside, or whose words were kept": """
        SELECT update_id FROM inbox WHERE quarantine_reason IS NOT NULL OR (handled_at IS NOT NULL
            AND body IS NOT NULL)""",
    "a request without the message that made it": """
        SELECT id FROM jobs WHERE variation_of IS NULL AND NOT EXISTS (SELECT 1 FROM request_messages
            WHERE job_id = jobs.id)""",
}

FORBIDDEN = {words: question.replace(":free", COST_NOTHING) for words, question in _FORBIDDEN_TEMPLATES.items()}

#: What may not be found while a bot lives and nothing is under way.
FORBIDDEN_WHILE_RUNNING = {
    "an order under way": """
        SELECT id FROM attempts WHERE ended_at IS NULL""",
}

#: What may not be found while nobody has set the clock back or forward.
FORBIDDEN_WITH_STEADY_CLOCK = {
    "milestones in the wrong order": """
        SELECT id FROM jobs WHERE received_at > coalesce(queued_at, received_at) OR queued_at > submitted_at
            OR submitted_at > finished_at OR coalesce(queued_at, received_at) > finished_at
            OR finished_at > answering_at OR coalesce(answering_at, finished_at) > answered_at""",
}

#: What may not be found once everything had its time.
FORBIDDEN_AT_THE_END = {
    "a job that is not settled": """
        SELECT id FROM jobs WHERE state NOT IN ('succeeded', 'failed', 'cancelled')""",
    "a message that is still to be sent": """
        SELECT id FROM outbox WHERE ended_at IS NULL""",
    "an update that nobody has handled": """
        SELECT update_id FROM inbox WHERE handled_at IS NULL""",
}

#: Jobs without an answer, and what has become of it.
UNANSWERED_JOBS = """
    SELECT jobs.id, jobs.chat_id, jobs.message_id, coalesce(outbox.outcome, '') AS outcome
        FROM jobs LEFT JOIN outbox ON job_id = jobs.id AND is_answer
        WHERE state <> 'cancelled' AND answered_at IS NULL"""


@dataclass(frozen=True)
class DatabaseSnapshot:
    """The database at a moment when nothing is under way."""

    states: Mapping[int, State]
    #: the job of which each is a variation, if any
    variation_of: Mapping[int, int | None]
    #: of every message that belongs to a job
    request_messages: Mapping[MessageKey, int]
    #: of ours that were sent
    sent_messages: Counter[MessageKey]
    attempts: list[sqlite3.Row]
    known_updates: frozenset[int]
    problems: list[str]


def take_snapshot(life: CrashableBot, ledger: UserActions) -> DatabaseSnapshot:
    """Read the database, and say what is wrong with it."""
    with closing(sqlite3.connect(f"file:{life.path}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        questions = FORBIDDEN | ({} if ledger.clock_was_set else FORBIDDEN_WITH_STEADY_CLOCK)
        questions |= {} if life.application is None else FORBIDDEN_WHILE_RUNNING
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
            problems=[*_integrity_violations(db), *_query_violations(db, questions)],
        )


def read_contents(life: CrashableBot) -> dict[str, list[tuple[object, ...]]]:
    """Return all that is stored of requests and of what is said."""
    with closing(sqlite3.connect(f"file:{life.path}?mode=ro", uri=True)) as db:
        return {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES}  # noqa: S608 - ours


def _integrity_violations(db: sqlite3.Connection) -> Iterator[str]:
    for check in ("integrity_check", "foreign_key_check"):
        for row in db.execute(f"PRAGMA {check}"):
            if tuple(row) != ("ok",):
                yield f"{check}: {tuple(row)}"


def _query_violations(db: sqlite3.Connection, questions: Mapping[str, str]) -> Iterator[str]:
    for words, question in questions.items():
        found = [row[0] for row in db.execute(question)]
        if found:
            yield f"{words}: {found}"


def violations_now(
    life: CrashableBot, ledger: UserActions, before: DatabaseSnapshot | None, now: DatabaseSnapshot
) -> list[str]:
    """Say what is wrong at a moment when nothing is under way."""
    return [
        *now.problems,
        *([] if before is None else _illegal_transitions(before.states, now.states)),
        *_lost_updates(life, now),
        *_unrequested_orders(life, ledger, now),
        *_repeated_messages(life, ledger, now),
        *_repeated_answers(life),
        *life.telegram.check_failures,
        *life.auditor.logged_errors,
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


def _lost_updates(life: CrashableBot, now: DatabaseSnapshot) -> Iterator[str]:
    """Name the updates that neither Telegram nor the bot has any more."""
    updates = life.telegram.state.updates
    waiting = {update["update_id"] for update in updates.pending}
    for update_id, (at, _) in updates._known.items():
        is_somewhere = update_id in waiting or update_id in now.known_updates
        if not is_somewhere and life.clock.now - at <= UPDATE_LIFETIME_SECONDS:
            yield f"update {update_id} was confirmed and not kept"


def _unrequested_orders(life: CrashableBot, ledger: UserActions, now: DatabaseSnapshot) -> Iterator[str]:
    """Compare what Kie was asked for with what people asked for, and with what was written down."""
    for job_id, mine in _tasks_by_job(life, ledger, now).items():
        family = [each for each in now.variation_of if _original_job(now, each) == job_id]
        free = sum(task.outcome.is_failure and task.outcome.refunded and task.finished_at is not None for task in mine)
        agains = sum(len(ledger.retries_pressed[each]) for each in family)
        if len(mine) > len(family) + min(free, len(family)) + agains:
            yield f"job {job_id} with its variations was paid {len(mine)} times, after {agains} presses: {family}"
        written = [row for row in now.attempts if row["job_id"] in family and row["outcome"] != "not_ordered"]
        if len(mine) > len(written):
            yield f"job {job_id} was ordered {len(mine)} times and that was written down {len(written)} times"
    for job_id, times in Counter(each for each in now.variation_of.values() if each is not None).items():
        if times > ledger.variations[job_id]:
            yield f"{times} variations of job {job_id}, after {ledger.variations[job_id]} presses"
    unknown = {row["task_id"] for row in now.attempts if row["task_id"]} - life.kie.tasks.keys()
    if unknown:
        yield f"tasks that Kie never made: {unknown}"
    if not ledger.clock_was_set and life.kie.refused_by_rate:
        yield f"{life.kie.refused_by_rate} orders came too fast for Kie"


def _original_job(now: DatabaseSnapshot, job_id: int) -> int:
    """Return the job that a variation goes back to."""
    while (earlier := now.variation_of[job_id]) is not None:
        job_id = earlier
    return job_id


def _tasks_by_job(life: CrashableBot, ledger: UserActions, now: DatabaseSnapshot) -> dict[int, list[LocalKieTask]]:
    tasks: dict[int, list[LocalKieTask]] = defaultdict(list)
    for task in life.kie.tasks.values():
        message = ledger.find_message(task)
        assert message is not None, f"a task that nobody asked for: {task.prompt}"
        tasks[now.request_messages[message]].append(task)
    return tasks


def _repeated_messages(life: CrashableBot, ledger: UserActions, now: DatabaseSnapshot) -> Iterator[str]:
    """Name the messages that stand in a chat without being anybody's, unless the bot could not know that they arrived.

    What is sent is one row's, and a row has one message, so nothing is said twice.
    """
    in_doubt: Counter[tuple[object, ...]] = Counter()
    for number, call in enumerate(life.telegram.calls):
        sent = _sent_message(call)
        if sent is None:
            continue
        if number in life.auditor.unconfirmed_calls:
            in_doubt[_message_fingerprint(call)] += 1
        elif sent not in now.sent_messages and sent[0] not in ledger.lost_chats:
            yield f"{call.method} {dict(call.params)} was sent, and is forgotten"
    too_often = {what: times for what, times in in_doubt.items() if times > MAX_UNCERTAIN_SENDS}
    if too_often:
        yield f"sent again and again, in doubt: {too_often}"
    shared = [sent for sent, rows in now.sent_messages.items() if rows > 2]
    if shared:
        yield f"messages that stand for several things: {shared}"


def _repeated_answers(life: CrashableBot) -> Iterator[str]:
    """Name the answers in doubt that were sent once more although a message stood there to be turned into them."""
    in_doubt = life.auditor.unconfirmed_calls - life.auditor.refused_calls
    for job_id, sends in _photos_by_job(life.telegram.calls).items():
        for earlier, again in pairwise(sends):
            if earlier in in_doubt and _could_edit_progress_message(life, job_id, earlier, again):
                yield f"the answer to job {job_id} was sent once more, and could have been turned into"


def _photos_by_job(calls: list[TelegramCall]) -> dict[int, list[int]]:
    """Return the numbers of the calls that send an answer."""
    found: dict[int, list[int]] = defaultdict(list)
    for number, call in enumerate(calls):
        if call.method == "sendPhoto":
            markup = call.params["reply_markup"]
            assert isinstance(markup, dict)
            pressed = parse_callback_data(markup["inline_keyboard"][0][0]["callback_data"])
            assert pressed is not None
            found[pressed.target].append(number)
    return found


def _could_edit_progress_message(life: CrashableBot, job_id: int, earlier: int, again: int) -> bool:
    """Say whether the latest status of a job stood in the chat, and Telegram did not refuse to turn it."""
    with closing(sqlite3.connect(f"file:{life.path}?mode=ro", uri=True)) as db:
        found = db.execute(
            "SELECT chat_id, message_id, outcome FROM outbox WHERE job_id = ? AND kind = 'progress_message'"
            " ORDER BY id DESC",
            (job_id,),
        ).fetchone()
    if found is None or found[1] is None or found[2] in ("gone", "rejected", "unclear"):
        return False
    calls = life.telegram.calls
    stood = any(_sent_message(call) == found[:2] for call in calls[:earlier])
    touched = [call for call in calls[:again] if _edited_message(call) == found[:2]]
    is_gone = any(call.method == "deleteMessage" for call in touched)
    return stood and not is_gone and not any(call.method == "editMessageMedia" and call.error for call in touched)


def _edited_message(call: TelegramCall) -> tuple[object, object]:
    return call.params.get("chat_id"), call.params.get("message_id")


def _sent_message(call: TelegramCall) -> MessageKey | None:
    """Return the message that a call has put into a chat, None for one that has not."""
    if call.method not in SEND_METHODS or not isinstance(call.result, dict):
        return None
    return call.result["chat"]["id"], call.result["message_id"]


def _message_fingerprint(call: TelegramCall) -> tuple[object, ...]:
    return call.method, call.params["chat_id"], _replied_message(call), call.params.get("text")


def _replied_message(call: TelegramCall) -> object:
    reply = call.params.get("reply_parameters")
    return reply.get("message_id") if isinstance(reply, dict) else None


def violations_at_the_end(life: CrashableBot, ledger: UserActions, now: DatabaseSnapshot) -> list[str]:
    """Say what is wrong once everything had its time, and all that could go wrong was over."""
    with closing(sqlite3.connect(f"file:{life.path}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        return [
            *_query_violations(db, FORBIDDEN_AT_THE_END),
            *_unanswered_jobs(life, ledger, db),
            *_ignored_messages(life, now, db),
            *_wrong_pictures(life, db),
            *_leaked_secrets(life),
        ]


def _unanswered_jobs(life: CrashableBot, ledger: UserActions, db: sqlite3.Connection) -> Iterator[str]:
    """Name the jobs without an answer, unless nobody can be written to, or each of several sends may have arrived."""
    for row in db.execute(UNANSWERED_JOBS):
        is_gone = row["outcome"] == "gone" and row["chat_id"] in ledger.lost_chats
        # one more may have been in the hands of a bot that died
        is_unclear = row["outcome"] == "unclear" and _unconfirmed_sends(life, row) >= MAX_UNCERTAIN_SENDS - 1
        if not is_gone and not is_unclear:
            yield f"job {row['id']} was never answered"


def _unconfirmed_sends(life: CrashableBot, job: sqlite3.Row) -> int:
    """Count the sends in answer to a job of which the bot cannot know whether they arrived."""
    calls = [life.telegram.calls[number] for number in life.auditor.unconfirmed_calls]
    about = job["chat_id"], job["message_id"]
    return sum(
        call.method in SEND_METHODS and (call.params["chat_id"], _replied_message(call)) == about for call in calls
    )


def _ignored_messages(life: CrashableBot, now: DatabaseSnapshot, db: sqlite3.Connection) -> Iterator[str]:
    """Name the messages of people that neither became part of a request nor were replied to."""
    replied = {(row["chat_id"], row["reply_to"]) for row in db.execute("SELECT chat_id, reply_to FROM outbox")}
    for at, update in life.telegram.state.updates._known.values():
        message = update.get("message")
        if message is None or update["update_id"] not in now.known_updates:
            continue  # that Telegram has thrown it away is none of our business
        key = message["chat"]["id"], message["message_id"]
        was_said = _was_answered_recently(update["update_id"], message["chat"]["id"], db)
        if key not in now.request_messages and key not in replied and not was_said and not _needs_no_reply(message, db):
            yield f"nobody heard {message}, sent at {at}"


def _was_answered_recently(update_id: int, chat_id: int, db: sqlite3.Connection) -> bool:
    """Say whether a message meant nothing to the bot, which is said once a minute in each chat.

    A start takes a clock for right that was set back a little, so what was said first may be the later by it.
    """
    found = db.execute(
        "SELECT 1 FROM inbox JOIN outbox ON outbox.chat_id = ?1 AND abs(written_at - handled_at) <= ?2"
        " AND (key GLOB 'no-picture:*' OR key GLOB 'unusable:*' OR key GLOB 'under-way:*' OR key GLOB 'unsupported:*'"
        " OR key GLOB 'deleted:*') WHERE update_id = ?3",
        (chat_id, REPEAT_WINDOW_MS, update_id),
    ).fetchone()
    return found is not None


def _needs_no_reply(message: Mapping[str, Any], db: sqlite3.Connection) -> bool:
    """Say whether a message was answered otherwise.

    It came after its album was closed, which is told once, or taken back; or it
    asks how the edits stand, and each of them tells that.
    """
    found = db.execute(
        "SELECT 1 FROM jobs WHERE (media_group_id = ? AND (state = 'cancelled'"
        " OR EXISTS (SELECT 1 FROM outbox WHERE key = printf('late:%d', jobs.id)))) OR (? = '/status' AND chat_id = ?)",
        (message.get("media_group_id"), message.get("text"), message["chat"]["id"]),
    ).fetchone()
    return found is not None


def _wrong_pictures(life: CrashableBot, db: sqlite3.Connection) -> Iterator[str]:
    """Name the answers that are not the picture that was made for them."""
    question = (
        "SELECT jobs.id, jobs.task_id, outbox.chat_id, outbox.message_id FROM jobs JOIN outbox ON job_id = jobs.id"
        " WHERE is_answer AND kind = 'image' AND outcome = 'sent'"
    )
    shown = dict(_pictures(life.telegram.calls))
    for row in db.execute(question):
        if shown.get((row["chat_id"], row["message_id"])) != life.kie.tasks[row["task_id"]].result:
            yield f"job {row['id']} was answered with another picture"


def _pictures(calls: Iterable[TelegramCall]) -> Iterator[tuple[MessageKey, bytes]]:
    """Return the pictures that were put into messages, byte for byte as they were handed over."""
    for call in calls:
        if call.files and isinstance(call.result, dict):
            [upload] = call.files.values()
            yield (call.result["chat"]["id"], call.result["message_id"]), upload.content


def _leaked_secrets(life: CrashableBot) -> Iterator[str]:
    for file in life.path.parent.iterdir():
        content = file.read_bytes()
        yield from (f"{file.name} holds a secret" for secret in (KEY, TOKEN) if secret.encode() in content)
    if any(TOKEN in f"{call.body}{call.params}{call.headers}" for call in life.kie.calls):
        yield "Kie was told the bot token"
    if any(KEY in f"{call.params}" for call in life.telegram.calls):
        yield "Telegram was told the API key"
