"""The workbench: the bot's process, the troubles, and beginning anew."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.sandbox.child import LogLine
from bot.sandbox.faults import HTML_502, Kind
from bot.sandbox.kie_tasks import STUCK
from bot.sandbox.page.actor import Actor, Life
from bot.sandbox.page.journal import LINES, Journal
from bot.sandbox.page.scene import Options, Scene
from bot.sandbox.page.troubles import SLOWNESS
from bot.sandbox.page.view import items
from tests.front import a_front
from tests.sandbox.kie_asking import Asking
from tests.sandbox.page.opened import Page

READY = "import sys, time; print('ready: @bot takes updates', file=sys.stderr, flush=True); time.sleep(600)"
TROUBLES = (
    "telegram-429", "telegram-blocked", "telegram-cut", "kie-slow", "kie-policy", "kie-fail", "kie-stuck", "kie-credit",
    "kie-down", "kie-cut", "nudge-lost", "nudge-doubled",
)  # fmt: skip
CALLS = ("sendMessage", "sendPhoto", "editMessageMedia", "createTask", "recordInfo", "upload", "credit", "result")


@pytest.fixture
async def asking(page: Page) -> Asking:
    """Somebody who orders at the page's Kie as the bot does."""
    assert page.scene.kie is not None
    return Asking(page.scene.kie, page.session, key="sandbox-key")


@pytest.fixture
async def ready(tmp_path: Path) -> AsyncIterator[tuple[Actor, asyncio.Event]]:
    """A process that says that it is ready, with what is set each time that it does."""
    said = asyncio.Event()
    actor = Actor((sys.executable, "-S", "-c", READY), dict, tmp_path, lambda _: said.set())
    yield actor, said
    await actor.kill()


async def test_a_process_is_started_killed_and_started_again(ready: tuple[Actor, asyncio.Event]) -> None:
    actor, said = ready
    lives = [actor.life]
    for end in (actor.kill, actor.stop):
        await actor.start()
        lives.append(actor.life)
        await said.wait()
        lives.append(actor.life)
        said.clear()
        await end()
        lives.append(actor.life)
    assert lives == [Life.STOPPED, *[Life.STARTING, Life.RUNNING, Life.STOPPED] * 2]


async def test_two_starts_make_one_process_and_a_restart_another(ready: tuple[Actor, asyncio.Event]) -> None:
    actor, said = ready
    await asyncio.gather(actor.start(), actor.start())
    first = actor.pid
    await said.wait()
    await actor.start()
    assert actor.pid == first
    await actor.restart()
    assert (actor.pid != first, actor.life) == (True, Life.STARTING)


async def test_a_click_kills_the_bot_and_another_one_starts_it(page: Page) -> None:
    await page.post("do/kill")
    assert items(page.scene)["bot"]["life"] == "stopped"
    assert "kill -9" in items(page.scene)["line/1"]["text"]
    await page.post("do/start")
    first = page.scene.bot.pid
    await page.post("do/restart")
    assert page.scene.bot.pid != first


async def test_a_reset_empties_everything(page: Page) -> None:
    await page.send(text="hello")
    await page.post("do/trouble", name="kie-down", on=True)
    before = page.scene
    assert await page.post("reset") == (200, {})
    assert page.scene is not before
    assert page.updates == []
    assert not any(is_on for _, is_on in page.scene.troubles)
    assert before.bot.life is Life.STOPPED


async def test_every_trouble_begins_and_ends_without_a_trace(page: Page) -> None:
    scene = page.scene
    assert tuple(trouble.name for trouble, _ in scene.troubles) == TROUBLES
    before = _traces(scene)
    for name in TROUBLES:
        await page.post("do/trouble", name=name, on=True)
        assert items(scene)[f"trouble/{name}"]["on"] is True
        assert _traces(scene) != before, name
        await page.post("do/trouble", name=name, on=False)
        assert _traces(scene) == before, name


async def test_of_two_troubles_with_the_same_call_one_goes_on_when_the_other_ends(page: Page) -> None:
    assert page.scene.kie is not None
    take = page.scene.kie.faults.take
    for name in ("kie-down", "kie-cut"):
        await page.post("do/trouble", name=name, on=True)
    both = take("createTask")
    assert both is not None
    assert (both.kind, take("recordInfo")) == (Kind.CUT_AFTER, HTML_502)
    await page.post("do/trouble", name="kie-cut", on=False)
    assert take("createTask") == HTML_502
    await page.post("do/trouble", name="kie-down", on=False)
    assert take("createTask") is None


