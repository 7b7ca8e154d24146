"""Deliver: fetches a finished picture from Kie and sends it to the person who asked for it.

An answer that may have arrived already is given again by turning the status
message into it, where there is one: doing that twice leaves one picture.
"""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from bot.clock import Instant
from bot.edit_options import AnswerAs
from bot.i18n import Sentence, sentence
from bot.images.download import Downloader, download_image
from bot.images.errors import ImageError
from bot.images.format_detection import ImageInfo
from bot.images.inspect import fits_as_photo
from bot.job import Job
from bot.pipeline.finish_job import check_still_wanted, confirm_still_wanted
from bot.store.database import Database
from bot.store.outbox import MessageKind, OutboxMessage
from bot.store.transaction import Transaction
from bot.telegram.buttons import Button, ButtonAction
from bot.telegram.client import Destination, OutgoingImage, TelegramClient
from bot.telegram.errors import DeliveryUncertain, InvalidDestination, Rejected, TelegramApiError

log = logging.getLogger(__name__)

#: How often to send something of which each send may have arrived.
MAX_UNCERTAIN_SENDS = 3

#: Telegram shows an action for five seconds.
CHAT_ACTION_INTERVAL = 4.5

#: Answers of which it is remembered that the action was shown; beyond it all are forgotten.
MAX_REMEMBERED = 1000

#: How often the action is shown for one edit in a group, where others see it too.
MAX_CHAT_ACTIONS_IN_GROUPS = 2


class Undeliverable(Exception):
    """There is something, but no picture that could be sent."""


class MessageEditUncertain(DeliveryUncertain):
    """The status message may have become the answer."""


class DeliveryUnconfirmed(Exception):
    """It was sent as often as makes sense, and nobody knows whether it arrived."""


class ImageDeliverer:
    """The step that gives a succeeded job's picture to the person."""

    def __init__(
        self, db: Database, chat: TelegramClient, fetcher: Downloader, *, clock: Callable[[], Instant]
    ) -> None:
        self._db = db
        self._chat = chat
        self._fetcher = fetcher
        self._clock = clock
        #: answers in groups for which the action was shown
        self._action_shown_for: set[int] = set()

    async def run(self, parcel: OutboxMessage, place: Destination) -> int:
        """Fetch and send the picture; return the id of the message.

        Raises FetchError or a ChatError when it may work later, Undeliverable when it never will, Unconfirmed
        when once more would be too often, Withdrawn when it must not be sent any more.
        """
        job = parcel.job
        if job is None or job.result_url is None:
            raise Undeliverable("its address was erased")
        async with self._showing_upload_action(place, self._max_chat_actions(parcel)):
            content, picture = await self._fetch(job.result_url)
            if parcel.draft.kind is MessageKind.FILE:
                await confirm_still_wanted(self._db, parcel)
                return await self._chat.send_image(
                    place, OutgoingImage(content, _file_name(picture), parcel.draft.body, as_file=True)
                )
            status = await self._mark_answering(parcel, job)
            return await self._send_answer(
                parcel, place, _answer_media(job, content, picture, parcel.draft.body), job, status
            )

    async def _fetch(self, url: str) -> tuple[bytes, ImageInfo]:
        try:
            return await download_image(self._fetcher, url)
        except ImageError as error:
            raise Undeliverable(f"Kie made a picture that is of no use: {error}") from None

    async def _mark_answering(self, parcel: OutboxMessage, job: Job) -> OutboxMessage | None:
        """Write down that the answer is on its way; return the message that it can be put into, if it is in doubt."""
        status = await self._db.transact(lambda tx: _record_answering(tx, parcel, job, self._clock()))
        if job.answering_at is not None and parcel.draft.is_answer:
            log.warning("job %d: the answer may come twice", job.id, extra={"job": job.id})
        return status

    async def _send_answer(
        self, parcel: OutboxMessage, place: Destination, media: OutgoingImage, job: Job, status: OutboxMessage | None
    ) -> int:
        try:
            turned = await self._replace_progress_message(parcel, media, status)
            if turned is None and parcel.uncertain_sends >= MAX_UNCERTAIN_SENDS:
                raise DeliveryUnconfirmed(
                    f"it was sent {parcel.uncertain_sends} times, and each time it may have arrived"
                )
            return turned or await self._chat.send_image(place, media)
        except Rejected as error:
            if media.as_file or isinstance(error, InvalidDestination):
                raise
            log.info("Telegram does not take it as a photo, so it goes as a file: %s", error)
        await confirm_still_wanted(self._db, parcel)
        return await self._chat.send_image(place, _as_file(job, media))

    async def _replace_progress_message(
        self, parcel: OutboxMessage, media: OutgoingImage, status: OutboxMessage | None
    ) -> int | None:
        """Turn the status message into the picture; None where there is none to turn."""
        if status is None or status.message_id is None:
            return None
        try:
            await self._chat.replace_with_image(status.draft.chat_id, status.message_id, media)
        except DeliveryUncertain as error:
            raise MessageEditUncertain(str(error)) from None
        except Rejected as error:
            log.info("the status message cannot become the answer: %s", error)
            await confirm_still_wanted(self._db, parcel)
            return None
        return status.message_id

    def _max_chat_actions(self, parcel: OutboxMessage) -> int | None:
        """Return how often the action may be shown at this try, None for as often as it takes."""
        if parcel.draft.chat_id > 0:
            return None
        is_first_try = parcel.draft.kind is MessageKind.IMAGE and parcel.tries == 0 and parcel.uncertain_sends == 0
        if not is_first_try or parcel.id in self._action_shown_for:  # that Telegram put it off counts as no try
            return 0
        if len(self._action_shown_for) >= MAX_REMEMBERED:
            self._action_shown_for.clear()
        self._action_shown_for.add(parcel.id)
        return MAX_CHAT_ACTIONS_IN_GROUPS

    @asynccontextmanager
    async def _showing_upload_action(self, place: Destination, most: int | None) -> AsyncIterator[None]:
        showing = asyncio.create_task(self._show_upload_action(place, most))
        try:
            yield
        finally:
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing

    async def _show_upload_action(self, place: Destination, most: int | None) -> None:
        for _ in itertools.count() if most is None else range(most):
            try:
                await self._chat.send_uploading_action(place)
            except TelegramApiError as error:
                log.debug("the uploading action was not shown: %s", error)
                return
            except Exception:  # a nicety must not make of a picture that was sent one that was not
                log.exception("the uploading action was not shown: a mistake in the bot")
                return
            await asyncio.sleep(CHAT_ACTION_INTERVAL)


