"""The workbench: the bot's process, the faults, and a reset."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.sandbox.bot_process import MAX_OTHER_ENTRIES, BotLog, BotLogLine, BotProcessState, RestartableBot
from bot.sandbox.fault_injection import HTML_502, FaultKind
from bot.sandbox.kie.tasks import STUCK
from bot.sandbox.web.fault_switches import SLOW_TASK_SECONDS
from bot.sandbox.web.page_state import page_items
from bot.sandbox.web.session import SandboxOptions, SandboxSession
from tests.reverse_proxy import open_reverse_proxy
from tests.sandbox.kie.api_client import KieApiClient
from tests.sandbox.web.web_client import WebPageClient

READY_SCRIPT = "import sys, time; print('ready: @bot takes updates', file=sys.stderr, flush=True); time.sleep(600)"
FAULT_NAMES = (
    "telegram-429", "telegram-blocked", "telegram-cut", "kie-slow", "kie-policy", "kie-fail", "kie-stuck", "kie-credit",
    "kie-down", "kie-cut", "callback-lost", "callback-doubled",
)  # fmt: skip
CALL_NAMES = ("sendMessage", "sendPhoto", "editMessageMedia", "createTask", "recordInfo", "upload", "credit", "result")


@pytest.fixture
async def kie_client(page: WebPageClient) -> KieApiClient:
    """A client of the session's local Kie."""
    assert page.session.kie is not None
    return KieApiClient(page.session.kie, page.http, key="sandbox-key")


@pytest.fixture
async def ready(tmp_path: Path) -> AsyncIterator[tuple[RestartableBot, asyncio.Event]]:
    """A process that logs a ready line, with an event that is set at each of them."""
    is_ready = asyncio.Event()
    process = RestartableBot((sys.executable, "-S", "-c", READY_SCRIPT), dict, tmp_path, lambda _: is_ready.set())
    yield process, is_ready
    await process.kill()


async def test_a_process_is_started_killed_and_started_again(ready: tuple[RestartableBot, asyncio.Event]) -> None:
    process, is_ready = ready
    states = [process.state]
    for end in (process.kill, process.stop):
        await process.start()
        states.append(process.state)
        await is_ready.wait()
        states.append(process.state)
        is_ready.clear()
        await end()
        states.append(process.state)
    assert states == [
        BotProcessState.STOPPED,
        *[BotProcessState.STARTING, BotProcessState.RUNNING, BotProcessState.STOPPED] * 2,
    ]


async def test_two_starts_make_one_process_and_a_restart_another(ready: tuple[RestartableBot, asyncio.Event]) -> None:
    process, is_ready = ready
    await asyncio.gather(process.start(), process.start())
    first = process.pid
    await is_ready.wait()
    await process.start()
    assert process.pid == first
    await process.restart()
    assert (process.pid != first, process.state) == (True, BotProcessState.STARTING)


async def test_a_click_kills_the_bot_and_another_one_starts_it(page: WebPageClient) -> None:
    await page.post("actions/kill")
    assert page_items(page.session)["bot"]["state"] == "stopped"
    assert "kill -9" in page_items(page.session)["log_line/1"]["text"]
    await page.post("actions/start")
    first = page.session.bot.pid
    await page.post("actions/restart")
    assert page.session.bot.pid != first


async def test_a_reset_empties_everything(page: WebPageClient) -> None:
    await page.send(text="hello")
    await page.post("actions/fault", name="kie-down", on=True)
    before = page.session
    assert await page.post("reset") == (200, {})
    assert page.session is not before
    assert page.updates == []
    assert not any(is_on for _, is_on in page.session.fault_switches)
    assert before.bot.state is BotProcessState.STOPPED


async def test_every_fault_begins_and_ends_without_a_trace(page: WebPageClient) -> None:
    session = page.session
    assert tuple(fault.name for fault, _ in session.fault_switches) == FAULT_NAMES
    before = _fault_state(session)
    for name in FAULT_NAMES:
        await page.post("actions/fault", name=name, on=True)
        assert page_items(session)[f"fault/{name}"]["on"] is True
        assert _fault_state(session) != before, name
        await page.post("actions/fault", name=name, on=False)
        assert _fault_state(session) == before, name


async def test_of_two_faults_with_the_same_call_one_goes_on_when_the_other_ends(page: WebPageClient) -> None:
    assert page.session.kie is not None
    take = page.session.kie.faults.take
    for name in ("kie-down", "kie-cut"):
        await page.post("actions/fault", name=name, on=True)
    both = take("createTask")
    assert both is not None
    assert (both.kind, take("recordInfo")) == (FaultKind.DISCONNECT_AFTER, HTML_502)
    await page.post("actions/fault", name="kie-cut", on=False)
    assert take("createTask") == HTML_502
    await page.post("actions/fault", name="kie-down", on=False)
    assert take("createTask") is None


