"""Presses of the buttons under our messages; each is answered, and each decides once.

A press counts for the message that was pressed: what stands behind a button is made up easily.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.chat.buttons import Action, Pressed
from bot.job import FINAL, Instant, Job, State, later, seconds_between
from bot.kie.keeping import keeps_result
from bot.store.outbox import Kind, Say
from bot.store.transaction import Transaction
from bot.talk.access import OF_CHAT, is_under, may
from bot.talk.erasure import DECIDING, erasure_pressed
from bot.talk.meanings import ButtonPressed, Origin
from bot.talk.preferences import settings_pressed
from bot.talk.replying import toast
from bot.talk.room import Room
from bot.texts import Sentence, sentence
from bot.texts.ideas import IDEAS
from bot.texts.times import until_tomorrow

#: Seconds for which Telegram lets a bot delete what it sent.
DELETABLE = 48 * 3600.0

#: Seconds for which a picture or a file that was sent is not fetched and sent again. Telegram does not tell whether it
#: still stands in the chat, so it may be had once more later.
ORIGINAL_STANDS = 3600.0

#: Original files, and pictures that did not come, that one person may ask for at once, fewer than are sent at once to
#: all; and then one every so many seconds. Each is fetched from Kie and sent: up to 50 MB, for an edit that was counted
#: once.
ORIGINALS_AT_ONCE, ORIGINAL_EVERY = 3, 60.0

#: People whose asking for files is remembered.
MOST_ASKING = 10_000

#: What is said where it is not known any more what a message of ours was about.
GONE = {Action.ORIGINAL: "original-gone", Action.VARIATION: "toast-erased", Action.FETCH: "result-gone"}


@dataclass(frozen=True)
class PressLimits:
    """How often somebody may press for what costs something."""

    #: for other variations, which are edits
    room: Room
    #: says whether a person may have another original file, or a picture that did not come, now, and counts it if so
    admits_original: Callable[[int], bool]


def button_pressed(
    tx: Transaction, limits: PressLimits, origin: Origin, press: ButtonPressed, admins: frozenset[int], now: Instant
) -> None:
    """Do what a press asks for, if it is still open to the one who pressed, and say so."""
    told = (
        sentence("toast-old") if press.pressed is None else _told(tx, limits, origin, press, press.pressed, admins, now)
    )
    toast(tx, origin, press.press_id, told, now)


def _told(
    tx: Transaction,
    limits: PressLimits,
    origin: Origin,
    press: ButtonPressed,
    pressed: Pressed,
    admins: frozenset[int],
    now: Instant,
) -> Sentence | None:
    if pressed.action in DECIDING:
        return erasure_pressed(tx, origin, press, now)
    if pressed.action in OF_CHAT:
        is_allowed = not origin.is_group or origin.user_id in admins
        return settings_pressed(tx, origin, press, pressed, now) if is_allowed else sentence("toast-for-admins")
    job = tx.jobs.get(pressed.about)
    if job is None:
        return sentence("toast-old")
    closed = _why_closed(tx, origin, press, pressed, job)
    if closed is not None:
        return closed
    if not may(origin, pressed.action, job, admins):
        return sentence("toast-not-yours")
    return _about_answer(tx, limits, job, origin, pressed, now) or _about_order(
        tx, limits.room, job, origin, pressed, now
    )


def _why_closed(tx: Transaction, origin: Origin, press: ButtonPressed, pressed: Pressed, job: Job) -> Sentence | None:
    """Say why a press is about nothing that anybody could still decide, None where it is."""
    if job.request.is_erased:
        return sentence(GONE.get(pressed.action, "toast-old"))
    if job.request.chat_id != origin.chat_id:
        return sentence("toast-old")
    if job.answer_deleted_at is not None and pressed.action is not Action.DELETE:
        return sentence("toast-picture-deleted")
    return None if is_under(tx, origin, press, pressed.action, job) else sentence("toast-old")


def _about_answer(
    tx: Transaction, limits: PressLimits, job: Job, origin: Origin, pressed: Pressed, now: Instant
) -> Sentence | None:
    match pressed.action:
        case Action.ORIGINAL:
            return _original(tx, limits, job, origin, now)
        case Action.FETCH:
            return _fetch(tx, limits, job, origin, now)
        case Action.VARIATION:
            return _vary(tx, limits.room, job, origin, now)
        case Action.DELETE:
            return _delete(tx, job, origin, now)
        case _:
            return None


def _about_order(tx: Transaction, room: Room, job: Job, origin: Origin, pressed: Pressed, now: Instant) -> Sentence:
    match pressed.action:
        case Action.CANCEL:
            return _cancel(tx, job, now)
        case Action.AGAIN:
            return _decided(tx, job, pressed, sentence("toast-again"), now)
        case Action.LEAVE:
            return _decided(tx, job, pressed, sentence("toast-left"), now)
        case Action.IDEA:
            return _idea_taken(tx, room, job, origin, pressed.number, now)
        case _:
            return sentence("toast-old")


def _cancel(tx: Transaction, job: Job, now: Instant) -> Sentence:
    if tx.take_back(job, now):
        return sentence("toast-cancelled")
    return sentence("toast-settled") if job.state in FINAL or job.asked_at is not None else sentence("toast-too-late")


def _original(tx: Transaction, limits: PressLimits, job: Job, origin: Origin, now: Instant) -> Sentence:
    """Send the file that an answer was made from, once for all who see it, and not many to one person at a time."""
    if tx.outbox.is_on_its_way(job.id, Kind.FILE):
        return sentence("toast-coming")
    if job.result_url is None:
        return sentence("original-gone")
    if _stands(tx, job, Kind.FILE, now):
        return sentence("toast-original-there")
    if not _admits(tx, limits, origin):
        return sentence("toast-original-later")
    _send(tx, job, origin, Kind.FILE, "original", origin.message_id, now)
    return sentence("toast-fetching")


def _fetch(tx: Transaction, limits: PressLimits, job: Job, origin: Origin, now: Instant) -> Sentence:
    """Fetch a picture that is made and did not come, in words so far; once at a time, for all who see the words."""
    if tx.outbox.is_on_its_way(job.id, Kind.PICTURE):
        return sentence("toast-picture-coming")
    if job.result_url is None or not keeps_result(seconds_between(job.finished_at or now, now)):
        return sentence("result-gone")
    if _stands(tx, job, Kind.PICTURE, now):
        return sentence("toast-picture-there")
    if not _admits(tx, limits, origin):
        return sentence("toast-picture-later")
    _send(tx, job, origin, Kind.PICTURE, "answer", job.request.message_id, now)
    return sentence("toast-picture-fetching")


def _send(
    tx: Transaction, job: Job, origin: Origin, kind: Kind, words: str, reply_to: int | None, now: Instant
) -> None:
    """Have what Kie made sent to where the button was pressed, with a sentence."""
    say = Say(
        key=f"job:{job.id}:{'original' if kind is Kind.FILE else 'fetched'}:{now}",
        kind=kind,
        chat_id=origin.chat_id,
        thread_id=job.request.thread_id,
        reply_to=reply_to,
        body=sentence(words).into(job.request.language),
        job_id=job.id,
    )
    tx.outbox.add(say, now)


def _stands(tx: Transaction, job: Job, kind: Kind, now: Instant) -> bool:
    """Say whether a picture or a file was sent so lately that it stands in the chat."""
    sent_at = tx.outbox.last_sent(job.id, kind)
    return sent_at is not None and later(sent_at, ORIGINAL_STANDS) > now


def _admits(tx: Transaction, limits: PressLimits, origin: Origin) -> bool:
    """Say whether somebody may have something fetched from Kie now, and count it."""
    return not limits.room.is_limited(tx, origin) or limits.admits_original(limits.room.charged_to(tx, origin))


def _vary(tx: Transaction, room: Room, job: Job, origin: Origin, now: Instant) -> Sentence:
    """Order the same once more, for the one who pressed; not twice at a time, however often it is pressed."""
    request = job.request
    if job.state is not State.SUCCEEDED or not request.sources or not request.prompt:
        return sentence("toast-erased")
    if tx.jobs.is_being_varied(job.id):
        return sentence("toast-varied-already")
    if room.why_full(tx, origin) is not None:
        return sentence("toast-full")
    if room.why_used_up(tx, origin, now) is not None:
        return sentence("toast-used-up", time=until_tomorrow(now))
    sources = tuple(replace(source, upload_url=None, uploaded_at=None) for source in request.sources)
    wanted = replace(
        request,
        user_id=origin.user_id,
        charged_to=room.charged_to(tx, origin),
        message_id=origin.message_id,
        sources=sources,
        received_at=now,
        language=origin.language,
        variation_of=job.id,
    )
    variation = tx.jobs.get(tx.jobs.add(wanted, State.QUEUED, now))
    if variation is not None:
        tx.enter_line(variation, now)
    return sentence("toast-varied")


def _delete(tx: Transaction, job: Job, origin: Origin, now: Instant) -> Sentence:
    """Take an answer away, with the files that belong to it."""
    came_at = tx.outbox.last_sent(job.id, Kind.PICTURE) or job.answered_at
    if came_at is not None and later(came_at, DELETABLE) < now:
        return sentence("toast-too-old-to-delete", where=origin.where)
    tx.delete_answer(job, origin.message_id, now)
    return sentence("toast-deleted")


def _idea_taken(tx: Transaction, room: Room, job: Job, origin: Origin, number: int, now: Instant) -> Sentence:
    """Let an idea be the words that a request waited for."""
    idea = IDEAS.get(number)
    if idea is None:
        return sentence("toast-old")
    if job.state is not State.GATHERING or job.closes_by is not None:
        return sentence("toast-settled")
    if room.admit(tx, origin, job, now) is not None:
        return sentence("toast-used-up", time=until_tomorrow(now))
    return sentence("toast-idea") if tx.complete(job, idea.prompt, now) else sentence("toast-settled")


def _decided(tx: Transaction, job: Job, pressed: Pressed, told: Sentence, now: Instant) -> Sentence:
    """Let the person decide about an order in doubt, by the buttons of the question that is open."""
    if job.state is not State.SUBMITTING or job.asked_at is None or job.asked_at != pressed.number:
        return sentence("toast-settled")
    if tx.attempts.has_hint(job.id):
        return sentence("toast-news")  # in a moment it is known, and may be settled without being paid again
    decide = tx.order_again if pressed.action is Action.AGAIN else tx.leave_in_doubt
    return told if decide(job, now) else sentence("toast-settled")
