"""The limits on paid calls."""

from pathlib import Path

from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.kie.tasks import STUCK
from tests.bot_harness import BotHarness, open_bot_harness
from tests.process_harness import make_photo


async def _request_edits(house: BotHarness, count: int) -> None:
    for _ in range(count):
        house.ada.send_photo(make_photo(), caption="make it snow")
    await house.receive_updates()
    await house.settle()


async def test_no_more_tasks_run_at_once_than_the_setting_says(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, max_running=2) as house:
        await _request_edits(house, 3)
        assert len(house.kie.tasks) == 2
        await house.advance_time(30)
        assert len(house.kie.tasks) == 3


async def test_tasks_that_kie_forgot_do_not_block_the_others_for_ever(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, max_running=2) as house:
        house.kie.script_outcomes(STUCK, STUCK)
        await _request_edits(house, 3)
        await house.advance_time(910)
        assert len(house.kie.tasks) == 3


async def test_the_rate_is_counted_from_when_a_call_was_over_and_opens_by_itself(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, creates_per_10_seconds=2) as house:
        await _request_edits(house, 5)
        await house.advance_time(25)
        moments = sorted(task.created_at for task in house.kie.tasks.values())
        assert len(moments) == 5
        assert all(third - first >= 10 for first, third in zip(moments, moments[2:], strict=False))


async def test_the_rate_holds_across_a_restart(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, creates_per_10_seconds=2) as house:
        await _request_edits(house, 2)
        under_way, ended = await house.bot.db.transact(
            lambda tx: tx.attempts.count_recent(house.clock.instant() - 9_000, 9)
        )
        assert (under_way, len(ended)) == (0, 2)


async def test_one_persons_many_pictures_do_not_keep_another_waiting(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, creates_per_10_seconds=2) as house:
        bob = house.telegram.person(user_id=2002, first_name="Bob")
        await _request_edits(house, 8)
        bob.send_photo(make_photo("red"), caption="for Bob")
        await house.receive_updates()
        await house.advance_time(11)
        assert [task.prompt for task in house.kie.tasks.values()][2] == "for Bob"


async def test_an_order_in_doubt_occupies_a_place_while_it_may_run(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, max_running=1) as house:
        house.kie.faults.add("createTask", Fault(FaultKind.DISCONNECT_AFTER))
        await _request_edits(house, 2)
        await house.advance_time(60)
        assert len(house.kie.tasks) == 1
        await house.advance_time(900)
        assert len(house.kie.tasks) == 2
