"""Pictures become requests: complete ones are queued, the others wait for more pictures or for words."""

from dataclasses import replace

from bot import job_actions
from bot.clock import Instant, add_seconds
from bot.handlers.quotas import QuotaPolicy
from bot.handlers.replies import reply
from bot.handlers.update_types import AlbumItemSent, ImageSent, UpdateOrigin
from bot.i18n import sentence
from bot.job import (
    MAX_ALBUM_SECONDS,
    MAX_IMAGES,
    MAX_PROMPT_LENGTH,
    PROMPT_TIMEOUT,
    EditRequest,
    Job,
    SourceImage,
    State,
)
from bot.store.jobs import OpenAlbum
from bot.store.request_messages import RequestMessageKind
from bot.store.transaction import Transaction
from bot.telegram.client import MAX_DOWNLOAD_BYTES


def handle_image(
    tx: Transaction, room: QuotaPolicy, origin: UpdateOrigin, sent: ImageSent, received_at: Instant, now: Instant
) -> None:
    """Queue a picture that came with words, or ask what to change in it."""
    if sent.source.size is not None and sent.source.size > MAX_DOWNLOAD_BYTES:
        reply(tx, origin, sentence("file-too-large"), now)
        return
    if _is_duplicate(tx, origin) or room.refuse_if_exceeded(tx, origin, now):
        return
    request = _build_request(tx, room, origin, (sent.source,), received_at)
    if is_valid_prompt(sent.caption):
        _queue_request(tx, request, RequestMessageKind.IMAGE, sent.caption, now)
    else:
        _ask_for_prompt(tx, request, RequestMessageKind.IMAGE, sent.caption, now)


def handle_album_item(
    tx: Transaction,
    room: QuotaPolicy,
    origin: UpdateOrigin,
    item: AlbumItemSent,
    window: float,
    received_at: Instant,
    now: Instant,
) -> None:
    """Add an item to its album, which closes when `window` seconds pass without another one."""
    job = tx.jobs.get_by_album(origin.chat_id, item.media_group_id)
    if job is None:
        if room.refuse_if_exceeded(tx, origin, now, album=item.media_group_id):
            return
        album = OpenAlbum(item.media_group_id, closes_by=add_seconds(now, MAX_ALBUM_SECONDS))
        request = _build_request(tx, room, origin, (item.source,) if item.source else (), received_at)
        begun = _store_incomplete(tx, request, _message_kind(item), item.caption, now, add_seconds(now, window), album)
        _admit_album(tx, room, begun, origin, now)
    elif job.state is State.GATHERING and job.closes_by is not None:
        _add_album_item(tx, job, origin, item, min(add_seconds(now, window), job.closes_by), now)
        _admit_album(tx, room, job, origin, now)
    elif item.source is not None and not _was_cancelled_by_user(job) and not _is_message_stored(tx, origin):
        reply(tx, origin, sentence("late-item", where=origin.chat_type), now, once=f"late:{job.id}")


def create_request_from_text(
    tx: Transaction,
    room: QuotaPolicy,
    origin: UpdateOrigin,
    prompt: str,
    sources: tuple[SourceImage, ...],
    received_at: Instant,
    now: Instant,
) -> None:
    """Queue a request whose words came on their own, about pictures that are there already.

    A command alone says which pictures, so that only the words are missing.
    """
    if room.refuse_if_exceeded(tx, origin, now):
        return
    numbered = tuple(replace(source, position=place) for place, source in enumerate(sources))
    request = _build_request(tx, room, origin, numbered, received_at)
    if prompt:
        _queue_request(tx, request, RequestMessageKind.TEXT, prompt, now)
    else:
        _ask_for_prompt(tx, request, RequestMessageKind.TEXT, prompt, now)


