"""A slow picture slows only its sender: attacks with files that take long to decode, fetch or pass on.

What is slow is held on purpose, so that nobody has to wait for it: a test that would have to comes to no end.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image

from bot.job import LONGEST_ALBUM
from bot.jobs import gather
from bot.jobs.plan import MOST_DELIVERED
from bot.sandbox.faults import Fault, Kind
from bot.sandbox.telegram import Call, Person
from bot.sandbox.telegram.refusals import too_many
from bot.store.transaction import Transaction
from tests.house import House
from tests.jobs.slow_conversions import SlowConversions
from tests.pictures.heic import TURNED
from tests.world import a_photo

#: Seconds after which something counts as never.
NEVER = 30.0

PLAIN = 6


@pytest.fixture
def conversions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowConversions]:
    """Conversions that are held until the test lets them go."""
    made = SlowConversions(tmp_path, monkeypatch)
    yield made
    made.close()


@pytest.fixture
def eve(house: House) -> Person:
    """Who attacks."""
    return house.telegram.person(user_id=6666)


def _file(colour: str = "navy") -> bytes:
    """Return a picture that has to be decoded."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(buffer, "BMP")
    return buffer.getvalue()


@asynccontextmanager
async def _at_work(house: House) -> AsyncIterator[None]:
    """Let the worker work by itself."""
    working = asyncio.create_task(house.bot.worker.run())
    try:
        yield
    except BaseException:
        working.cancel()  # what is held may never be let go
        await asyncio.wait([working])
        raise
    house.bot.worker.stop()
    await working


def _send(person: Person, content: bytes, words: str) -> None:
    person.send_document(content, "picture.bin", "application/octet-stream", caption=words)


async def _until_decoded(house: House, count: int = 1) -> None:
    """Wait until so many are in the conversion lane."""
    await _until(lambda: len(house.bot.worker._steps.prepare.lane.jobs) >= count)


async def _album_received(house: House) -> None:
    """Let in what waits, and the time pass in which an album could go on."""
    await house.receive()
    house.clock.now += LONGEST_ALBUM
    await house.bot.db.unit(lambda tx: gather.close_due(tx, house.bot.worker._containment, house.clock.instant()))


async def _ordered(house: House, count: int) -> list[str]:
    """Wait until so much is ordered, and return the words of all that is, in their order."""
    await house.kie.wait_for(lambda: len(house.kie.tasks) >= count, NEVER)
    return [task.prompt for task in house.kie.tasks.values()]


async def test_plain_photos_do_not_wait_for_slow_files_and_a_file_waits_for_one(
    house: House, eve: Person, conversions: SlowConversions
) -> None:
    for number in range(4):
        _send(eve, _file(), f"eve {number}")
    await house.receive()
    async with _at_work(house):
        await _until_decoded(house)
        for number in range(PLAIN):
            house.telegram.person(user_id=2000 + number).send_photo(a_photo(), caption=f"plain {number}")
        await house.receive()
        house.bot.worker.wake()
        assert set(await _ordered(house, PLAIN)) == {f"plain {number}" for number in range(PLAIN)}
        _send(house.ada, TURNED, "ada")
        await house.receive()
        house.bot.worker.wake()
        await _until_decoded(house, 2)
        conversions.let_go()
        await _ordered(house, PLAIN + 1)
        conversions.let_go(4)
        assert (await _ordered(house, PLAIN + 5))[PLAIN:] == ["eve 0", "ada", "eve 1", "eve 2", "eve 3"]


async def test_between_two_pictures_of_an_album_others_have_their_turn(
    house: House, eve: Person, conversions: SlowConversions
) -> None:
    eve.send_album([_file("red"), _file("green"), a_photo()], {0: "eve"}, as_documents=True)
    await _album_received(house)
    async with _at_work(house):
        await _until_decoded(house)
        _send(house.ada, _file(), "ada")
        await house.receive()
        house.bot.worker.wake()
        await _until_decoded(house, 2)
        conversions.let_go(3)
        assert await _ordered(house, 2) == ["ada", "eve"]
    [of_eve] = [task for task in house.kie.tasks.values() if task.prompt == "eve"]
    assert len(of_eve.image_urls) == 3


