"""An untrusted URL leads only to the public internet."""

import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from bot.images.download import MAX_POOLS, ConnectionPools, Downloader, DownloadNotAllowed, DownloadUnavailable
from bot.images.ssrf_guard import is_public_address
from tests.images.image_host import host_images, host_raw_bytes, respond_with

TRUSTED = "http://127.0.0.1:18080"


class FakeResolver:
    """A resolver that gives one answer after the other, and repeats the last one."""

    def __init__(self, *answers: Iterable[str]) -> None:
        self.answers = [list(answer) for answer in answers]
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(f"{host}:{port}")
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@asynccontextmanager
async def open_downloader(
    resolve: Callable[[str, int], Awaitable[list[str]]], is_allowed: Callable[[str], bool] = is_public_address
) -> AsyncIterator[Downloader]:
    downloader = Downloader(trusted_origins=[TRUSTED], resolve=resolve, is_allowed_address=is_allowed)
    try:
        yield downloader
    finally:
        await downloader.aclose()


HOSTILE_URLS = [
    "",
    "image.png",
    "//example.com/a.png",
    "http://example.com/a.png",
    "ftp://example.com/a.png",
    "file:///etc/passwd",
    "data:image/png;base64,AAAA",
    "https://",
    "https:///a.png",
    "https://name@example.com/a.png",
    "https://name:word@example.com/a.png",
    "https://127.0.0.1/a.png",
    "https://127.0.0.1:18080/a.png",
    "https://169.254.169.254/latest/meta-data",
    "https://[::1]/a.png",
    "https://[::ffff:127.0.0.1]/a.png",
    "https://[fe80::1%25eth0]/a.png",
    "https://127.1/a.png",
    "https://2130706433/a.png",
    "https://0x7f000001/a.png",
    "https://0177.0.0.1/a.png",
    "https://127.0.0.1./a.png",
    "https://127。0。0。1/a.png",
    "https://exa mple.com/a.png",
    "https://exa\x00mple.com/a.png",
    "https://example.com:0/a.png",
    "https://example.com:99999/a.png",
    "https://example.com:port/a.png",
    "https://ex\ud800ample.com/a.png",
    "http://127.0.0.1:18081/a.png",
    "http://127.0.0.2:18080/a.png",
    "http://localhost:18080/a.png",
    "http://name@127.0.0.1:18080/a.png",
]


@pytest.mark.parametrize("url", HOSTILE_URLS)
async def test_a_hostile_url_is_refused_without_asking_for_its_name(url: str) -> None:
    names = FakeResolver(["8.8.8.8"])
    async with open_downloader(names) as downloader:
        with pytest.raises(DownloadNotAllowed):
            await downloader.download(url)
    assert not names.asked


@pytest.mark.parametrize(
    "found", [["127.0.0.1"], ["10.0.0.1"], ["::1"], ["169.254.169.254"], ["8.8.8.8", "127.0.0.1"], ["nonsense"]]
)
async def test_a_name_with_an_address_that_is_not_public_is_refused(found: list[str]) -> None:
    async with open_downloader(FakeResolver(found)) as downloader:
        with pytest.raises(DownloadNotAllowed, match="not a public address"):
            await downloader.download("https://example.com/a.png")


async def test_a_name_of_this_machine_is_refused_by_the_real_resolver() -> None:
    downloader = Downloader(trusted_origins=[])
    with pytest.raises(DownloadNotAllowed):
        await downloader.download("https://localhost/a.png")
    await downloader.aclose()


async def test_a_name_that_nobody_knows_is_worth_another_try() -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    for resolve in (unknown, FakeResolver([])):
        async with open_downloader(resolve) as downloader:
            with pytest.raises(DownloadUnavailable):
                await downloader.download("https://example.com/a.png")


async def test_a_name_that_cannot_even_be_asked_for_is_refused() -> None:
    downloader = Downloader(trusted_origins=[])
    with pytest.raises(DownloadNotAllowed):
        await downloader.download(f"https://{'a' * 64}.com/a.png")
    await downloader.aclose()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for images.example, with its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command to make a certificate")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    command = f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=images.example"
    names = ["-addext", "subjectAltName=DNS:images.example"]
    paths = ["-keyout", str(file), "-out", str(file.with_suffix(".crt"))]
    subprocess.run([*command.split(), *names, *paths], check=True, capture_output=True)
    file.write_text(file.read_text() + file.with_suffix(".crt").read_text())
    return file


