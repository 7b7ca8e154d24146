"""How a picture gets from Telegram to Kie.

`upload`: through our process, under a name that nobody can guess. `direct`: Kie
fetches it from Telegram, by an address that holds the bot token, which is why
that address is asked for at the last moment and stored nowhere.
"""

import secrets
from urllib.parse import urlsplit

from bot.clock import Instant, seconds_between
from bot.images.convert import ImageChange, SendableImage
from bot.job import Job, SourceImage
from bot.kie.client import KieClient
from bot.telegram.client import TelegramClient

#: Seconds; Kie's documentation says 24 hours or 3 days, depending on the page (2026).
UPLOAD_VALID_FOR = 20 * 3600.0

#: Kie refuses an address whose path does not end like a picture's.
IMAGE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp")


class ImageUploader:
    """Carries pictures to where Kie can fetch them."""

    def __init__(self, chat: TelegramClient, kie: KieClient, *, direct: bool) -> None:
        self._chat = chat
        self._kie = kie
        self._direct = direct

    def is_fresh(self, source: SourceImage, now: Instant) -> bool:
        """Say whether Kie can fetch this picture for long enough."""
        return source.uploaded_at is not None and seconds_between(source.uploaded_at, now) < UPLOAD_VALID_FOR

    async def upload(self, source: SourceImage, fitted: SendableImage, *, telegram_has_it: bool = True) -> str | None:
        """Make the picture fetchable and return its address, None for one that must not be stored.

        What had to be changed is uploaded in any case: Telegram only has the original.
        """
        as_it_is = self._direct and telegram_has_it and fitted.change is ImageChange.AS_IS
        if as_it_is and _has_image_extension(await self._chat.get_file_url(source.file_id)):
            return None
        name = f"{secrets.token_hex(16)}.{fitted.format.extension}"
        return await self._kie.upload_image(fitted.content, name=name, mime=fitted.format.mime)

    async def image_urls(self, job: Job) -> list[str]:
        """Return the addresses of a job's pictures, for the order."""
        return [source.upload_url or await self._chat.get_file_url(source.file_id) for source in job.request.sources]


def _has_image_extension(url: str) -> bool:
    return urlsplit(url).path.lower().endswith(IMAGE_EXTENSIONS)
