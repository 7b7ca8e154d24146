"""Presses of the buttons under our messages; each is answered, and each decides once."""

from dataclasses import replace

from bot.chat.buttons import Action, Pressed
from bot.job import FINAL, Instant, Job, State, later
from bot.store.outbox import Kind, Say
from bot.store.transaction import Transaction
from bot.talk.access import OF_CHAT, may
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


#: What is said where it is not known any more what a message of ours was about.
GONE = {Action.ORIGINAL: "original-gone", Action.VARIATION: "toast-erased"}


def button_pressed(
    tx: Transaction, room: Room, origin: Origin, press: ButtonPressed, admins: frozenset[int], now: Instant
) -> None:
    """Do what a press asks for, if it is still open to the one who pressed, and say so."""
    toast(tx, origin, press.press_id, _told(tx, room, origin, press.pressed, admins, now), now)


def _told(
    tx: Transaction, room: Room, origin: Origin, pressed: Pressed | None, admins: frozenset[int], now: Instant
) -> Sentence | None:
    if pressed is not None and pressed.action in DECIDING:
        return erasure_pressed(tx, origin, pressed, now)
    if pressed is not None and pressed.action in OF_CHAT:
        is_allowed = not origin.is_group or origin.user_id in admins
        return settings_pressed(tx, origin, pressed, now) if is_allowed else sentence("toast-for-admins")
    job = None if pressed is None else tx.jobs.get(pressed.about)
    if pressed is not None and job is not None and job.request.is_erased:
        return sentence(GONE.get(pressed.action, "toast-old"))
    if pressed is None or job is None or job.request.chat_id != origin.chat_id:
        return sentence("toast-old")
    if not may(origin, pressed.action, job, admins):
        return sentence("toast-not-yours")
    return _about_answer(tx, room, job, origin, pressed, now) or _about_order(tx, room, job, origin, pressed, now)


def _about_answer(
    tx: Transaction, room: Room, job: Job, origin: Origin, pressed: Pressed, now: Instant
) -> Sentence | None:
    match pressed.action:
        case Action.ORIGINAL:
            return _original(tx, job, origin, now)
        case Action.VARIATION:
            return _vary(tx, room, job, origin, now)
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


def _original(tx: Transaction, job: Job, origin: Origin, now: Instant) -> Sentence:
    if tx.outbox.is_on_its_way(job.id, Kind.FILE):
        return sentence("toast-coming")
    if job.result_url is None:
        return sentence("original-gone")
    say = Say(
        key=f"job:{job.id}:original:{now}",
        kind=Kind.FILE,
        chat_id=origin.chat_id,
        thread_id=job.request.thread_id,
        reply_to=origin.message_id,
        body=sentence("original").into(job.request.language),
        job_id=job.id,
    )
    tx.outbox.add(say, now)
    return sentence("toast-fetching")


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
    if job.answered_at is not None and later(job.answered_at, DELETABLE) < now:
        return sentence("toast-too-old-to-delete", where=origin.where)
    tx.outbox.withdraw(job.id, Kind.FILE, now)
    sent = {each.message_id for each in tx.outbox.pictures_of(job.id) if each.say.chat_id == origin.chat_id}
    for message_id in sorted(sent | {origin.message_id}, key=lambda each: each or 0):
        say = Say(
            key=f"delete:{origin.chat_id}:{message_id}",
            kind=Kind.DELETION,
            chat_id=origin.chat_id,
            reply_to=message_id,
            body="",
            job_id=job.id,
        )
        tx.outbox.add(say, now)
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
