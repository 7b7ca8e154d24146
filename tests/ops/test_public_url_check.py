"""PUBLIC_URL is checked with the bot's own HTTP server, whether the bot runs or not, and no other passes for it."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.ops.checks import FindingStatus
from bot.store.process_lock import hold_process_lock
from tests.bot_harness import BotHarness, open_bot_harness
from tests.ops.check_environment import CheckEnvironment
from tests.process_harness import TOKEN

WITH_WEBHOOK: dict[str, Any] = {"telegram_updates": "webhook"}


@asynccontextmanager
async def _open_foreign_server(status: int, text: str = "welcome to nginx", **headers: str) -> AsyncIterator[str]:
    """Open a server that is not the bot's, and yield its URL."""

    async def handle(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text, headers=headers)

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_before_the_first_start_what_stands_in_front_can_be_tried(site: CheckEnvironment) -> None:
    assert await site.find_problems(public_url=site.reverse_proxy.url, **WITH_WEBHOOK) == {}
    assert sorted(each.path for each in site.reverse_proxy.forwarded) == ["/kie/callback/proof", "/telegram/webhook"]


async def test_the_door_is_closed_again(site: CheckEnvironment) -> None:
    await site.run_checks(public_url=site.reverse_proxy.url)
    with socket.socket() as knocking:
        assert knocking.connect_ex(("127.0.0.1", site.port)) != 0


async def test_a_port_for_metrics_that_is_taken_is_found_before_the_start(site: CheckEnvironment) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        finding = (await site.find_problems(metrics_port=port))["door"]
    assert finding.status is FindingStatus.FAILURE
    assert f"METRICS_PORT {port}" in finding.found
    assert "another METRICS_PORT" in str(finding.remedy)


async def test_without_a_public_url_only_the_door_is_looked_at(site: CheckEnvironment) -> None:
    findings = await site.run_checks()
    assert [each.found for each in findings if each.name in {"door", "callbacks", "webhook"}] == [
        f"http://127.0.0.1:{site.port} is free"
    ]


async def test_a_proxy_with_nothing_behind_it_is_told_where_to_hand_on_to(site: CheckEnvironment) -> None:
    site.reverse_proxy.upstream = None
    finding = (await site.find_problems(public_url=site.reverse_proxy.url))["callbacks"]
    assert finding.status is FindingStatus.FAILURE
    assert "reaches nothing behind it (HTTP 502)" in finding.found
    assert finding.remedy == f"let it forward to http://127.0.0.1:{site.port}"


async def test_a_port_that_is_picked_anew_each_time_cannot_be_handed_on_to(site: CheckEnvironment) -> None:
    finding = (await site.find_problems(public_url=site.reverse_proxy.url, port=0))["callbacks"]
    assert "give PORT a number" in str(finding.remedy)


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (200, {}, "leads to something else"),
        (302, {"Location": "https://elsewhere.example"}, "redirects (HTTP 302)"),
        (404, {}, "does not lead to this bot (HTTP 404)"),
    ],
)
async def test_an_address_that_leads_elsewhere_is_a_failure(
    site: CheckEnvironment, status: int, headers: dict[str, str], words: str
) -> None:
    async with _open_foreign_server(status, **headers) as url:
        finding = (await site.find_problems(public_url=url))["callbacks"]
    assert finding.status is FindingStatus.FAILURE
    assert words in finding.found
    assert finding.remedy


async def test_an_address_that_nobody_answers_is_a_failure(site: CheckEnvironment) -> None:
    finding = (await site.find_problems(public_url="http://127.0.0.1:9"))["callbacks"]
    assert finding.status is FindingStatus.FAILURE
    assert "127.0.0.1:9 is refused" in finding.found


async def test_a_port_that_another_program_has_is_a_failure(site: CheckEnvironment) -> None:
    async with _open_foreign_server(200) as url:
        troubles = await site.find_problems(
            port=int(url.rpartition(":")[2]), public_url=site.reverse_proxy.url, **WITH_WEBHOOK
        )
    assert {name: each.status for name, each in troubles.items()} == {
        "door": FindingStatus.FAILURE,
        "callbacks": FindingStatus.SKIPPED,
        "webhook": FindingStatus.SKIPPED,
    }
    assert "PORT" in troubles["door"].found
    assert "choose another PORT" in str(troubles["door"].remedy)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[BotHarness]:
    """A bot whose HTTP server is open."""
    async with open_bot_harness(tmp_path / "house", is_called=True) as opened:
        yield opened


def _server_port(house: BotHarness) -> int:
    return int(str(house.reverse_proxy.upstream).rpartition(":")[2])


async def test_the_door_of_the_bot_that_runs_answers_for_itself(site: CheckEnvironment, house: BotHarness) -> None:
    with hold_process_lock(str(site.database)):
        findings = await site.run_checks(port=_server_port(house), public_url=house.reverse_proxy.url, **WITH_WEBHOOK)
    found = {each.name: each for each in findings}
    assert found["door"].found == f"the running bot answers at http://127.0.0.1:{_server_port(house)}"
    assert {found[name].status for name in ("door", "callbacks", "webhook")} == {FindingStatus.OK}


async def test_the_door_of_a_bot_with_another_token_is_not_taken_for_ours(
    site: CheckEnvironment, house: BotHarness
) -> None:
    changes: dict[str, Any] = {"telegram_bot_token": f"{TOKEN}-2", "public_url": house.reverse_proxy.url}
    with hold_process_lock(str(site.database)):
        troubles = await site.find_problems(port=_server_port(house), **changes)
    assert (troubles["door"].status, troubles["callbacks"].status) == (FindingStatus.WARNING, FindingStatus.FAILURE)


async def test_our_bot_on_another_database_is_told_apart_from_another_program(
    site: CheckEnvironment, house: BotHarness
) -> None:
    finding = await site.find_finding("door", port=_server_port(house))
    assert finding.status is FindingStatus.FAILURE
    assert "does not seem to use this DATABASE_PATH" in finding.found


async def test_the_port_of_a_bot_that_runs_is_never_taken(site: CheckEnvironment) -> None:
    with hold_process_lock(str(site.database)):
        assert (await site.find_finding("door")).status is FindingStatus.WARNING
        assert (await site.find_finding("door", port=0)).status is FindingStatus.SKIPPED


async def test_the_proof_answers_nonces_only_and_tells_nothing_else(house: BotHarness) -> None:
    prove = house.bot.settings.ownership_proof
    nonce, other = "0" * 32, "0" * 31 + "1"
    assert prove(nonce) != prove(other)
    async with aiohttp.ClientSession() as session:
        for path in ("/kie/callback/proof", "/telegram/webhook"):
            for question, status in ((nonce, 200), ("", 404), ("webhook", 404), (f"{nonce}0", 404), ("G" * 32, 404)):
                async with session.get(f"{house.reverse_proxy.upstream}{path}", params={"nonce": question}) as answer:
                    assert answer.status == status
                    assert await answer.text() == (prove(nonce) if status == 200 else "")
