"""What is said in answer to one message of a person.

An answer to every message is a promise only for edits. Nobody reads thousands of replies that
leave one a second, so what costs nothing to ask for is answered as long as not too much waits for
the chat, and what says that a message means nothing to us is said once a minute there.
"""

from bot.clock import Instant
from bot.handlers.update_types import UpdateOrigin
from bot.i18n import Sentence, SentenceList
from bot.store.outbox import EPHEMERAL_KEY_PREFIX, MessageDraft, MessageKind
from bot.store.transaction import Transaction

#: On a message whose change was taken over.
EDIT_NOTED_REACTION = "✍"

#: Milliseconds within which something is said once in each chat: hundreds of pictures are not worth as many words.
REPEAT_WINDOW_MS = 60_000


def reply(
    tx: Transaction,
    origin: UpdateOrigin,
    told: Sentence | SentenceList,
    now: Instant,
    *,
    once: str | None = None,
    job_id: int | None = None,
) -> None:
    """Say something in reply to a message, once; `once` names what it is about when several messages cause it.

    With a job, a reply to what is said here is about that job's pictures. Where very many replies wait for the chat
    already, nothing is said.
    """
    if tx.outbox.has_max_pending(origin.chat_id, MessageKind.TEXT):
        return
    say = MessageDraft(
        key=once or f"reply:{origin.chat_id}:{origin.message_id}",
        chat_id=origin.chat_id,
        thread_id=origin.thread_id,
        reply_to=origin.message_id,
        body=told.translate(origin.language),
        job_id=job_id,
    )
    tx.outbox.add(say, now)


def reply_once(
    tx: Transaction,
    origin: UpdateOrigin,
    told: Sentence | SentenceList,
    now: Instant,
    *,
    about: str,
    job_id: int | None = None,
) -> None:
    """Say something in reply to a message, unless the like was said within a minute; `about` names what is alike."""
    key, turn = f"{about}:{origin.chat_id}", now // REPEAT_WINDOW_MS
    if not any(tx.outbox.was_written_since(f"{key}:{each}", now - REPEAT_WINDOW_MS) for each in (turn, turn - 1)):
        reply(tx, origin, told, now, once=f"{key}:{turn}", job_id=job_id)


def react_to_edit(tx: Transaction, origin: UpdateOrigin, update_id: int, now: Instant) -> None:
    """Put a sign on a message that its change was noticed; in a group there are no more signs than two."""
    if origin.is_group or tx.outbox.has_max_pending(origin.chat_id, MessageKind.REACTION):
        return
    say = MessageDraft(
        key=f"noted:{update_id}",
        kind=MessageKind.REACTION,
        chat_id=origin.chat_id,
        reply_to=origin.message_id,
        body=EDIT_NOTED_REACTION,
    )
    tx.outbox.add(say, now)


def answer_button_press(
    tx: Transaction, origin: UpdateOrigin, press_id: str, told: Sentence | None, now: Instant
) -> None:
    """Answer a press of a button, without words where what it did can be seen; not while very many wait."""
    if tx.outbox.has_max_pending(origin.chat_id, MessageKind.CALLBACK_ANSWER):
        return
    words = "" if told is None else told.translate(origin.language)
    say = MessageDraft(
        key=f"{EPHEMERAL_KEY_PREFIX}press:{press_id}",
        kind=MessageKind.CALLBACK_ANSWER,
        chat_id=origin.chat_id,
        body=words,
        callback_query_id=press_id,
    )
    tx.outbox.add(say, now)