def _traces(scene: Scene) -> object:
    """All that a trouble may change."""
    assert scene.kie is not None
    faults = [books.take(call) for books in (scene.telegram.faults, scene.kie.faults) for call in CALLS]
    standing = scene.telegram.cloud.chats[scene.you.id].standing
    return (
        faults,
        standing,
        scene.kie.credits,
        scene.kie.callbacks.calling,
        scene.troubles.outcome,
        scene.troubles.seconds,
    )


async def test_an_order_takes_as_long_and_ends_as_the_troubles_say(page: Page, asking: Asking) -> None:
    await page.post("do/adjust", seconds=0)
    plain = asking.kie.tasks[await asking.ordered()]
    for name in ("kie-slow", "kie-stuck"):
        await page.post("do/trouble", name=name, on=True)
    stuck = asking.kie.tasks[await asking.ordered()]
    for name in ("kie-slow", "kie-stuck"):
        await page.post("do/trouble", name=name, on=False)
    after = asking.kie.tasks[await asking.ordered()]
    assert [round(task.due_at - task.created_at) for task in (plain, stuck, after)] == [0, SLOWNESS, 0]
    assert [task.outcome is STUCK for task in (plain, stuck, after)] == [False, True, False]


async def test_an_unknown_trouble_or_click_is_refused(page: Page) -> None:
    assert (await page.post("do/trouble", name="none", on=True))[0] == 409
    async with page.session.post(page.url + "do/none", json={}, headers={"Origin": page.origin}) as answer:
        assert answer.status == 404


async def test_settings_of_the_other_side_are_adjusted(page: Page) -> None:
    await page.post("do/adjust", privacy=True, language="ru", seconds=1000)
    assert page.scene.telegram.cloud.privacy_mode is True
    assert items(page.scene)["bench"] | {"languages": []} == {
        "seconds": 120.0, "privacy": True, "language": "ru", "languages": [], "credits": 10_000.0
    }  # fmt: skip


async def test_a_forged_callback_goes_where_the_real_one_would(page: Page, asking: Asking) -> None:
    assert (await page.post("do/forge"))[0] == 409
    await page.post("do/trouble", name="kie-stuck", on=True)
    async with a_front() as front:
        await asking.ordered(callback=f"{front.url}/kie/callback/x")
        assert await page.post("do/forge") == (200, {})
        [passed] = front.passed
    assert passed.path == "/kie/callback/x"


def test_the_journal_tells_jobs_from_the_rest_and_does_not_grow_without_end() -> None:
    journal = Journal(lambda: 5.0)
    journal.hear(LogLine("job 12: queued", "INFO"))
    journal.hear(LogLine("job 12: running\nat last", "WARNING"))
    for number in range(LINES + 10):
        journal.hear(LogLine(f"line {number}", "INFO"))
    assert journal.jobs == {12: [(5.0, "INFO", "queued"), (5.0, "WARNING", "running\nat last")]}
    assert len(journal.others) == LINES
    assert journal.others[-1] == (LINES + 10, (5.0, "INFO", f"line {LINES + 9}"))


async def test_with_the_real_kie_the_bot_gets_the_key_and_the_way_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://192.0.2.1")
    local = Scene(Options(1.0), tmp_path, 1).variables()
    scene = Scene(Options(1.0, live_key="a-key"), tmp_path, 1)
    live = scene.variables()
    assert (scene.kie, live["KIE_API_KEY"]) == (None, "a-key")
    assert set(local) - set(live) == {"KIE_API_URL", "KIE_UPLOAD_URL", "PUBLIC_URL", "TASK_USUAL_SECONDS"}
    assert ("HTTPS_PROXY" in local, local["NO_PROXY"]) == (False, "*")
    assert (live["HTTPS_PROXY"], live["NO_PROXY"]) == ("http://192.0.2.1", "127.0.0.1")
    assert live["TELEGRAM_API_URL"].startswith("http://127.0.0.1:")
    shown = items(scene)
    assert shown["bot"]["live"] is True
    assert "a-key" not in repr(shown)
    assert {trouble["side"] for name, trouble in shown.items() if name.startswith("trouble/")} == {"Telegram"}
