"""Words without a picture: which picture do they mean?

A reply means what it replies to. Other words belong to the newest picture of
the sender in this chat that still waits for some.
"""

from dataclasses import replace

from bot.job import FINAL, MAX_PROMPT, WORDS_AWAITED, Instant, Job, Source, State, later
from bot.store.jobs import form_columns
from bot.store.parts import PartKind
from bot.store.transaction import Transaction
from bot.talk.meanings import Origin, RepliedTo, WordsSent
from bot.talk.replying import note, reply, reply_once
from bot.talk.requests import is_admitted, is_usable, wish_made
from bot.talk.room import Room
from bot.texts import Sentence, sentence


def words_sent(
    tx: Transaction, room: Room, origin: Origin, sent: WordsSent, received_at: Instant, now: Instant
) -> None:
    """Take words as the wish for a picture, or say what is missing."""
    if tx.parts.of(origin.chat_id, origin.message_id) is not None:
        return  # seen before
    waiting = _waiting(tx, origin, sent.reply_to)
    sources = () if waiting is not None or sent.reply_to is None else _meant(tx, origin, sent.reply_to)
    if waiting is None and not sources and sent.reply_to is not None and _job_about(tx, origin, sent.reply_to) is None:
        waiting = _waiting(tx, origin, None)  # a reply to nothing that could be edited is as good as any words
    if waiting is None and not sources:
        _say_nothing_meant(tx, origin, sent.reply_to, now)
    elif not is_usable(sent.words) and (sent.words or not sources):
        job_id = None if waiting is None else waiting.id
        reply_once(tx, origin, _unusable(sent.words), now, about=f"unusable:{job_id or 0}", job_id=job_id)
    elif waiting is not None:
        _answered(tx, room, waiting, origin, sent.words, now)
    else:
        wish_made(tx, room, origin, sent.words, sources, received_at, now)


def _answered(tx: Transaction, room: Room, job: Job, origin: Origin, words: str, now: Instant) -> None:
    """Give a request the words that it waited for."""
    tx.parts.forget_words(job.id)
    tx.parts.add(job.id, origin.chat_id, origin.message_id, PartKind.TEXT, words)
    if is_admitted(tx, room, job, origin, now) and job.closes_by is None:
        tx.complete(job, words, now)


def _unusable(words: str) -> Sentence:
    return sentence("prompt-too-long", length=len(words), most=MAX_PROMPT) if words else sentence("no-words")


def _waiting(tx: Transaction, origin: Origin, reply_to: RepliedTo | None) -> Job | None:
    """Return the request that these words complete."""
    if reply_to is None:
        return next(
            (job for job in tx.jobs.gathering_of(origin.user_id, origin.chat_id) if _lacks_words(tx, job)), None
        )
    job = _job_about(tx, origin, reply_to)
    if job is None or job.state is not State.GATHERING or job.request.user_id != origin.user_id:
        return None
    # a reply to one item of an album means that item, and not the album
    is_one_of_several = reply_to.source is not None and len(job.request.sources) > 1
    return None if is_one_of_several or not _lacks_words(tx, job) else job


def _lacks_words(tx: Transaction, job: Job) -> bool:
    return not is_usable(tx.parts.prompt(job.id))


def _job_about(tx: Transaction, origin: Origin, reply_to: RepliedTo) -> Job | None:
    """Return the job that a message is about, whether it is the person's or one of ours."""
    if reply_to.message_id is None:
        return None
    part = tx.parts.of(origin.chat_id, reply_to.message_id)
    job_id = part.job_id if part else tx.outbox.job_of(origin.chat_id, reply_to.message_id)
    return None if job_id is None else tx.jobs.get(job_id)


def _meant(tx: Transaction, origin: Origin, reply_to: RepliedTo) -> tuple[Source, ...]:
    """Return the pictures that a reply is about; none when it is about something else."""
    job = _job_about(tx, origin, reply_to)
    if job is not None and _is_deleted(tx, origin, reply_to, job):
        return ()
    if reply_to.source is not None:
        return (replace(reply_to.source, full_url=_best_of(tx, origin, reply_to)),)
    if job is None or job.state not in FINAL:
        return ()
    # a word about an edit, the person's or ours: another wish for the same pictures
    return tuple(replace(source, upload_url=None, uploaded_at=None) for source in job.request.sources)


