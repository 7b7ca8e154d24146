"""Deliver a result: download it from Kie and send it to the user.

An answer that may already have arrived is repeated by editing the progress message into it, if there is one. That is
idempotent: doing it twice leaves one image.
"""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import KW_ONLY, dataclass, field, replace

from bot.clock import Instant
from bot.edit_options import AnswerAs
from bot.i18n import sentence
from bot.images.download import Downloader, download_image
from bot.images.errors import ImageError
from bot.images.format_detection import ImageInfo
from bot.images.inspect import fits_as_photo
from bot.job import Job
from bot.pipeline.finish_job import check_still_wanted, confirm_still_wanted
from bot.store.database import Database, Transaction
from bot.store.outbox import MessageKind, OutboxMessage
from bot.telegram.buttons import Button, ButtonAction
from bot.telegram.client import Destination, OutgoingImage, TelegramClient
from bot.telegram.errors import DeliveryUncertain, InvalidDestination, Rejected, TelegramApiError

log = logging.getLogger(__name__)

#: Sends of one message that may have arrived, after which it is given up.
MAX_UNCERTAIN_SENDS = 3

#: Seconds between two chat actions; Telegram shows one for five seconds or less (Bot API, sendChatAction).
CHAT_ACTION_INTERVAL = 4.5

#: Chat actions per edit in a group, where others see them too.
MAX_CHAT_ACTIONS_IN_GROUPS = 2

#: Answers remembered as having shown the chat action; beyond that, all are forgotten.
MAX_REMEMBERED = 1000


class Undeliverable(Exception):
    """There is no usable result to send."""


class MessageEditUncertain(DeliveryUncertain):
    """Telegram did not confirm the edit that turns the progress message into the answer."""


class DeliveryUnconfirmed(Exception):
    """The message was sent MAX_UNCERTAIN_SENDS times, and Telegram confirmed none of them."""


