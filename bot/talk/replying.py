"""What is said in answer to one message of a person.

An answer to every message is a promise only for edits. Nobody reads thousands of replies that
leave one a second, so what costs nothing to ask for is answered as long as not too much waits for
the chat, and what says that a message means nothing to us is said once a minute there.
"""

from bot.job import Instant
from bot.store.outbox import LAST, Kind, Say
from bot.store.transaction import Transaction
from bot.talk.meanings import Origin
from bot.texts import Lines, Sentence

#: On a message whose change was taken over.
NOTED = "✍"

#: Milliseconds within which something is said once in each chat: hundreds of pictures are not worth as many words.
TOLD_ONCE_IN = 60_000


def reply(
    tx: Transaction,
    origin: Origin,
    told: Sentence | Lines,
    now: Instant,
    *,
    once: str | None = None,
    job_id: int | None = None,
) -> None:
    """Say something in reply to a message, once; `once` names what it is about when several messages cause it.

    With a job, a reply to what is said here is about that job's pictures. Where very many replies wait for the chat
    already, nothing is said.
    """
    if tx.outbox.is_full(origin.chat_id, Kind.TEXT):
        return
    say = Say(
        key=once or f"reply:{origin.chat_id}:{origin.message_id}",
        chat_id=origin.chat_id,
        thread_id=origin.thread_id,
        reply_to=origin.message_id,
        body=told.into(origin.language),
        job_id=job_id,
    )
    tx.outbox.add(say, now)


def reply_once(
    tx: Transaction,
    origin: Origin,
    told: Sentence | Lines,
    now: Instant,
    *,
    about: str,
    job_id: int | None = None,
) -> None:
    """Say something in reply to a message, unless the like was said within a minute; `about` names what is alike."""
    key, turn = f"{about}:{origin.chat_id}", now // TOLD_ONCE_IN
    if not any(tx.outbox.was_said_since(f"{key}:{each}", now - TOLD_ONCE_IN) for each in (turn, turn - 1)):
        reply(tx, origin, told, now, once=f"{key}:{turn}", job_id=job_id)


def note(tx: Transaction, origin: Origin, update_id: int, now: Instant) -> None:
    """Put a sign on a message that its change was noticed; in a group there are no more signs than two."""
    if origin.is_group or tx.outbox.is_full(origin.chat_id, Kind.REACTION):
        return
    say = Say(
        key=f"noted:{update_id}",
        kind=Kind.REACTION,
        chat_id=origin.chat_id,
        reply_to=origin.message_id,
        body=NOTED,
    )
    tx.outbox.add(say, now)


def toast(tx: Transaction, origin: Origin, press_id: str, told: Sentence | None, now: Instant) -> None:
    """Answer a press of a button, without words where what it did can be seen; not while very many wait."""
    if tx.outbox.is_full(origin.chat_id, Kind.TOAST):
        return
    words = "" if told is None else told.into(origin.language)
    say = Say(key=f"{LAST}press:{press_id}", kind=Kind.TOAST, chat_id=origin.chat_id, body=words, press_id=press_id)
    tx.outbox.add(say, now)
