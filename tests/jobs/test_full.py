"""A full queue says so before it accepts, and what was accepted stays."""

import pytest

from bot.job import State
from bot.talk import room
from tests.group import friends
from tests.house import House
from tests.world import a_photo, english


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let three requests fill the queue, and two of one person be enough; Kie takes none meanwhile."""
    monkeypatch.setattr(room, "MOST_WAITING", 3)
    monkeypatch.setattr(room, "MOST_WAITING_OF_ONE", 2)


@pytest.fixture
async def shut(house: House) -> House:
    """A bot whose orders go nowhere at present."""
    await house.kie.stop()
    return house


async def _states(house: House) -> list[str]:
    jobs = await house.bot.db.unit(lambda tx: [tx.jobs.get(number) for number in range(1, 9)])
    return [job.state for job in jobs if job is not None]


async def _fill(house: House) -> None:
    """Let three people have something that waits."""
    for number in range(3):
        house.telegram.person(user_id=3000 + number).send_photo(a_photo(), caption="make it snow")
    await house.receive()


async def test_who_has_enough_waiting_is_told_so_at_once_and_once(shut: House) -> None:
    for _ in range(5):
        shut.ada.send_photo(a_photo(), caption="make it snow")
    await shut.hear()
    assert await _states(shut) == [State.QUEUED] * 2
    assert shut.words() == [english("too-many-wait", most=2)]


async def test_another_person_is_still_served(shut: House) -> None:
    bob = shut.telegram.person(user_id=2002)
    for person in (shut.ada, shut.ada, shut.ada, bob):
        person.send_photo(a_photo(), caption="make it snow")
    await shut.hear()
    assert len(await _states(shut)) == 3
    assert shut.words(bob.id) == []


async def test_a_queue_that_is_full_for_all_takes_nothing_from_anybody(shut: House) -> None:
    await _fill(shut)
    shut.ada.send_photo(a_photo(), caption="make it snow")
    shut.ada.send_photo(a_photo())
    await shut.hear()
    assert len(await _states(shut)) == 3
    assert shut.words() == [english("queue-full")]


async def test_what_lacks_its_words_was_accepted_and_can_be_completed(shut: House) -> None:
    shut.ada.send_photo(a_photo())
    await shut.receive()
    await _fill(shut)
    shut.ada.send_text("make it snow")
    await shut.hear()
    assert (await shut.job()).state is State.QUEUED


async def test_an_album_is_taken_as_a_whole_or_not_at_all(shut: House) -> None:
    await _fill(shut)
    shut.ada.send_album([a_photo(), a_photo("red"), a_photo("green")], captions={0: "make it snow"})
    [first, *rest] = shut.telegram.cloud.updates.pending[-3:]
    await shut.bot.poll._letters.keep([first])
    await shut.bot.intake.handle_all()
    cancelled = await shut.job()
    await shut.bot.db.unit(lambda tx: tx.take_back(cancelled, shut.clock.instant()))
    await shut.bot.poll._letters.keep(rest)
    await shut.hear()
    assert len(await _states(shut)) == 3
    assert shut.words() == [english("queue-full")]


async def test_in_a_group_it_is_said_as_it_has_to_be_done_there(shut: House) -> None:
    here = friends(shut)
    await _fill(shut)
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    await here.hear()
    assert here.words() == [english("queue-full", where="group")]


async def test_the_button_again_says_that_too_much_waits(house: House) -> None:
    await house.ask(a_photo())
    await house.pass_time(40)
    await house.kie.stop()
    await _fill(house)
    press = house.ada.press(house.pictures()[0]["message_id"], "Again")
    await house.hear()
    answer = house.ada.answer_to(press)
    assert answer is not None
    assert answer["text"] == english("toast-full")


async def test_there_is_room_again_when_something_is_done(house: House) -> None:
    for _ in range(5):
        await house.ask(a_photo())
        await house.pass_time(61)
    assert len(house.pictures()) == 5
