"""A slow image delays only its sender: attacks with files that take long to decode, download or upload.

The slow operation is held until the test ends, so a test in which another user must wait for it times out.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image

from bot.job import MAX_ALBUM_SECONDS
from bot.pipeline import collect_request
from bot.pipeline.work_plan import MAX_DELIVERIES
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.telegram import Person, TelegramCall
from bot.sandbox.telegram.errors import too_many_requests
from bot.store.database import Transaction
from tests.bot_harness import BotHarness
from tests.images.sample_files import ROTATED_HEIC
from tests.pipeline.slow_conversions import SlowConversions
from tests.process_harness import make_photo

#: Seconds after which a wait fails.
TIMEOUT_SECONDS = 30.0

PLAIN_PHOTOS = 6


@pytest.fixture
def conversions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowConversions]:
    """Conversions that are held until the test releases them."""
    made = SlowConversions(tmp_path, monkeypatch)
    yield made
    made.close()


@pytest.fixture
def eve(house: BotHarness) -> Person:
    """The attacker."""
    return house.telegram.person(user_id=6666)


def _file_to_decode(colour: str = "navy") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(buffer, "BMP")
    return buffer.getvalue()


@asynccontextmanager
async def _run_worker(house: BotHarness) -> AsyncIterator[None]:
    working = asyncio.create_task(house.bot.worker.run())
    try:
        yield
    except BaseException:
        working.cancel()  # or a held operation would never be released
        await asyncio.wait([working])
        raise
    house.bot.worker.stop()
    await working


def _send(person: Person, content: bytes, caption: str) -> None:
    person.send_document(content, "picture.bin", "application/octet-stream", caption=caption)


async def _wait_for_conversions(house: BotHarness, count: int = 1) -> None:
    await _wait_until(lambda: len(house.bot.worker._steps.image_preparer.lane.jobs) >= count)


async def _receive_album(house: BotHarness) -> None:
    """Receive the updates, and let the time pass in which albums may get more items."""
    await house.receive_updates()
    house.clock.now += MAX_ALBUM_SECONDS
    await house.bot.db.transact(
        lambda tx: collect_request.close_due_requests(tx, house.bot.worker._containment, house.clock.instant())
    )


async def _wait_for_orders(house: BotHarness, count: int) -> list[str]:
    """Wait for `count` orders, and return the prompts of all orders, the oldest first."""
    await house.kie.wait_for(lambda: len(house.kie.tasks) >= count, TIMEOUT_SECONDS)
    return [task.prompt for task in house.kie.tasks.values()]


async def test_plain_photos_do_not_wait_for_slow_files_and_a_file_waits_for_one(
    house: BotHarness, eve: Person, conversions: SlowConversions
) -> None:
    for number in range(4):
        _send(eve, _file_to_decode(), f"eve {number}")
    await house.receive_updates()
    async with _run_worker(house):
        await _wait_for_conversions(house)
        for number in range(PLAIN_PHOTOS):
            house.telegram.person(user_id=2000 + number).send_photo(make_photo(), caption=f"plain {number}")
        await house.receive_updates()
        house.bot.worker.wake()
        assert set(await _wait_for_orders(house, PLAIN_PHOTOS)) == {f"plain {number}" for number in range(PLAIN_PHOTOS)}
        _send(house.ada, ROTATED_HEIC, "ada")
        await house.receive_updates()
        house.bot.worker.wake()
        await _wait_for_conversions(house, 2)
        conversions.release()
        await _wait_for_orders(house, PLAIN_PHOTOS + 1)
        conversions.release(4)
        assert (await _wait_for_orders(house, PLAIN_PHOTOS + 5))[PLAIN_PHOTOS:] == [
            "eve 0",
            "ada",
            "eve 1",
            "eve 2",
            "eve 3",
        ]


async def test_between_two_pictures_of_an_album_others_have_their_turn(
    house: BotHarness, eve: Person, conversions: SlowConversions
) -> None:
    eve.send_album([_file_to_decode("red"), _file_to_decode("green"), make_photo()], {0: "eve"}, as_documents=True)
    await _receive_album(house)
    async with _run_worker(house):
        await _wait_for_conversions(house)
        _send(house.ada, _file_to_decode(), "ada")
        await house.receive_updates()
        house.bot.worker.wake()
        await _wait_for_conversions(house, 2)
        conversions.release(3)
        assert await _wait_for_orders(house, 2) == ["ada", "eve"]
    [of_eve] = [task for task in house.kie.tasks.values() if task.prompt == "eve"]
    assert len(of_eve.image_urls) == 3


async def test_what_waits_for_its_turn_goes_on_after_a_restart(
    house: BotHarness, eve: Person, conversions: SlowConversions
) -> None:
    for number in range(3):
        _send(eve, _file_to_decode(), f"eve {number}")
    await house.receive_updates()
    working = asyncio.create_task(house.bot.worker.run())
    await _wait_for_conversions(house)
    await _wait_until(
        lambda: not house.bot.worker._jobs_in_flight.keys() - house.bot.worker._steps.image_preparer.lane.jobs.keys()
    )
    working.cancel()
    await asyncio.wait([working])
    conversions.release(9)
    await house.restart()
    await house.settle()
    assert sorted(task.prompt for task in house.kie.tasks.values()) == ["eve 0", "eve 1", "eve 2"]


async def test_what_is_taken_back_gives_its_turn_to_the_next(
    house: BotHarness, eve: Person, conversions: SlowConversions
) -> None:
    for person, caption in ((eve, "eve 0"), (eve, "eve 1"), (house.ada, "ada")):
        _send(person, _file_to_decode(), caption)
    await house.receive_updates()
    async with _run_worker(house):
        await _wait_for_conversions(house, 2)
        eve.send_text("/cancel")
        await house.receive_updates()
        conversions.release(9)
        assert await _wait_for_orders(house, 1) == ["ada"]
    await house.settle()
    assert len(house.kie.tasks) == 1
    assert await house.bot.db.transact(lambda tx: tx.conversion_queue.is_empty())


async def test_huge_files_of_one_person_leave_room_for_others(house: BotHarness, eve: Person) -> None:
    slow = Fault(FaultKind.HOLD_RESPONSE)
    house.telegram.faults.always("file", slow)
    eve.send_album([make_photo() for _ in range(10)], {0: "eve"}, as_documents=True)
    for _ in range(9):
        _send(eve, make_photo(), "eve")
    await _receive_album(house)
    async with _run_worker(house):
        await _wait_until(lambda: len(_count_calls(house, "getFile")) >= 3)
        for _ in range(1000):  # until the user has every slot that one user can get
            await asyncio.sleep(0)
        house.telegram.faults.clear("file")
        house.ada.send_photo(make_photo(), caption="ada")
        await house.receive_updates()
        house.bot.worker.wake()
        assert await _wait_for_orders(house, 1) == ["ada"]
        slow.release.set()


async def test_results_that_are_slowly_sent_to_one_person_leave_room_for_others(house: BotHarness, eve: Person) -> None:
    slow, groups = (
        Fault(FaultKind.HOLD_RESPONSE),
        [house.telegram.group(members=[eve, house.ada]) for _ in range(MAX_DELIVERIES + 1)],
    )
    house.telegram.faults.always("sendPhoto", too_many_requests(60))
    for group in groups:
        person = house.ada if group is groups[-1] else eve
        person.send_photo(make_photo(), caption="/edit make it snow", chat=group)
    await house.receive_updates()
    await house.advance_time(60)  # until only the deliveries are left
    house.telegram.faults.always("sendPhoto", slow)
    house.clock.now += 60
    await house.bot.db.transact(_make_all_due)
    async with _run_worker(house):
        await _wait_until(lambda: _advance_a_moment(house) and house.pictures(groups[-1].id) != [])
        assert len([group for group in groups if house.pictures(group.id)]) <= MAX_DELIVERIES
        slow.release.set()
        await _wait_until(lambda: _advance_a_moment(house) and all(house.pictures(group.id) for group in groups))


def _advance_a_moment(house: BotHarness) -> bool:
    """Advance the clock past the rate limit between two messages."""
    house.clock.now += 0.1
    house.bot.worker.wake()
    return True


def _make_all_due(tx: Transaction) -> None:
    """Make everything in the outbox due, messages of the oldest job first."""
    tx.jobs._db.execute("UPDATE outbox SET due_at = job_id WHERE due_at IS NOT NULL")


def _count_calls(house: BotHarness, method: str) -> list[TelegramCall]:
    return [call for call in house.telegram.calls if call.method == method]


async def _wait_until(happened: Callable[[], bool]) -> None:
    """Let other tasks run until a condition holds for which there is no event."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not happened():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0)
