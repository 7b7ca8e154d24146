"""How the local Kie looks at the pictures of a task: it really fetches them.

Only addresses of this machine are asked, so nothing in the sandbox can reach
the internet. What cannot be used makes the task fail, in words such as Kie's.
"""

import asyncio
import io
import ipaddress
from urllib.parse import urlsplit

import aiohttp
from PIL import Image

from bot.sandbox.faults import Fault, Kind

#: at most this many bytes per picture (documented as 10.0 MB)
PICTURE_BYTES = 10 * 1024 * 1024
FETCH_SECONDS = 30.0

UNREACHABLE = "image_urls could not be downloaded, please check that the file is accessible"
NO_PICTURE = "image_urls file type not supported"
TOO_LARGE = "Images size exceeds limit"


class Unusable(Exception):
    """A picture that makes its task fail; the text is the task's failMsg."""


async def fetch(session: aiohttp.ClientSession, url: str, fault: Fault | None) -> bytes:
    """The picture at a loopback URL, checked to be one; raises `Unusable`."""
    await _run_into(fault)
    if not is_loopback(url):
        raise Unusable(UNREACHABLE)
    try:
        data = await _download(session, url)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unusable(UNREACHABLE) from error
    await asyncio.to_thread(_check, data)
    return data


async def _run_into(fault: Fault | None) -> None:
    match fault:
        case None:
            pass
        case Fault(kind=Kind.HANG):
            await asyncio.Event().wait()
        case Fault(kind=Kind.SLOW, seconds=seconds):
            await asyncio.sleep(seconds)
        case _:
            raise Unusable(UNREACHABLE)


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine."""
    host = urlsplit(url).hostname
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


async def _download(session: aiohttp.ClientSession, url: str) -> bytes:
    timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
    data = bytearray()
    async with session.get(url, allow_redirects=False, timeout=timeout) as response:
        if response.status != 200:
            raise Unusable(UNREACHABLE)
        async for chunk in response.content.iter_chunked(64 * 1024):
            data += chunk
            if len(data) > PICTURE_BYTES:
                raise Unusable(TOO_LARGE)
    return bytes(data)


def _check(data: bytes) -> None:
    """Refuse what is no JPEG, PNG or WebP; a camera's MPO is none either."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
            known = image.format in {"JPEG", "PNG", "WEBP"}
            image.load()
    except Image.DecompressionBombError as error:
        raise Unusable(TOO_LARGE) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise Unusable(NO_PICTURE) from error
    if not known:
        raise Unusable(NO_PICTURE)