@pytest.fixture
def tls(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The server's side of TLS; the client trusts it through SSL_CERT_FILE."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


def is_treated_as_public(address: str) -> bool:
    """One loopback address plays the internet here; the others play our own network."""
    return address == "127.0.0.1"


async def test_the_connection_goes_to_the_checked_address_under_the_name(tls: ssl.SSLContext) -> None:
    names = FakeResolver(["127.0.0.1"])
    async with (
        host_images({"/a.png": respond_with(b"image")}, tls=tls) as host,
        open_downloader(names, is_treated_as_public) as downloader,
    ):
        assert await downloader.download(f"https://images.example:{host.port}/a.png") == b"image"
    assert host.requests[0].headers["Host"] == f"images.example:{host.port}"
    assert names.asked == [f"images.example:{host.port}"]


async def test_the_certificate_must_be_the_one_of_the_name(tls: ssl.SSLContext) -> None:
    async with (
        host_images({}, tls=tls) as host,
        open_downloader(FakeResolver(["127.0.0.1"]), is_treated_as_public) as downloader,
    ):
        with pytest.raises(DownloadUnavailable):
            await downloader.download(f"https://other.example:{host.port}/a.png")
    assert not host.requests


async def test_two_names_at_one_address_never_share_a_connection(tls: ssl.SSLContext) -> None:
    """The second name would be served under the certificate of the first."""
    answers = {"/a.png": respond_with(b"image")}
    async with (
        host_images(answers, tls=tls) as host,
        open_downloader(FakeResolver(["127.0.0.1"]), is_treated_as_public) as downloader,
    ):
        await downloader.download(f"https://images.example:{host.port}/a.png")
        with pytest.raises(DownloadUnavailable):
            await downloader.download(f"https://other.example:{host.port}/a.png")


async def test_the_next_picture_of_a_name_comes_over_the_same_connection(tls: ssl.SSLContext) -> None:
    answers = {"/a.png": respond_with(b"image"), "/b.png": respond_with(b"another")}
    names = FakeResolver(["127.0.0.1"])
    async with host_images(answers, tls=tls) as host, open_downloader(names, is_treated_as_public) as downloader:
        for path in answers:
            await downloader.download(f"https://images.example:{host.port}{path}")
    assert len(set(host.peers)) == 1
    assert len(names.asked) == 2, "and where it may lead is checked each time"


async def test_only_connections_to_the_latest_names_are_kept() -> None:
    made: list[httpx.AsyncClient] = []

    def create_client() -> httpx.AsyncClient:
        made.append(httpx.AsyncClient())
        return made[-1]

    pools = ConnectionPools(create_client)
    async with pools.client_for("in use"):
        for number in range(MAX_POOLS + 2):
            async with pools.client_for(f"{number}"):
                pass
        assert [client.is_closed for client in made] == [False, True, True, *[False] * MAX_POOLS]
    assert made[0].is_closed, "once it is not in use any more"
    async with pools.client_for("5") as again:
        assert again is made[-1]
    await pools.aclose()
    assert all(client.is_closed for client in made)


async def test_a_name_that_resolves_differently_the_second_time_gains_nothing(tls: ssl.SSLContext) -> None:
    names = FakeResolver(["127.0.0.1"], ["127.0.0.2"])
    async with (
        host_images({"/a.png": respond_with(b"image")}, tls=tls) as host,
        host_images({}, address="127.0.0.2", port=host.port, tls=tls) as home,
        open_downloader(names, is_treated_as_public) as downloader,
    ):
        url = f"https://images.example:{host.port}/a.png"
        assert await downloader.download(url) == b"image"
        with pytest.raises(DownloadNotAllowed):
            await downloader.download(url)
    assert (len(host.requests), len(home.requests)) == (1, 0)


async def test_a_redirect_to_the_same_name_is_checked_again(tls: ssl.SSLContext) -> None:
    names = FakeResolver(["127.0.0.1"], ["127.0.0.2"])
    answers = {"/a.png": respond_with(status=302, Location="/b.png")}
    async with host_images(answers, tls=tls) as host, open_downloader(names, is_treated_as_public) as downloader:
        with pytest.raises(DownloadNotAllowed, match="not a public address"):
            await downloader.download(f"https://images.example:{host.port}/a.png")
    assert len(host.requests) == 1


async def test_the_next_address_is_tried_when_one_does_not_answer(tls: ssl.SSLContext) -> None:
    names = FakeResolver(["127.0.0.3", "127.0.0.1"])
    async with (
        host_images({"/a.png": respond_with(b"image")}, tls=tls) as host,
        open_downloader(names, lambda _: True) as downloader,
    ):
        assert await downloader.download(f"https://images.example:{host.port}/a.png") == b"image"


async def test_a_proxy_is_asked_for_the_name_that_we_do_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    names = FakeResolver(["127.0.0.1"])
    async with host_raw_bytes(b"HTTP/1.1 502 Bad Gateway\r\n\r\n") as (proxy, lines):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        async with open_downloader(names) as downloader:
            with pytest.raises(DownloadUnavailable):
                await downloader.download("https://example.com/a.png")
    assert lines == [b"CONNECT example.com:443 HTTP/1.1\r\n"]
    assert not names.asked


@pytest.mark.parametrize(
    "url", ["https://169.254.169.254/", "https://127.1/", "http://example.com/", "https://a@b.com/"]
)
async def test_a_proxy_does_not_soften_the_rules_for_the_url_itself(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with host_raw_bytes(b"") as (proxy, lines):
        monkeypatch.setenv("ALL_PROXY", proxy.removeprefix("http://"))
        async with open_downloader(FakeResolver(["8.8.8.8"])) as downloader:
            with pytest.raises(DownloadNotAllowed):
                await downloader.download(url)
    assert not lines


async def test_a_host_that_is_exempt_from_the_proxy_is_checked_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async with host_raw_bytes(b"") as (proxy, lines):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        monkeypatch.setenv("NO_PROXY", "example.com")
        async with open_downloader(FakeResolver(["127.0.0.1"])) as downloader:
            with pytest.raises(DownloadNotAllowed):
                await downloader.download("https://example.com/a.png")
    assert not lines