def _is_deleted(tx: Transaction, origin: Origin, reply_to: RepliedTo, job: Job) -> bool:
    """Say whether what a reply is about was deleted: an answer of ours for all, its request for all but the asker."""
    if job.answer_deleted_at is None or reply_to.message_id is None:
        return False
    if reply_to.source is None:
        return origin.user_id != job.request.user_id
    return tx.outbox.job_of(origin.chat_id, reply_to.message_id) == job.id  # and not a picture that a person sent


def _best_of(tx: Transaction, origin: Origin, reply_to: RepliedTo) -> str | None:
    """Return where Kie has a picture better than Telegram, which is so for our answers."""
    about = None if reply_to.message_id is None else tx.outbox.job_of(origin.chat_id, reply_to.message_id)
    job = None if about is None else tx.jobs.get(about)
    return None if job is None else job.result_url


def _say_nothing_meant(tx: Transaction, origin: Origin, reply_to: RepliedTo | None, now: Instant) -> None:
    job = None if reply_to is None else _job_about(tx, origin, reply_to)
    if job is not None and job.state not in FINAL:
        reply_once(tx, origin, sentence("still-under-way", where=origin.where), now, about=f"under-way:{job.id}")
        return
    if job is not None and job.answer_deleted_at is not None:
        reply_once(tx, origin, sentence("picture-deleted"), now, about=f"deleted:{job.id}")
        return
    # what a reply is about may be hidden; when it is shown, there is no picture in it
    sees_it = reply_to is not None or origin.hears_all or tx.chats.hears_all(origin.chat_id)
    told = sentence("no-picture", where=origin.where if sees_it else "half-deaf")
    reply_once(tx, origin, told, now, about="no-picture")


def words_changed(tx: Transaction, room: Room, origin: Origin, words: str, update_id: int, now: Instant) -> None:
    """Follow a person who edits a caption or a text, for as long as nothing is ordered."""
    part = tx.parts.of(origin.chat_id, origin.message_id)
    job = None if part is None else tx.jobs.get(part.job_id)
    if part is None or job is None or part.words == words or job.request.user_id != origin.user_id:
        return
    if job.state in FINAL:
        reply(tx, origin, sentence("change-after-the-end"), now, once=f"job:{job.id}:changed-after", job_id=job.id)
    elif job.state not in (State.GATHERING, State.QUEUED):
        reply(tx, origin, sentence("too-late-to-change", where=origin.where), now, once=f"job:{job.id}:changed-late")
    else:
        tx.parts.reword(origin.chat_id, origin.message_id, words)
        _follow(tx, room, job, origin, part.words, update_id, now)


def _follow(tx: Transaction, room: Room, job: Job, origin: Origin, before: str, update_id: int, now: Instant) -> None:
    """Give a request the words that it has after a change, unless they are of no use."""
    prompt = tx.parts.prompt(job.id)
    if job.state is State.QUEUED and not is_usable(prompt):
        tx.parts.reword(origin.chat_id, origin.message_id, before)
        reply(tx, origin, _unusable(prompt) if prompt else sentence("no-words-left"), now, once=f"changed:{update_id}")
    elif job.state is State.QUEUED:
        wished = tx.wished(job.request, prompt)
        if wished != job.request:  # else an earlier caption of the album still counts
            tx.jobs.note(job, prompt=wished.prompt, **form_columns(wished.form))
            note(tx, origin, update_id, now)
    elif is_usable(prompt):
        if is_admitted(tx, room, job, origin, now) and job.closes_by is None:
            tx.complete(job, prompt, now)
    else:
        if not prompt:
            tx.quota.wait_for_words(job.id)  # at once, and not only when its album is closed
        if job.closes_by is None:
            tx.jobs.note(job, due_at=later(now, WORDS_AWAITED))
            tx.statuses.touch(job.id, now)