def _fault_state(session: SandboxSession) -> object:
    """Return everything that a fault may change."""
    assert session.kie is not None
    faults = [books.take(call) for books in (session.telegram.faults, session.kie.faults) for call in CALL_NAMES]
    bot_status = session.telegram.state.chats[session.default_person.id].bot_status
    return (
        faults,
        bot_status,
        session.kie.credits,
        session.kie.callbacks.options,
        session.fault_switches.outcome,
        session.fault_switches.task_seconds,
    )


async def test_an_order_takes_as_long_and_ends_as_the_faults_say(page: WebPageClient, kie_client: KieApiClient) -> None:
    await page.post("actions/adjust", seconds=0)
    plain = kie_client.kie.tasks[await kie_client.create_task_id()]
    for name in ("kie-slow", "kie-stuck"):
        await page.post("actions/fault", name=name, on=True)
    stuck = kie_client.kie.tasks[await kie_client.create_task_id()]
    for name in ("kie-slow", "kie-stuck"):
        await page.post("actions/fault", name=name, on=False)
    after = kie_client.kie.tasks[await kie_client.create_task_id()]
    assert [round(task.due_at - task.created_at) for task in (plain, stuck, after)] == [0, SLOW_TASK_SECONDS, 0]
    assert [task.outcome is STUCK for task in (plain, stuck, after)] == [False, True, False]


async def test_an_unknown_fault_or_click_is_refused(page: WebPageClient) -> None:
    assert (await page.post("actions/fault", name="none", on=True))[0] == 409
    async with page.http.post(page.url + "actions/none", json={}, headers={"Origin": page.origin}) as answer:
        assert answer.status == 404


async def test_settings_of_the_other_side_are_adjusted(page: WebPageClient) -> None:
    await page.post("actions/adjust", privacy=True, language="ru", seconds=1000)
    assert page.session.telegram.state.privacy_mode is True
    assert page_items(page.session)["settings"] | {"languages": []} == {
        "seconds": 120.0, "privacy": True, "language": "ru", "languages": [], "credits": 10_000.0
    }  # fmt: skip


async def test_a_forged_callback_goes_where_the_real_one_would(page: WebPageClient, kie_client: KieApiClient) -> None:
    assert (await page.post("actions/forge"))[0] == 409
    await page.post("actions/fault", name="kie-stuck", on=True)
    async with open_reverse_proxy() as proxy:
        await kie_client.create_task_id(callback=f"{proxy.url}/kie/callback/x")
        assert await page.post("actions/forge") == (200, {})
        [passed] = proxy.forwarded
    assert passed.path == "/kie/callback/x"


def test_the_journal_tells_jobs_from_the_rest_and_does_not_grow_without_end() -> None:
    journal = BotLog(lambda: 5.0)
    journal.on_log_line(BotLogLine("job 12: queued", "INFO"))
    journal.on_log_line(BotLogLine("job 12: running\nat last", "WARNING"))
    for number in range(MAX_OTHER_ENTRIES + 10):
        journal.on_log_line(BotLogLine(f"line {number}", "INFO"))
    assert journal.jobs == {12: [(5.0, "INFO", "queued"), (5.0, "WARNING", "running\nat last")]}
    assert len(journal.other_entries) == MAX_OTHER_ENTRIES
    assert journal.other_entries[-1] == (MAX_OTHER_ENTRIES + 10, (5.0, "INFO", f"line {MAX_OTHER_ENTRIES + 9}"))


async def test_with_the_real_kie_the_bot_gets_the_key_and_the_way_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://192.0.2.1")
    local = SandboxSession(SandboxOptions(1.0), tmp_path, 1).bot_environment()
    session = SandboxSession(SandboxOptions(1.0, live_key="a-key"), tmp_path, 1)
    live = session.bot_environment()
    assert (session.kie, live["KIE_API_KEY"]) == (None, "a-key")
    assert set(local) - set(live) == {"KIE_API_URL", "KIE_UPLOAD_URL", "PUBLIC_URL", "TASK_USUAL_SECONDS"}
    assert ("HTTPS_PROXY" in local, local["NO_PROXY"]) == (False, "*")
    assert (live["HTTPS_PROXY"], live["NO_PROXY"]) == ("http://192.0.2.1", "127.0.0.1")
    assert live["TELEGRAM_API_URL"].startswith("http://127.0.0.1:")
    shown = page_items(session)
    assert shown["bot"]["uses_real_kie"] is True
    assert "a-key" not in repr(shown)
    assert {fault["group"] for name, fault in shown.items() if name.startswith("fault/")} == {"Telegram"}
