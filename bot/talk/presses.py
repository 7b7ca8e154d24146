"""Presses of the buttons under our messages; each is answered, and each decides once."""

from bot.chat.buttons import Action, Pressed
from bot.job import FINAL, Instant, Job, State
from bot.store.outbox import Kind, Say
from bot.store.transaction import Transaction
from bot.talk.reading import ButtonPressed, Origin
from bot.talk.replying import toast
from bot.texts import Sentence, sentence
from bot.texts.ideas import IDEAS


def button_pressed(tx: Transaction, origin: Origin, press: ButtonPressed, now: Instant) -> None:
    """Do what a press asks for, if it is still open to the one who pressed, and say so."""
    toast(tx, origin, press.press_id, _told(tx, origin, press.pressed, now), now)


def _told(tx: Transaction, origin: Origin, pressed: Pressed | None, now: Instant) -> Sentence:
    job = None if pressed is None else tx.jobs.get(pressed.job_id)
    if pressed is None or job is None or job.request.chat_id != origin.chat_id:
        return sentence("toast-old")
    if job.request.user_id != origin.user_id:
        return sentence("toast-not-yours")
    match pressed.action:
        case Action.CANCEL:
            return _cancel(tx, job, now)
        case Action.ORIGINAL:
            return _original(tx, job, origin, now)
        case Action.AGAIN:
            return _decided(tx, job, pressed, sentence("toast-again"), now)
        case Action.LEAVE:
            return _decided(tx, job, pressed, sentence("toast-left"), now)
        case Action.IDEA:
            return _idea_taken(tx, job, pressed.number, now)


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


def _idea_taken(tx: Transaction, job: Job, number: int, now: Instant) -> Sentence:
    """Let an idea be the words that a request waited for."""
    idea = IDEAS.get(number)
    if idea is None:
        return sentence("toast-old")
    if job.state is not State.GATHERING or job.closes_by is not None or not tx.complete(job, idea.prompt, now):
        return sentence("toast-settled")
    return sentence("toast-idea")


def _decided(tx: Transaction, job: Job, pressed: Pressed, told: Sentence, now: Instant) -> Sentence:
    """Let the person decide about an order in doubt, by the buttons of the question that is open."""
    if job.state is not State.SUBMITTING or job.asked_at is None or job.asked_at != pressed.number:
        return sentence("toast-settled")
    if tx.attempts.has_hint(job.id):
        return sentence("toast-news")  # in a moment it is known, and may be settled without being paid again
    decide = tx.order_again if pressed.action is Action.AGAIN else tx.leave_in_doubt
    return told if decide(job, now) else sentence("toast-settled")
