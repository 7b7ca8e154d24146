"""Turns images into requests: complete ones are queued, the others wait for more images or for a prompt."""

from dataclasses import replace

from bot import job_operations
from bot.clock import Instant, add_seconds
from bot.handlers.quotas import QuotaPolicy
from bot.handlers.replies import reply
from bot.handlers.update_types import AlbumItemSent, ImageSent, UpdateContext
from bot.i18n import Sentence, sentence
from bot.job import (
    MAX_ALBUM_SECONDS,
    MAX_IMAGES,
    MAX_PROMPT_LENGTH,
    PROMPT_TIMEOUT,
    EditRequest,
    Job,
    SourceImage,
    State,
    is_valid_prompt,
)
from bot.store.jobs import OpenAlbum
from bot.store.request_messages import RequestMessageKind
from bot.telegram.client import MAX_DOWNLOAD_BYTES


def handle_image(ctx: UpdateContext, quotas: QuotaPolicy, image: ImageSent) -> None:
    """Queue an image that came with a prompt, or ask for a prompt."""
    if image.source.size is not None and image.source.size > MAX_DOWNLOAD_BYTES:
        reply(ctx, sentence("file-too-large"))
    elif not is_known_message(ctx) and not quotas.refuse_if_exceeded(ctx):
        _start_request(ctx, quotas, (image.source,), RequestMessageKind.IMAGE, image.caption)


def handle_album_item(ctx: UpdateContext, quotas: QuotaPolicy, item: AlbumItemSent, album_window: float) -> None:
    """Add an item to its album, which closes after `album_window` seconds without another one (debounce)."""
    job = ctx.tx.jobs.get_by_album(ctx.origin.chat_id, item.media_group_id)
    closes_at = add_seconds(ctx.now, album_window)
    if job is None:
        if quotas.refuse_if_exceeded(ctx, album=item.media_group_id):
            return
        album = OpenAlbum(item.media_group_id, closes_by=add_seconds(ctx.now, MAX_ALBUM_SECONDS))
        request = _build_request(ctx, quotas, (item.source,) if item.source else ())
        job = _store_request(ctx, request, State.GATHERING, _message_kind(item), item.caption, closes_at, album)
        _admit_album(ctx, quotas, job)
    elif job.state is State.GATHERING and job.closes_by is not None:
        _add_album_item(ctx, job, item, min(closes_at, job.closes_by))
        _admit_album(ctx, quotas, job)
    elif item.source is not None and not _was_cancelled_by_user(job) and not is_known_message(ctx):
        reply(ctx, sentence("late-item", where=ctx.origin.chat_type), once=f"late:{job.id}")


def create_request_from_text(
    ctx: UpdateContext, quotas: QuotaPolicy, prompt: str, sources: tuple[SourceImage, ...]
) -> None:
    """Queue a request for images that are in the chat already; without a prompt, ask for one."""
    if not quotas.refuse_if_exceeded(ctx):
        numbered = tuple(replace(source, position=position) for position, source in enumerate(sources))
        _start_request(ctx, quotas, numbered, RequestMessageKind.TEXT, prompt)


def admit_or_refuse(ctx: UpdateContext, quotas: QuotaPolicy, job: Job) -> bool:
    """Charge a request whose prompt has come, or reply which daily limit is exhausted; return whether it is charged."""
    refusal = quotas.admit(ctx, job)
    if refusal is not None:
        reply(ctx, refusal, job_id=job.id)
    return refusal is None


def is_known_message(ctx: UpdateContext) -> bool:
    """Return whether the message belongs to a request already (deduplication: delivery is at-least-once)."""
    return ctx.tx.request_messages.get(ctx.origin.chat_id, ctx.origin.message_id) is not None


def _start_request(
    ctx: UpdateContext, quotas: QuotaPolicy, sources: tuple[SourceImage, ...], kind: RequestMessageKind, prompt: str
) -> None:
    tx, request = ctx.tx, _build_request(ctx, quotas, sources)
    if is_valid_prompt(prompt):
        job = _store_request(ctx, job_operations.with_prompt(tx, request, prompt), State.QUEUED, kind, prompt)
        if job is not None:
            job_operations.enqueue(tx, job, ctx.now)
    else:
        job = _store_request(ctx, request, State.GATHERING, kind, prompt, add_seconds(ctx.now, PROMPT_TIMEOUT))
        if job is not None:
            tx.progress_messages.open_or_refresh(job, ctx.now)


def _build_request(ctx: UpdateContext, quotas: QuotaPolicy, sources: tuple[SourceImage, ...]) -> EditRequest:
    return EditRequest(
        chat_id=ctx.origin.chat_id,
        user_id=ctx.origin.user_id,
        charged_to=quotas.charged_to(ctx),
        message_id=ctx.origin.message_id,
        thread_id=ctx.origin.thread_id,
        prompt="",
        sources=sources,
        received_at=ctx.received_at,
        language=ctx.origin.language,
    )


def _store_request(
    ctx: UpdateContext,
    request: EditRequest,
    state: State,
    kind: RequestMessageKind,
    text: str,
    due_at: Instant | None = None,
    album: OpenAlbum | None = None,
) -> Job | None:
    """Store a request and its first message; None when that message is known."""
    if is_known_message(ctx):
        return None
    job_id = ctx.tx.jobs.add(request, state, ctx.now, due_at, album=album)
    ctx.tx.request_messages.add(job_id, ctx.origin.chat_id, ctx.origin.message_id, kind, text)
    return ctx.tx.jobs.get(job_id)


def _add_album_item(ctx: UpdateContext, job: Job, item: AlbumItemSent, closes_at: Instant) -> None:
    origin = ctx.origin
    is_new = ctx.tx.request_messages.add(job.id, origin.chat_id, origin.message_id, _message_kind(item), item.caption)
    if not is_new:
        return
    if item.source is not None:
        ctx.tx.jobs.add_source_images(job.id, [item.source])
    is_complete = len(job.request.sources) + 1 == MAX_IMAGES and item.source is not None
    ctx.tx.jobs.update(job, due_at=ctx.now if is_complete else closes_at)


def _admit_album(ctx: UpdateContext, quotas: QuotaPolicy, job: Job | None) -> None:
    if job is not None and is_valid_prompt(ctx.tx.request_messages.get_prompt(job.id)):
        admit_or_refuse(ctx, quotas, job)


def _was_cancelled_by_user(job: Job) -> bool:
    # an album without an image is cancelled as well when it closes, and only then has no `closes_by`
    was_closed_empty = not job.request.sources and job.closes_by is None
    return job.state is State.CANCELLED and job.reason is None and not was_closed_empty


def _message_kind(item: AlbumItemSent) -> RequestMessageKind:
    return RequestMessageKind.OTHER if item.source is None else RequestMessageKind.IMAGE


def explain_invalid_prompt(text: str) -> Sentence:
    """Return why a text cannot be a prompt."""
    return sentence("prompt-too-long", length=len(text), most=MAX_PROMPT_LENGTH) if text else sentence("no-words")
