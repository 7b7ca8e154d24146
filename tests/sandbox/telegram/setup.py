"""Helpers for the tests of the local Telegram."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from PIL import Image
from telegram import Bot
from telegram.request import HTTPXRequest

from bot.sandbox.telegram import LocalTelegram

TOKEN = "123456:" + "not-a-real-token"


@asynccontextmanager
async def serve_telegram(telegram: LocalTelegram) -> AsyncIterator[LocalTelegram]:
    await telegram.start()
    try:
        yield telegram
    finally:
        await telegram.stop()


def make_bot(telegram: LocalTelegram) -> Bot:
    # nothing is encrypted here, and loading the CA certificates takes longer than most tests
    plain, polling = (HTTPXRequest(httpx_kwargs={"verify": False}) for _ in range(2))
    base, files = f"{telegram.url}/bot", f"{telegram.url}/file/bot"
    return Bot(TOKEN, base_url=base, base_file_url=files, request=plain, get_updates_request=polling)


def make_image(width: int = 64, height: int = 48, kind: str = "PNG", **options: object) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (width, height), "orange").save(written, kind, **options)
    return written.getvalue()
