"""How a picture gets from Telegram to Kie.

`upload`: through our process, under a name that nobody can guess. `direct`: Kie
fetches it from Telegram, by an address that holds the bot token, which is why
that address is asked for at the last moment and stored nowhere.
"""

import secrets
from urllib.parse import urlsplit

from bot.chat.client import Chat
from bot.job import Instant, Job, Source, seconds_between
from bot.kie.client import Kie
from bot.pictures.convert import Fitted, How

#: Seconds; Kie's documentation says 24 hours or 3 days, depending on the page (2026).
UPLOAD_KEEPS = 20 * 3600.0

#: Kie refuses an address whose path does not end like a picture's.
EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp")


class Transport:
    """Carries pictures to where Kie can fetch them."""

    def __init__(self, chat: Chat, kie: Kie, *, direct: bool) -> None:
        self._chat = chat
        self._kie = kie
        self._direct = direct

    def is_fresh(self, source: Source, now: Instant) -> bool:
        """Say whether Kie can fetch this picture for long enough."""
        return source.uploaded_at is not None and seconds_between(source.uploaded_at, now) < UPLOAD_KEEPS

    async def carry(self, source: Source, fitted: Fitted, *, telegram_has_it: bool = True) -> str | None:
        """Make the picture fetchable and return its address, None for one that must not be stored.

        What had to be changed is uploaded in any case: Telegram only has the original.
        """
        as_it_is = self._direct and telegram_has_it and fitted.how is How.AS_IS
        if as_it_is and _is_named_like_a_picture(await self._chat.file_url(source.file_id)):
            return None
        name = f"{secrets.token_hex(16)}.{fitted.kind.extension}"
        return await self._kie.upload(fitted.content, name=name, mime=fitted.kind.mime)

    async def addresses(self, job: Job) -> list[str]:
        """Return the addresses of a job's pictures, for the order."""
        return [source.upload_url or await self._chat.file_url(source.file_id) for source in job.request.sources]


def _is_named_like_a_picture(url: str) -> bool:
    return urlsplit(url).path.lower().endswith(EXTENSIONS)
