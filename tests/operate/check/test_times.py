"""A clock that is wrong is found before Kie's callbacks are refused for it."""

import pytest

from bot.operate.check.finding import Status
from bot.operate.check.times import judge
from tests.operate.check.site import Site


@pytest.mark.parametrize(
    ("off", "status", "words"),
    [
        (0.0, Status.OK, "right to 1 s"),
        (30.0, Status.OK, "right to 30 s"),
        (-31.0, Status.WARNING, "31 s behind that of Kie"),
        (299.0, Status.WARNING, "299 s ahead of that of Kie"),
        (300.0, Status.FAILURE, "callbacks of Kie would be refused"),
        (-3600.0, Status.FAILURE, "3600 s behind that of Kie"),
    ],
)
def test_how_far_off_a_clock_may_be(off: float, status: Status, words: str) -> None:
    finding = judge(off, "Kie")
    assert finding.status is status
    assert words in finding.found
    assert bool(finding.remedy) is (status is not Status.OK)


async def test_a_clock_that_is_an_hour_off_is_found(site: Site) -> None:
    site.clock.now -= 3600
    finding = await site.found("clock")
    assert finding.status is Status.FAILURE
    assert "behind" in finding.found
    assert "NTP" in str(finding.remedy)


async def test_one_server_is_enough_to_know_the_time(site: Site) -> None:
    site.clock.now += 60
    finding = await site.found("clock", kie_api_url="http://127.0.0.1:9")
    assert (finding.status, finding.found[-8:]) == (Status.WARNING, "Telegram")


async def test_without_any_server_nothing_is_said_about_the_clock(site: Site) -> None:
    finding = await site.found("clock", kie_api_url="http://127.0.0.1:9", telegram_api_url="http://127.0.0.1:9")
    assert finding.status is Status.SKIPPED
