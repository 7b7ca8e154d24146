"""Fetches and checks a task's input images, from this machine only, so that nothing reaches the internet."""

import asyncio
import io
import ipaddress
from urllib.parse import urlsplit

import aiohttp
from PIL import Image

from bot.sandbox.fault_injection import Fault, FaultKind

#: documented as 10.0 MB
MAX_IMAGE_BYTES = 10 * 1024 * 1024
FETCH_TIMEOUT_SECONDS = 30.0

IMAGE_UNREACHABLE = "image_urls could not be downloaded, please check that the file is accessible"
IMAGE_TYPE_UNSUPPORTED = "image_urls file type not supported"
IMAGE_TOO_LARGE = "Images size exceeds limit"


class UnusableImageError(Exception):
    """An image that makes its task fail; the text is the task's failMsg."""


async def fetch_image(session: aiohttp.ClientSession, url: str, fault: Fault | None) -> bytes:
    """Fetch an image from a loopback URL and check it; raises `UnusableImageError`."""
    await _apply_fault(fault)
    if not is_loopback(url):
        raise UnusableImageError(IMAGE_UNREACHABLE)
    try:
        data = await _download(session, url)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UnusableImageError(IMAGE_UNREACHABLE) from error
    await asyncio.to_thread(_check_image, data)
    return data


async def _apply_fault(fault: Fault | None) -> None:
    match fault:
        case None:
            pass
        case Fault(kind=FaultKind.HANG):
            await asyncio.Event().wait()
        case Fault(kind=FaultKind.DELAY, seconds=seconds):
            await asyncio.sleep(seconds)
        case _:
            raise UnusableImageError(IMAGE_UNREACHABLE)


def is_loopback(url: str) -> bool:
    """Return whether a URL's host is this machine."""
    host = urlsplit(url).hostname
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


async def _download(session: aiohttp.ClientSession, url: str) -> bytes:
    timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_SECONDS)
    data = bytearray()
    async with session.get(url, allow_redirects=False, timeout=timeout) as response:
        if response.status != 200:
            raise UnusableImageError(IMAGE_UNREACHABLE)
        async for chunk in response.content.iter_chunked(64 * 1024):
            data += chunk
            if len(data) > MAX_IMAGE_BYTES:
                raise UnusableImageError(IMAGE_TOO_LARGE)
    return bytes(data)


def _check_image(data: bytes) -> None:
    """Accept only JPEG, PNG and WebP; a camera's MPO is refused."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
            known = image.format in {"JPEG", "PNG", "WEBP"}
            image.load()
    except Image.DecompressionBombError as error:
        raise UnusableImageError(IMAGE_TOO_LARGE) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise UnusableImageError(IMAGE_TYPE_UNSUPPORTED) from error
    if not known:
        raise UnusableImageError(IMAGE_TYPE_UNSUPPORTED)
