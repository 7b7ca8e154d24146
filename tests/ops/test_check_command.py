"""`check`: its output for humans and machines, and that no secret is in it."""

import json
import re
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.inbound.http_endpoints import serve_without_bot
from bot.ops.check_command import exit_code, render_table, run_check_command
from bot.ops.checks import Finding, FindingStatus, failure, ok, skipped, warning
from bot.settings import Settings
from tests.ops.check_environment import CheckEnvironment, open_check_environment
from tests.process_harness import KEY, PROJECT_ROOT, TOKEN, ProcessHarness, make_photo, parse_port

README = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
SAMPLE_FINDINGS = [
    ok("a", "fine"),
    warning("b", "odd", "look"),
    failure("c", "broken", "mend it"),
    skipped("d", "no time"),
]


pytestmark = pytest.mark.usefixtures("restored_logging")


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CheckEnvironment]:
    """An environment with the real time, named by environment variables."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    async with open_check_environment(tmp_path, time.time) as opened:
        values = {
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_API_URL": opened.telegram.url,
            "KIE_API_KEY": KEY,
            "KIE_API_URL": opened.kie.url,
            "KIE_UPLOAD_URL": opened.kie.url,
            "PORT": str(opened.port),
            "PUBLIC_URL": opened.reverse_proxy.url,
        }
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        yield opened


async def _run_check_command(
    site: CheckEnvironment, capsys: pytest.CaptureFixture[str], *, as_json: bool = False
) -> tuple[int, str]:
    code = await run_check_command(serve_without_bot, as_json=as_json)
    out, err = capsys.readouterr()
    assert err == "", "there is no terminal"
    site.printed_findings.append(out)
    return code, out


def _replace_addresses(site: CheckEnvironment, text: str) -> str:
    """Replace the random addresses of the local servers."""
    for found, shown in (
        (site.reverse_proxy.url, "https://bot.example.org"),
        (site.kie.url.removeprefix("http://"), "kieai.redpandaai.co"),
        (f":{site.port}", ":8080"),
        (str(site.folder), "/srv/darkroom"),
    ):
        text = text.replace(found, shown)
    return re.sub(r"[\d,]+ MiB are free", "79,569 MiB are free", text)


async def test_the_healthy_transcript_in_the_readme_is_what_is_printed(
    site: CheckEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    site.telegram.state.privacy_mode = True
    code, out = await _run_check_command(site, capsys)
    assert code == 0
    assert f"```\n$ python -m bot check\n{_replace_addresses(site, out)}```\n" in README, _replace_addresses(site, out)


async def test_the_broken_transcript_in_the_readme_is_what_is_printed(
    site: CheckEnvironment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", f"{TOKEN[:-1]}m")
    monkeypatch.setenv("DATABASE_PATH", "notes.txt")
    Path("notes.txt").write_text("not what it should be\n" * 100)
    Path("notes.txt").chmod(0o644)
    site.kie.add_credits(-100)
    site.reverse_proxy.upstream = None
    code, out = await _run_check_command(site, capsys)
    assert code == 1
    assert f"```\n$ python -m bot check\n{_replace_addresses(site, out)}```\n" in README, _replace_addresses(site, out)


async def test_machines_get_a_list_of_objects_with_four_fields(
    site: CheckEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    site.kie.add_credits(-100)
    code, out = await _run_check_command(site, capsys, as_json=True)
    findings = {each["name"]: each for each in json.loads(out)}
    assert code == 1
    assert findings["kie"] == {
        "name": "kie",
        "status": "failure",
        "found": "the key is good, but the account has 0 credits",
        "remedy": "top up at https://kie.ai",
    }
    assert findings["bot"] == {"name": "bot", "status": "ok", "found": "@darkroom_bot, id 424242", "remedy": None}
    assert {frozenset(each) for each in findings.values()} == {frozenset(("name", "status", "found", "remedy"))}


async def test_every_mistake_in_the_settings_is_a_line_of_the_table(
    site: CheckEnvironment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PORT": "many", "KIE_API_KEY": "", "PUBLIC_URL": "http://example.org"}.items():
        monkeypatch.setenv(name, value)
    code, out = await _run_check_command(site, capsys)
    assert code == 1
    failures = [line.split() for line in out.splitlines() if line.startswith("failure")]
    assert [words[:3] for words in failures] == [
        ["failure", "settings", name] for name in ("KIE_API_KEY", "PUBLIC_URL", "PORT")
    ]
    assert "skipped  database   the settings have to be right first" in out
    assert site.telegram.calls == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TELEGRAM_BOT_TOKEN", f"{TOKEN} canary"),
        ("TELEGRAM_BOT_TOKEN", f"{TOKEN}-canary"),
        ("TELEGRAM_BOT_TOKEN", f"bot{TOKEN}"),
        ("TELEGRAM_BOT_TOKEN_FILE", TOKEN),
        ("KIE_API_KEY", "canary of another service"),
        ("KIE_API_KEY", "canary-of-another-service"),
        ("KIE_API_KEY_FILE", KEY),
        ("KIE_WEBHOOK_KEY", "canary key"),
        ("KIE_WEBHOOK_KEY_FILE", f"./{KEY}"),
        ("PUBLIC_URL", f"https://example.org/{TOKEN}?"),
        ("DATABASE_PATH", f"/nowhere/{KEY}"),
    ],
)
async def test_whatever_is_put_where_no_secret_is_repeated(
    site: CheckEnvironment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    if name.endswith("_FILE"):
        monkeypatch.delenv(name.removesuffix("_FILE"), raising=False)
    monkeypatch.setenv(name, value)
    _, out = await _run_check_command(site, capsys)
    assert "canary" not in out


async def test_what_others_say_cannot_act_on_the_terminal(
    site: CheckEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    site.telegram.state.bot_user["username"] = f"x\x1b[2J\n{KEY}"
    _, out = await _run_check_command(site, capsys)
    [line] = [line for line in out.splitlines() if " bot " in line]
    assert line == "ok       bot        @x [2J [secret], id 424242"


@pytest.mark.parametrize(("no_colour", "is_coloured"), [("", True), ("1", False)])
async def test_colours_and_progress_are_for_terminals(
    site: CheckEnvironment,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    no_colour: str,
    is_coloured: bool,
) -> None:
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", no_colour)
    monkeypatch.setattr("bot.ops.terminal_progress.REFRESH_SECONDS", 0.0)
    await run_check_command(serve_without_bot, as_json=False)
    out, err = capsys.readouterr()
    assert ("\x1b[32mok" in out) is is_coloured
    assert err.startswith("\r\x1b[Kchecking: database, bot, updates, kie, upload, door, clock")
    assert err.endswith("\r\x1b[K"), "nothing of it stays"


@pytest.mark.parametrize(
    ("findings", "code", "last"),
    [
        (SAMPLE_FINDINGS, 1, "1 failure, 1 warning: the bot cannot do its work like this."),
        (SAMPLE_FINDINGS[:2] + SAMPLE_FINDINGS[3:], 0, "1 warning: the bot can do its work."),
        (SAMPLE_FINDINGS[:1], 0, "All is well."),
    ],
)
def test_only_failures_count_and_the_last_line_says_so(findings: list[Finding], code: int, last: str) -> None:
    assert exit_code(findings) == code
    lines = render_table(findings, in_colour=False).splitlines()
    assert lines[-1] == last
    assert len(lines) == len(findings) + 2
    assert [line.split()[0] for line in lines[:-2]] == [each.status for each in findings]


def test_every_status_has_a_mark_that_fits() -> None:
    lines = render_table(SAMPLE_FINDINGS, in_colour=True).splitlines()[: len(SAMPLE_FINDINGS)]
    assert {line.index("m") for line in lines} <= {3, 4}
    assert {each.status for each in SAMPLE_FINDINGS} == set(FindingStatus)


def test_a_wrong_word_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["check", "--jsn"])
    assert ended.value.code == 2
    assert "--jsn" in capsys.readouterr().err


async def test_beside_a_running_bot_all_is_well_and_the_bot_goes_on(world: ProcessHarness) -> None:
    bot = world.create_bot()
    port = parse_port(await bot.start_until_ready())
    checking = world.create_bot(command=("-c", _TO_STDERR), PORT=str(port))
    ada = world.telegram.person()
    ada.send_photo(make_photo(), caption="make it snow")
    await checking.start()
    assert await checking.wait_for_exit() == 0, checking.log
    findings = {each["name"]: each for each in json.loads(checking.log)}
    assert {each["status"] for each in findings.values()} == {"ok"}
    assert findings["door"]["found"] == f"the running bot answers at http://127.0.0.1:{port}"
    assert findings["database"]["found"].endswith("is sound; a bot runs on it")
    assert await world.wait_for_pictures(ada.id)
    assert world.count_orders() == 1
    assert await bot.stop() == 0
    assert "WARNING" not in bot.log


#: `check --json` with its output on stderr, which `BotSubprocess` captures.
_TO_STDERR = (
    "import sys; sys.stdout = sys.stderr; sys.argv = ['bot', 'check', '--json']; import bot.__main__ as b; b.main()"
)
