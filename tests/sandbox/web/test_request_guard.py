"""Only the page itself reaches the sandbox, and the page loads nothing foreign."""

import re
import tomllib
from pathlib import Path

import pytest

import bot
from bot.sandbox.web.server import STATIC_FOLDER
from tests.sandbox.web.web_client import WebPageClient

READ_PATHS = ("", "app.js", "events", "samples", "samples/cat.jpg", "files/x", "calls/telegram/0")
ACTION_PATHS = ("send", "edit", "press", "reset", "actions/kill", "actions/fault")


async def request_status(page: WebPageClient, method: str, url: str, **headers: str) -> int:
    async with page.http.request(method, url, headers=headers, json={}) as answer:
        return answer.status


@pytest.mark.parametrize("token", ["", "wrong-token/"])
async def test_without_the_token_there_is_nothing(page: WebPageClient, token: str) -> None:
    root = f"{page.origin}/{token}"
    assert {await request_status(page, "GET", root + path) for path in READ_PATHS} == {404}
    assert {await request_status(page, "POST", root + path, Origin=page.origin) for path in ACTION_PATHS} == {404}


async def test_a_foreign_name_that_leads_here_is_refused(page: WebPageClient) -> None:
    port = page.origin.rpartition(":")[2]
    for host in (f"evil.example:{port}", "127.0.0.1:1", "evil.example"):
        assert {await request_status(page, "GET", page.url + path, Host=host) for path in READ_PATHS} == {403}
        assert await request_status(page, "POST", page.url + "reset", Host=host, Origin=f"http://{host}") == 403
    assert await request_status(page, "GET", page.url, Host=f"localhost:{port}") == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://127.0.0.1", "https://127.0.0.1:{port}"])
async def test_a_foreign_page_cannot_do_anything(page: WebPageClient, origin: str) -> None:
    headers = {"Origin": origin.format(port=page.origin.rpartition(":")[2])} if origin else {}
    session = page.session
    assert {await request_status(page, "POST", page.url + path, **headers) for path in ACTION_PATHS} == {403}
    assert (page.session is session, page.updates) == (True, [])


async def test_a_foreign_page_is_not_even_told_what_it_may_do(page: WebPageClient) -> None:
    headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    async with page.http.options(page.url + "send", headers=headers) as answer:
        assert answer.status >= 400
        assert not [name for name in answer.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"[" * 100_000, b"9" * 5000, b'{"a":' * 50_000])
@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=nonsense", "x; charset=utf-16"])
async def test_a_click_that_says_nothing_is_refused(page: WebPageClient, body: bytes, kind: str) -> None:
    headers = {"Origin": page.origin, "Content-Type": kind}
    async with page.http.post(page.url + "press", data=body, headers=headers) as answer:
        assert answer.status == 400


@pytest.mark.parametrize("number", ["9" * 5000, "\u0663", "-1", "1" * 20])
async def test_a_call_that_cannot_be_is_not_found(page: WebPageClient, number: str) -> None:
    assert await request_status(page, "GET", page.url + f"calls/telegram/{number}") == 404


@pytest.mark.parametrize(
    ("path", "expected_status"), [("", 200), ("style.css", 200), ("events", 200), ("files/x", 404)]
)
async def test_every_answer_is_kept_to_this_page(page: WebPageClient, path: str, expected_status: int) -> None:
    async with page.http.get(page.url + path) as answer:
        assert answer.status == expected_status
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_file_that_was_sent_is_never_a_page_of_ours(page: WebPageClient) -> None:
    await page.send(("page.html", b"<script>alert(1)</script>"), as_files="yes", text="x")
    [update] = page.updates
    async with page.http.get(f"{page.url}files/{update['message']['document']['file_id']}") as answer:
        assert (answer.content_type, answer.headers["Content-Disposition"]) == (
            "application/octet-stream",
            "attachment",
        )
        assert answer.headers["Content-Security-Policy"].endswith("sandbox")


@pytest.mark.parametrize("name", ["server.py", "..%2fserver.py", "../server.py", "%2e%2e/server.py", "missing.js"])
async def test_nothing_but_the_pages_own_files_is_served(page: WebPageClient, name: str) -> None:
    assert await request_status(page, "GET", page.url + name) == 404


@pytest.mark.parametrize("path", sorted(STATIC_FOLDER.iterdir()), ids=lambda path: path.name)
def test_a_file_of_the_page_brings_nothing_from_elsewhere_and_makes_no_markup_of_data(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://[a-z]", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=\"", text)


def test_what_is_installed_contains_the_page() -> None:
    package = Path(bot.__file__).parent
    settings = tomllib.loads((package.parent / "pyproject.toml").read_text(encoding="utf-8"))
    globs = settings["tool"]["setuptools"]["package-data"]["bot"]
    assert set(STATIC_FOLDER.iterdir()) <= {path for each in globs for path in package.glob(each)}