async def test_what_waits_for_its_turn_goes_on_after_a_restart(
    house: House, eve: Person, conversions: SlowConversions
) -> None:
    for number in range(3):
        _send(eve, _file(), f"eve {number}")
    await house.receive()
    working = asyncio.create_task(house.bot.worker.run())
    await _until_decoded(house)
    await _until(lambda: not house.bot.worker._jobs.keys() - house.bot.worker._steps.prepare.lane.jobs.keys())
    working.cancel()
    await asyncio.wait([working])
    conversions.let_go(9)
    await house.restart()
    await house.settle()
    assert sorted(task.prompt for task in house.kie.tasks.values()) == ["eve 0", "eve 1", "eve 2"]


async def test_what_is_taken_back_gives_its_turn_to_the_next(
    house: House, eve: Person, conversions: SlowConversions
) -> None:
    for person, words in ((eve, "eve 0"), (eve, "eve 1"), (house.ada, "ada")):
        _send(person, _file(), words)
    await house.receive()
    async with _at_work(house):
        await _until_decoded(house, 2)
        eve.send_text("/cancel")
        await house.receive()
        conversions.let_go(9)
        assert await _ordered(house, 1) == ["ada"]
    await house.settle()
    assert len(house.kie.tasks) == 1
    assert await house.bot.db.unit(lambda tx: tx.conversions.is_empty())


async def test_huge_files_of_one_person_leave_room_for_others(house: House, eve: Person) -> None:
    slow = Fault(Kind.HELD)
    house.telegram.faults.always("file", slow)
    eve.send_album([a_photo() for _ in range(10)], {0: "eve"}, as_documents=True)
    for _ in range(9):
        _send(eve, a_photo(), "eve")
    await _album_received(house)
    async with _at_work(house):
        await _until(lambda: len(_called(house, "getFile")) >= 3)
        for _ in range(1000):  # so that it has all that it can get
            await asyncio.sleep(0)
        house.telegram.faults.clear("file")
        house.ada.send_photo(a_photo(), caption="ada")
        await house.receive()
        house.bot.worker.wake()
        assert await _ordered(house, 1) == ["ada"]
        slow.gate.set()


async def test_results_that_are_slowly_sent_to_one_person_leave_room_for_others(house: House, eve: Person) -> None:
    slow, groups = Fault(Kind.HELD), [house.telegram.group(members=[eve, house.ada]) for _ in range(MOST_DELIVERED + 1)]
    house.telegram.faults.always("sendPhoto", too_many(60))
    for group in groups:
        person = house.ada if group is groups[-1] else eve
        person.send_photo(a_photo(), caption="/edit make it snow", chat=group)
    await house.receive()
    await house.pass_time(60)  # until there is nothing to do but to send them
    house.telegram.faults.always("sendPhoto", slow)
    house.clock.now += 60
    await house.bot.db.unit(_all_are_due)
    async with _at_work(house):
        await _until(lambda: _a_moment_later(house) and house.pictures(groups[-1].id) != [])
        assert len([group for group in groups if house.pictures(group.id)]) <= MOST_DELIVERED
        slow.gate.set()
        await _until(lambda: _a_moment_later(house) and all(house.pictures(group.id) for group in groups))


def _a_moment_later(house: House) -> bool:
    """Turn the clock on, because Telegram wants a moment between any two messages."""
    house.clock.now += 0.1
    house.bot.worker.wake()
    return True


def _all_are_due(tx: Transaction) -> None:
    """Let everything that waits be due, that of the eldest job first."""
    tx.jobs._db.execute("UPDATE outbox SET due_at = job_id WHERE due_at IS NOT NULL")


def _called(house: House, method: str) -> list[Call]:
    return [call for call in house.telegram.calls if call.method == method]


async def _until(happened: Callable[[], bool]) -> None:
    """Let the others work until something has happened that announces itself to nobody."""
    async with asyncio.timeout(NEVER):
        while not happened():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0)
