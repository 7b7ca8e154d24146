"""Pictures become requests: complete ones are queued, the others wait for more pictures or for words."""

from dataclasses import replace

from bot.chat.client import MAX_DOWNLOAD
from bot.job import LONGEST_ALBUM, MAX_PICTURES, MAX_PROMPT, WORDS_AWAITED, Instant, Job, Request, Source, State, later
from bot.store.jobs import Album
from bot.store.parts import PartKind
from bot.store.transaction import Transaction
from bot.talk.meanings import AlbumItemSent, Origin, PictureSent
from bot.talk.replying import reply
from bot.talk.room import Room
from bot.texts import sentence


def picture_sent(
    tx: Transaction, room: Room, origin: Origin, sent: PictureSent, received_at: Instant, now: Instant
) -> None:
    """Queue a picture that came with words, or ask what to change in it."""
    if sent.source.size is not None and sent.source.size > MAX_DOWNLOAD:
        reply(tx, origin, sentence("file-too-large"), now)
        return
    if _is_seen(tx, origin) or room.is_refused(tx, origin, now):
        return
    request = _request(tx, room, origin, (sent.source,), received_at)
    if is_usable(sent.caption):
        _queue(tx, request, PartKind.PICTURE, sent.caption, now)
    else:
        _ask(tx, request, PartKind.PICTURE, sent.caption, now)


def album_item_sent(
    tx: Transaction, room: Room, origin: Origin, item: AlbumItemSent, window: float, received_at: Instant, now: Instant
) -> None:
    """Add an item to its album, which closes when `window` seconds pass without another one."""
    job = tx.jobs.of_album(origin.chat_id, item.group)
    if job is None:
        if room.is_refused(tx, origin, now, album=item.group):
            return
        album = Album(item.group, closes_by=later(now, LONGEST_ALBUM))
        request = _request(tx, room, origin, (item.source,) if item.source else (), received_at)
        begun = _begun(tx, request, _kind(item), item.caption, now, later(now, window), album)
        _admit_album(tx, room, begun, origin, now)
    elif job.state is State.GATHERING and job.closes_by is not None:
        _add(tx, job, origin, item, min(later(now, window), job.closes_by), now)
        _admit_album(tx, room, job, origin, now)
    elif item.source is not None and not _was_taken_back(job) and not _is_known(tx, origin):
        reply(tx, origin, sentence("late-item", where=origin.where), now, once=f"late:{job.id}")


def wish_made(
    tx: Transaction,
    room: Room,
    origin: Origin,
    prompt: str,
    sources: tuple[Source, ...],
    received_at: Instant,
    now: Instant,
) -> None:
    """Queue a request whose words came on their own, about pictures that are there already.

    A command alone says which pictures, so that only the words are missing.
    """
    if room.is_refused(tx, origin, now):
        return
    numbered = tuple(replace(source, place=place) for place, source in enumerate(sources))
    request = _request(tx, room, origin, numbered, received_at)
    if prompt:
        _queue(tx, request, PartKind.TEXT, prompt, now)
    else:
        _ask(tx, request, PartKind.TEXT, prompt, now)


def is_admitted(tx: Transaction, room: Room, job: Job, origin: Origin, now: Instant) -> bool:
    """Count a request whose words have come, or say why there is no room for it today."""
    refused = room.admit(tx, origin, job, now)
    if refused is not None:
        reply(tx, origin, refused, now, job_id=job.id)
    return refused is None


def _admit_album(tx: Transaction, room: Room, job: Job | None, origin: Origin, now: Instant) -> None:
    if job is not None and is_usable(tx.parts.prompt(job.id)):
        is_admitted(tx, room, job, origin, now)


def _is_seen(tx: Transaction, origin: Origin) -> bool:
    return tx.parts.of(origin.chat_id, origin.message_id) is not None


def is_usable(prompt: str) -> bool:
    """Say whether there are words, and no more of them than Kie takes."""
    return 0 < len(prompt) <= MAX_PROMPT


def _queue(tx: Transaction, request: Request, kind: PartKind, prompt: str, now: Instant) -> None:
    """Store a request that is complete."""
    job = _stored(tx, tx.wished(request, prompt), State.QUEUED, kind, prompt, now)
    if job is not None:
        tx.enter_line(job, now)


def _ask(tx: Transaction, request: Request, kind: PartKind, words: str, now: Instant) -> None:
    """Store a request that lacks words, and ask for them."""
    job = _begun(tx, request, kind, words, now, later(now, WORDS_AWAITED))
    if job is not None:
        tx.statuses.open(job, now)


def _begun(
    tx: Transaction,
    request: Request,
    kind: PartKind,
    words: str,
    now: Instant,
    due_at: Instant,
    album: Album | None = None,
) -> Job | None:
    """Store a request that lacks something; None when its message has been seen before."""
    return _stored(tx, request, State.GATHERING, kind, words, now, due_at, album)


def _stored(
    tx: Transaction,
    request: Request,
    state: State,
    kind: PartKind,
    words: str,
    now: Instant,
    due_at: Instant | None = None,
    album: Album | None = None,
) -> Job | None:
    message_id = request.message_id
    if message_id is None or tx.parts.of(request.chat_id, message_id) is not None:
        return None
    job_id = tx.jobs.add(request, state, now, due_at, album=album)
    tx.parts.add(job_id, request.chat_id, message_id, kind, words)
    return tx.jobs.get(job_id)


def _add(tx: Transaction, job: Job, origin: Origin, item: AlbumItemSent, closes_at: Instant, now: Instant) -> None:
    if not tx.parts.add(job.id, origin.chat_id, origin.message_id, _kind(item), item.caption):
        return
    if item.source is not None:
        tx.jobs.add_sources(job.id, [item.source])
    is_whole = len(job.request.sources) + 1 == MAX_PICTURES and item.source is not None
    tx.jobs.note(job, due_at=now if is_whole else closes_at)


def _is_known(tx: Transaction, origin: Origin) -> bool:
    return tx.parts.of(origin.chat_id, origin.message_id) is not None


def _was_taken_back(job: Job) -> bool:
    # an album without a picture is closed as well, and only then without a time by which it closes
    was_closed_empty = not job.request.sources and job.closes_by is None
    return job.state is State.CANCELLED and job.reason is None and not was_closed_empty


def _kind(item: AlbumItemSent) -> PartKind:
    return PartKind.OTHER if item.source is None else PartKind.PICTURE


def _request(tx: Transaction, room: Room, origin: Origin, sources: tuple[Source, ...], received_at: Instant) -> Request:
    return Request(
        chat_id=origin.chat_id,
        user_id=origin.user_id,
        charged_to=room.charged_to(tx, origin),
        message_id=origin.message_id,
        thread_id=origin.thread_id,
        prompt="",
        sources=sources,
        received_at=received_at,
        language=origin.language,
    )
