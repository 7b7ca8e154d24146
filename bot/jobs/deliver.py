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

from bot.chat.buttons import Action, Button
from bot.chat.client import Chat, Media, Place
from bot.chat.errors import ChatError, Doubtful, Misplaced, Rejected
from bot.job import Instant, Job
from bot.jobs.bell import Bell
from bot.jobs.pauses import MOST_SENDS_IN_DOUBT
from bot.jobs.withdrawal import check_wanted, confirm_wanted
from bot.pictures.fetch import Fetcher
from bot.pictures.fetch_picture import fetch_picture
from bot.pictures.inspect import Picture, PictureError, fits_as_photo
from bot.store.connection import Database
from bot.store.outbox import Kind, Parcel
from bot.store.transaction import Transaction
from bot.texts import Sentence, sentence
from bot.wish import AnswerAs

log = logging.getLogger(__name__)

#: Telegram shows an action for five seconds.
SHOW_AGAIN_AFTER = 4.5

#: Answers of which it is remembered that the action was shown; beyond it all are forgotten.
MOST_REMEMBERED = 1000

#: How often the action is shown for one edit in a group, where others see it too.
MOST_SHOWN_IN_GROUPS = 2


class Undeliverable(Exception):
    """There is something, but no picture that could be sent."""


class EditUncertain(Doubtful):
    """The status message may have become the answer."""


class Unconfirmed(Exception):
    """It was sent as often as makes sense, and nobody knows whether it arrived."""


class Deliver:
    """The step that gives a succeeded job's picture to the person."""

    def __init__(self, db: Database, chat: Chat, fetcher: Fetcher, bell: Bell, *, clock: Callable[[], Instant]) -> None:
        self._db = db
        self._chat = chat
        self._fetcher = fetcher
        self._bell = bell
        self._clock = clock
        #: answers in groups for which the action was shown
        self._shown: set[int] = set()

    async def run(self, parcel: Parcel, place: Place) -> int:
        """Fetch and send the picture; return the id of the message.

        Raises FetchError or a ChatError when it may work later, Undeliverable when it never will, Unconfirmed
        when once more would be too often, Withdrawn when it must not be sent any more.
        """
        job = parcel.job
        if job is None or job.result_url is None:
            raise Undeliverable("its address was erased")
        async with self._shown_as_uploading(place, self._times_to_show(parcel)):
            content, picture = await self._fetched(job.result_url)
            if parcel.say.kind is Kind.FILE:
                await confirm_wanted(self._db, parcel)
                return await self._chat.send(place, Media(content, _name(picture), parcel.say.body, as_file=True))
            status = await self._answering(parcel, job)
            return await self._answer(parcel, place, _answer(job, content, picture, parcel.say.body), job, status)

    async def _fetched(self, url: str) -> tuple[bytes, Picture]:
        try:
            return await fetch_picture(self._fetcher, url)
        except PictureError as error:
            raise Undeliverable(f"Kie made a picture that is of no use: {error}") from None

    async def _answering(self, parcel: Parcel, job: Job) -> Parcel | None:
        """Write down that the answer is on its way; return the message that it can be put into, if it is in doubt."""
        status = await self._bell.commit(self._db, lambda tx: _on_its_way(tx, parcel, job, self._clock()))
        if job.answering_at is not None and parcel.say.is_answer:
            log.warning("job %d: the answer may come twice", job.id, extra={"job": job.id})
        return status

    async def _answer(self, parcel: Parcel, place: Place, media: Media, job: Job, status: Parcel | None) -> int:
        try:
            turned = await self._turned(parcel, media, status)
            if turned is None and parcel.in_doubt >= MOST_SENDS_IN_DOUBT:
                raise Unconfirmed(f"it was sent {parcel.in_doubt} times, and each time it may have arrived")
            return turned or await self._chat.send(place, media)
        except Rejected as error:
            if media.as_file or isinstance(error, Misplaced):
                raise
            log.info("Telegram does not take it as a photo, so it goes as a file: %s", error)
        await confirm_wanted(self._db, parcel)
        return await self._chat.send(place, _as_file(job, media))

    async def _turned(self, parcel: Parcel, media: Media, status: Parcel | None) -> int | None:
        """Turn the status message into the picture; None where there is none to turn."""
        if status is None or status.message_id is None:
            return None
        try:
            await self._chat.turn_into(status.say.chat_id, status.message_id, media)
        except Doubtful as error:
            raise EditUncertain(str(error)) from None
        except Rejected as error:
            log.info("the status message cannot become the answer: %s", error)
            await confirm_wanted(self._db, parcel)
            return None
        return status.message_id

    def _times_to_show(self, parcel: Parcel) -> int | None:
        """Return how often the action may be shown at this try, None for as often as it takes."""
        if parcel.say.chat_id > 0:
            return None
        is_first_try = parcel.say.kind is Kind.PICTURE and parcel.tries == 0 and parcel.in_doubt == 0
        if not is_first_try or parcel.id in self._shown:  # that Telegram put it off counts as no try
            return 0
        if len(self._shown) >= MOST_REMEMBERED:
            self._shown.clear()
        self._shown.add(parcel.id)
        return MOST_SHOWN_IN_GROUPS

    @asynccontextmanager
    async def _shown_as_uploading(self, place: Place, most: int | None) -> AsyncIterator[None]:
        showing = asyncio.create_task(self._show(place, most))
        try:
            yield
        finally:
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing

    async def _show(self, place: Place, most: int | None) -> None:
        for _ in itertools.count() if most is None else range(most):
            try:
                await self._chat.show_uploading(place)
            except ChatError as error:
                log.debug("the uploading action was not shown: %s", error)
                return
            except Exception:  # a nicety must not make of a picture that was sent one that was not
                log.exception("the uploading action was not shown: a mistake in the bot")
                return
            await asyncio.sleep(SHOW_AGAIN_AFTER)


def _on_its_way(tx: Transaction, parcel: Parcel, job: Job, now: Instant) -> Parcel | None:
    check_wanted(tx, parcel)
    if not parcel.say.is_answer:
        return None  # the job was answered before, in words
    tx.jobs.note(job, answering_at=now)
    return None if job.answering_at is None else tx.statuses.of(job.id)


def _answer(job: Job, content: bytes, picture: Picture, caption: str) -> Media:
    wants_photo = job.request.form.answer_as is not AnswerAs.FILE
    media = Media(content, _name(picture), caption)
    if wants_photo and fits_as_photo(picture):
        return replace(media, buttons=_buttons(job, offers_original=job.request.form.answer_as is AnswerAs.PHOTO))
    return _as_file(job, media) if wants_photo else replace(media, as_file=True, buttons=_buttons(job))


def _as_file(job: Job, media: Media) -> Media:
    """Return an answer that should have been a photo, and cannot."""
    return replace(media, as_file=True, caption=_words(job, sentence("answer-as-file")), buttons=_buttons(job))


def _buttons(job: Job, *, offers_original: bool = False) -> tuple[Button, ...]:
    offered = [
        ("button-variation", Action.VARIATION),
        *([("button-original", Action.ORIGINAL)] if offers_original else []),
        ("button-delete", Action.DELETE),
    ]
    return tuple(Button(_words(job, sentence(name)), action, job.id) for name, action in offered)


def _words(job: Job, told: Sentence) -> str:
    return told.into(job.request.language)


def _name(picture: Picture) -> str:
    return f"edited.{picture.kind.extension}"