@dataclass(eq=False)
class ImageDeliverer:
    """The step that sends a job's result."""

    db: Database
    telegram: TelegramClient
    downloader: Downloader
    _: KW_ONLY
    clock: Callable[[], Instant]
    #: answers in groups for which the chat action was shown
    _action_shown_for: set[int] = field(init=False, default_factory=set)

    async def run(self, message: OutboxMessage, place: Destination) -> int:
        """Download and send the result; return the id of the message.

        Raises DownloadError or TelegramApiError if a retry may help, Undeliverable if none will, DeliveryUnconfirmed
        after too many unconfirmed sends, and Withdrawn if it must no longer be sent.
        """
        job = message.job
        if job is None or job.result_url is None:
            raise Undeliverable("its address was erased")
        async with self._showing_upload_action(place, self._max_chat_actions(message)):
            try:
                content, info = await download_image(self.downloader, job.result_url)
            except ImageError as error:
                raise Undeliverable(f"Kie made a picture that is of no use: {error}") from None
            media = OutgoingImage(content, f"edited.{info.format.extension}", message.draft.body)
            if message.draft.kind is MessageKind.FILE:
                await confirm_still_wanted(self.db, message)
                return await self.telegram.send_image(place, replace(media, as_file=True))
            return await self._send_answer(message, job, place, _as_answer(job, media, info))

    async def _send_answer(self, message: OutboxMessage, job: Job, place: Destination, media: OutgoingImage) -> int:
        progress = await self.db.transact(lambda tx: _record_answering(tx, message, job, self.clock()))
        if job.answering_at is not None and message.draft.is_answer:
            log.warning("job %d: the answer may arrive twice", job.id, extra={"job": job.id})
        try:
            message_id = await self._replace_progress_message(message, progress, media)
            if message_id is None and message.uncertain_sends >= MAX_UNCERTAIN_SENDS:
                raise DeliveryUnconfirmed(
                    f"it was sent {message.uncertain_sends} times, and each time it may have arrived"
                )
            return message_id or await self.telegram.send_image(place, media)
        except Rejected as error:
            if media.as_file or isinstance(error, InvalidDestination):
                raise
            log.info("job %d: Telegram rejects the photo, sending a file: %s", job.id, error, extra={"job": job.id})
        await confirm_still_wanted(self.db, message)
        return await self.telegram.send_image(place, _as_file_instead(job, media))

    async def _replace_progress_message(
        self, message: OutboxMessage, progress: OutboxMessage | None, media: OutgoingImage
    ) -> int | None:
        """Edit the progress message into the answer; return its id, None if there is none or Telegram rejects it."""
        if progress is None or progress.message_id is None:
            return None
        try:
            await self.telegram.replace_with_image(progress.draft.chat_id, progress.message_id, media)
        except DeliveryUncertain as error:
            raise MessageEditUncertain(str(error)) from None
        except Rejected as error:
            log.info("the progress message cannot become the answer: %s", error)
            await confirm_still_wanted(self.db, message)
            return None
        return progress.message_id

    def _max_chat_actions(self, message: OutboxMessage) -> int | None:
        """Return how often to show the chat action during this try, None for no limit."""
        if message.draft.chat_id > 0:
            return None
        is_first_try = message.draft.kind is MessageKind.IMAGE and message.tries == 0 and message.uncertain_sends == 0
        if not is_first_try or message.id in self._action_shown_for:  # a rate limit does not count as a try
            return 0
        if len(self._action_shown_for) >= MAX_REMEMBERED:
            self._action_shown_for.clear()
        self._action_shown_for.add(message.id)
        return MAX_CHAT_ACTIONS_IN_GROUPS

    @asynccontextmanager
    async def _showing_upload_action(self, place: Destination, limit: int | None) -> AsyncIterator[None]:
        showing = asyncio.create_task(self._show_upload_action(place, limit))
        try:
            yield
        finally:
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing

    async def _show_upload_action(self, place: Destination, limit: int | None) -> None:
        for _ in itertools.count() if limit is None else range(limit):
            try:
                await self.telegram.send_uploading_action(place)
            except TelegramApiError as error:
                log.debug("the chat action was not shown: %s", error)
                return
            except Exception:  # the delivery must go on
                log.exception("the chat action was not shown: a bug in the bot")
                return
            await asyncio.sleep(CHAT_ACTION_INTERVAL)


def _record_answering(tx: Transaction, message: OutboxMessage, job: Job, now: Instant) -> OutboxMessage | None:
    """Store that the answer is being sent; if it may already have arrived, return the progress message to edit."""
    check_still_wanted(tx, message)
    if not message.draft.is_answer:
        return None  # the job was answered before, with a text
    tx.jobs.update(job, answering_at=now)
    return None if job.answering_at is None else tx.progress_messages.get(job.id)


def _as_answer(job: Job, media: OutgoingImage, info: ImageInfo) -> OutgoingImage:
    """Make a result the kind of answer that the user prefers, with buttons; a file if Telegram takes no such photo."""
    answer_as = job.request.options.answer_as
    if answer_as is AnswerAs.FILE:
        return replace(media, as_file=True, buttons=_answer_buttons(job))
    if fits_as_photo(info):
        return replace(media, buttons=_answer_buttons(job, offers_original=answer_as is AnswerAs.PHOTO))
    return _as_file_instead(job, media)


def _as_file_instead(job: Job, media: OutgoingImage) -> OutgoingImage:
    """Turn an answer that should have been a photo into a file, and say so in its caption."""
    caption = sentence("answer-as-file").translate(job.request.language)
    return replace(media, as_file=True, caption=caption, buttons=_answer_buttons(job))


def _answer_buttons(job: Job, *, offers_original: bool = False) -> tuple[Button, ...]:
    offered = {"button-variation": ButtonAction.VARIATION}
    if offers_original:
        offered["button-original"] = ButtonAction.SEND_ORIGINAL
    offered["button-delete"] = ButtonAction.DELETE_ANSWER
    return tuple(Button(sentence(key).translate(job.request.language), offered[key], job.id) for key in offered)