def _record_answering(tx: Transaction, parcel: OutboxMessage, job: Job, now: Instant) -> OutboxMessage | None:
    check_still_wanted(tx, parcel)
    if not parcel.draft.is_answer:
        return None  # the job was answered before, in words
    tx.jobs.update(job, answering_at=now)
    return None if job.answering_at is None else tx.progress_messages.get(job.id)


def _answer_media(job: Job, content: bytes, picture: ImageInfo, caption: str) -> OutgoingImage:
    wants_photo = job.request.options.answer_as is not AnswerAs.FILE
    media = OutgoingImage(content, _file_name(picture), caption)
    if wants_photo and fits_as_photo(picture):
        return replace(
            media, buttons=_answer_buttons(job, offers_original=job.request.options.answer_as is AnswerAs.PHOTO)
        )
    return _as_file(job, media) if wants_photo else replace(media, as_file=True, buttons=_answer_buttons(job))


def _as_file(job: Job, media: OutgoingImage) -> OutgoingImage:
    """Return an answer that should have been a photo, and cannot."""
    return replace(
        media, as_file=True, caption=_localize(job, sentence("answer-as-file")), buttons=_answer_buttons(job)
    )


def _answer_buttons(job: Job, *, offers_original: bool = False) -> tuple[Button, ...]:
    offered = [
        ("button-variation", ButtonAction.VARIATION),
        *([("button-original", ButtonAction.SEND_ORIGINAL)] if offers_original else []),
        ("button-delete", ButtonAction.DELETE_ANSWER),
    ]
    return tuple(Button(_localize(job, sentence(name)), action, job.id) for name, action in offered)


def _localize(job: Job, told: Sentence) -> str:
    return told.translate(job.request.language)


def _file_name(picture: ImageInfo) -> str:
    return f"edited.{picture.format.extension}"
