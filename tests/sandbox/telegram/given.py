"""What the tests of the local Telegram start from."""

import io

from PIL import Image
from telegram import Bot

from bot.sandbox.telegram import LocalTelegram

TOKEN = "123456:" + "not-a-real-token"


def bot_for(telegram: LocalTelegram, token: str = TOKEN) -> Bot:
    return Bot(token, base_url=f"{telegram.url}/bot", base_file_url=f"{telegram.url}/file/bot")


def picture(width: int = 64, height: int = 48, kind: str = "PNG", **options: object) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (width, height), "orange").save(written, kind, **options)
    return written.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))