def admit_or_refuse(tx: Transaction, room: QuotaPolicy, job: Job, origin: UpdateOrigin, now: Instant) -> bool:
    """Count a request whose words have come, or say why there is no room for it today."""
    refused = room.admit(tx, origin, job, now)
    if refused is not None:
        reply(tx, origin, refused, now, job_id=job.id)
    return refused is None


def _admit_album(tx: Transaction, room: QuotaPolicy, job: Job | None, origin: UpdateOrigin, now: Instant) -> None:
    if job is not None and is_valid_prompt(tx.request_messages.get_prompt(job.id)):
        admit_or_refuse(tx, room, job, origin, now)


def _is_duplicate(tx: Transaction, origin: UpdateOrigin) -> bool:
    return tx.request_messages.get(origin.chat_id, origin.message_id) is not None


def is_valid_prompt(prompt: str) -> bool:
    """Say whether there are words, and no more of them than Kie takes."""
    return 0 < len(prompt) <= MAX_PROMPT_LENGTH


def _queue_request(tx: Transaction, request: EditRequest, kind: RequestMessageKind, prompt: str, now: Instant) -> None:
    """Store a request that is complete."""
    job = _store_request(tx, job_actions.with_prompt(tx, request, prompt), State.QUEUED, kind, prompt, now)
    if job is not None:
        job_actions.enqueue(tx, job, now)


def _ask_for_prompt(tx: Transaction, request: EditRequest, kind: RequestMessageKind, words: str, now: Instant) -> None:
    """Store a request that lacks words, and ask for them."""
    job = _store_incomplete(tx, request, kind, words, now, add_seconds(now, PROMPT_TIMEOUT))
    if job is not None:
        tx.progress_messages.open_or_refresh(job, now)


def _store_incomplete(
    tx: Transaction,
    request: EditRequest,
    kind: RequestMessageKind,
    words: str,
    now: Instant,
    due_at: Instant,
    album: OpenAlbum | None = None,
) -> Job | None:
    """Store a request that lacks something; None when its message has been seen before."""
    return _store_request(tx, request, State.GATHERING, kind, words, now, due_at, album)


def _store_request(
    tx: Transaction,
    request: EditRequest,
    state: State,
    kind: RequestMessageKind,
    words: str,
    now: Instant,
    due_at: Instant | None = None,
    album: OpenAlbum | None = None,
) -> Job | None:
    message_id = request.message_id
    if message_id is None or tx.request_messages.get(request.chat_id, message_id) is not None:
        return None
    job_id = tx.jobs.add(request, state, now, due_at, album=album)
    tx.request_messages.add(job_id, request.chat_id, message_id, kind, words)
    return tx.jobs.get(job_id)


def _add_album_item(
    tx: Transaction, job: Job, origin: UpdateOrigin, item: AlbumItemSent, closes_at: Instant, now: Instant
) -> None:
    if not tx.request_messages.add(job.id, origin.chat_id, origin.message_id, _message_kind(item), item.caption):
        return
    if item.source is not None:
        tx.jobs.add_source_images(job.id, [item.source])
    is_whole = len(job.request.sources) + 1 == MAX_IMAGES and item.source is not None
    tx.jobs.update(job, due_at=now if is_whole else closes_at)


def _is_message_stored(tx: Transaction, origin: UpdateOrigin) -> bool:
    return tx.request_messages.get(origin.chat_id, origin.message_id) is not None


def _was_cancelled_by_user(job: Job) -> bool:
    # an album without a picture is closed as well, and only then without a time by which it closes
    was_closed_empty = not job.request.sources and job.closes_by is None
    return job.state is State.CANCELLED and job.reason is None and not was_closed_empty


def _message_kind(item: AlbumItemSent) -> RequestMessageKind:
    return RequestMessageKind.OTHER if item.source is None else RequestMessageKind.IMAGE


def _build_request(
    tx: Transaction, room: QuotaPolicy, origin: UpdateOrigin, sources: tuple[SourceImage, ...], received_at: Instant
) -> EditRequest:
    return EditRequest(
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
