"""Downloads are complete, or raise an error that says what to do next."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from bot.images.download import (
    Downloader,
    DownloadError,
    DownloadGone,
    DownloadNotAllowed,
    DownloadTooLarge,
    DownloadUnavailable,
)
from tests.images.image_host import ImageHost, ResponseFactory, host_images, host_raw_bytes, respond_with


@asynccontextmanager
async def open_downloader(*trusted: str, within: float = 30, max_bytes: int = 1000) -> AsyncIterator[Downloader]:
    downloader = Downloader(trusted_origins=trusted, timeout=within, max_bytes=max_bytes)
    try:
        yield downloader
    finally:
        await downloader.aclose()


async def download_from(answers: dict[str, ResponseFactory], path: str = "/a.png") -> tuple[bytes, ImageHost]:
    async with host_images(answers) as host, open_downloader(host.origin) as downloader:
        return await downloader.download(host.origin + path), host


async def test_a_picture_is_brought_home_whole() -> None:
    content, host = await download_from({"/a.png": respond_with(b"image")})
    assert content == b"image"
    assert len(host.requests) == 1


async def test_the_longest_allowed_picture_arrives() -> None:
    content, _ = await download_from({"/a.png": respond_with(b"x" * 1000)})
    assert len(content) == 1000


async def test_nothing_of_ours_is_sent_along() -> None:
    _, host = await download_from({"/a.png": respond_with(b"image", Set_Cookie="a=b")})
    assert host.requests[0].method == "GET"
    assert not {"Authorization", "Cookie", "Referer"} & set(host.requests[0].headers)
    assert host.requests[0].headers["Accept-Encoding"] == "identity"


async def test_bytes_that_the_server_compressed_all_the_same_are_not_unpacked() -> None:
    packed = gzip.compress(bytes(100_000))
    content, _ = await download_from({"/a.png": respond_with(packed, Content_Encoding="gzip")})
    assert content == packed


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *[(status, DownloadGone) for status in (400, 401, 403, 404, 410)],
        *[(status, DownloadUnavailable) for status in (204, 206, 302, 304, 408, 425, 429, 500, 502, 503)],
    ],
)
async def test_a_status_says_what_to_do_next(status: int, error: type[DownloadError]) -> None:
    with pytest.raises(error) as raised:
        await download_from({"/a.png": respond_with(status=status)})
    assert type(raised.value) is error


async def test_redirects_within_the_origin_are_followed() -> None:
    content, _ = await download_from(
        {
            "/a.png": respond_with(status=302, Location="/b.png"),
            "/b.png": respond_with(status=307, Location="c.png"),
            "/c.png": respond_with(status=301, Location="/d.png"),
            "/d.png": respond_with(b"image"),
        }
    )
    assert content == b"image"


async def test_redirects_in_circles_come_to_an_end() -> None:
    async with (
        host_images({"/a.png": respond_with(status=302, Location="/a.png")}) as host,
        open_downloader(host.origin) as downloader,
    ):
        with pytest.raises(DownloadNotAllowed, match="circles"):
            await downloader.download(host.origin + "/a.png")
    assert len(host.requests) == 4


@pytest.mark.parametrize(
    "elsewhere",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://127.0.0.1/",
        "//127.0.0.1:1/",
        "https://example.com/a.png",
        "file:///etc/passwd",
        "http://[broken",
    ],
)
async def test_a_redirect_elsewhere_is_refused(elsewhere: str) -> None:
    with pytest.raises(DownloadNotAllowed):
        await download_from({"/a.png": respond_with(status=302, Location=elsewhere)})


async def test_a_redirect_from_one_trusted_origin_to_another_is_refused_too() -> None:
    async with host_images({"/b.png": respond_with(b"image")}) as other:
        answers = {"/a.png": respond_with(status=302, Location=other.origin + "/b.png")}
        async with host_images(answers) as host, open_downloader(host.origin, other.origin) as downloader:
            with pytest.raises(DownloadNotAllowed):
                await downloader.download(host.origin + "/a.png")
        assert not other.requests


async def test_a_length_above_the_limit_is_refused_before_the_body() -> None:
    async with (
        host_raw_bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n") as (origin, _),
        open_downloader(origin) as downloader,
    ):
        with pytest.raises(DownloadTooLarge, match="1001 bytes"):
            await downloader.download(origin + "/a.png")


async def test_an_endless_body_is_cut_off() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 400)

    with pytest.raises(DownloadTooLarge, match="more than 1000"):
        await download_from({"/a.png": endless})


async def test_a_body_byte_by_byte_runs_into_the_deadline() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0)

    async with (
        host_images({"/a.png": drip}) as host,
        open_downloader(host.origin, within=0.1, max_bytes=10**9) as downloader,
    ):
        with pytest.raises(DownloadUnavailable, match=r"within 0\.1 s"):
            await downloader.download(host.origin + "/a.png")


async def test_a_server_that_falls_silent_runs_into_the_deadline() -> None:
    async def silent(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError("nobody rings")

    async with host_images({"/a.png": silent}) as host, open_downloader(host.origin, within=0.1) as downloader:
        with pytest.raises(DownloadUnavailable):
            await downloader.download(host.origin + "/a.png")


SHORT_BODIES = {
    "shorter than announced": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
    "last chunk missing": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    "no answer": b"",
    "not HTTP": b"hello\r\n\r\n",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nshort",
    "an endless length": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nshort",
}


@pytest.mark.parametrize("reply", SHORT_BODIES.values(), ids=SHORT_BODIES.keys())
async def test_a_cut_or_garbled_answer_is_worth_another_try(reply: bytes) -> None:
    async with host_raw_bytes(reply) as (origin, _), open_downloader(origin) as downloader:
        with pytest.raises(DownloadUnavailable):
            await downloader.download(origin + "/a.png")


async def test_a_closed_port_is_unreachable() -> None:
    async with host_raw_bytes(b"") as (origin, _):
        pass
    async with open_downloader(origin) as downloader:
        with pytest.raises(DownloadUnavailable):
            await downloader.download(origin + "/a.png")


async def test_errors_do_not_tell_the_url() -> None:
    answers = {"/secret.png": respond_with(status=404)}
    async with host_images(answers) as host, open_downloader(host.origin) as downloader:
        with pytest.raises(DownloadGone) as raised:
            await downloader.download(host.origin + "/secret.png")
    assert "secret" not in str(raised.value)
