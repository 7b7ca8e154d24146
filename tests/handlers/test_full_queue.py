"""A full queue refuses new requests, and keeps the accepted ones."""

import pytest

from bot import job_operations
from bot.handlers import quotas
from bot.job import State
from tests.bot_harness import BotHarness
from tests.group_harness import create_group
from tests.process_harness import make_photo, render_english


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit the queue to three requests, and to two of one user."""
    monkeypatch.setattr(quotas, "MAX_WAITING", 3)
    monkeypatch.setattr(quotas, "MAX_WAITING_PER_USER", 2)


@pytest.fixture
async def shut(house: BotHarness) -> BotHarness:
    """A bot that cannot order anything at the moment."""
    await house.kie.stop()
    return house


async def _job_states(house: BotHarness) -> list[str]:
    jobs = await house.bot.db.transact(lambda tx: [tx.jobs.get(number) for number in range(1, 9)])
    return [job.state for job in jobs if job is not None]


async def _fill_queue(house: BotHarness) -> None:
    for number in range(3):
        house.telegram.person(user_id=3000 + number).send_photo(make_photo(), caption="make it snow")
    await house.receive_updates()


async def test_who_has_enough_waiting_is_told_so_at_once_and_once(shut: BotHarness) -> None:
    for _ in range(5):
        shut.ada.send_photo(make_photo(), caption="make it snow")
    await shut.process_updates()
    assert await _job_states(shut) == [State.QUEUED] * 2
    assert shut.sent_texts() == [render_english("too-many-wait", most=2)]


async def test_another_person_is_still_served(shut: BotHarness) -> None:
    bob = shut.telegram.person(user_id=2002)
    for person in (shut.ada, shut.ada, shut.ada, bob):
        person.send_photo(make_photo(), caption="make it snow")
    await shut.process_updates()
    assert len(await _job_states(shut)) == 3
    assert shut.sent_texts(bob.id) == []


async def test_a_queue_that_is_full_for_all_takes_nothing_from_anybody(shut: BotHarness) -> None:
    await _fill_queue(shut)
    shut.ada.send_photo(make_photo(), caption="make it snow")
    shut.ada.send_photo(make_photo())
    await shut.process_updates()
    assert len(await _job_states(shut)) == 3
    assert shut.sent_texts() == [render_english("queue-full")]


async def test_what_lacks_its_words_was_accepted_and_can_be_completed(shut: BotHarness) -> None:
    shut.ada.send_photo(make_photo())
    await shut.receive_updates()
    await _fill_queue(shut)
    shut.ada.send_text("make it snow")
    await shut.process_updates()
    assert (await shut.read_job()).state is State.QUEUED


async def test_an_album_is_taken_as_a_whole_or_not_at_all(shut: BotHarness) -> None:
    await _fill_queue(shut)
    shut.ada.send_album([make_photo(), make_photo("red"), make_photo("green")], captions={0: "make it snow"})
    [first, *rest] = shut.telegram.state.updates.pending[-3:]
    await shut.bot.long_poller._recorder.record([first])
    await shut.bot.dispatcher.handle_all()
    cancelled = await shut.read_job()
    await shut.bot.db.transact(lambda tx: job_operations.cancel_job(tx, cancelled, shut.clock.instant()))
    await shut.bot.long_poller._recorder.record(rest)
    await shut.process_updates()
    assert len(await _job_states(shut)) == 3
    assert shut.sent_texts() == [render_english("queue-full")]


async def test_in_a_group_it_is_said_as_it_has_to_be_done_there(shut: BotHarness) -> None:
    here = create_group(shut)
    await _fill_queue(shut)
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    await here.process_updates()
    assert here.sent_texts() == [render_english("queue-full", where="group")]


async def test_the_button_again_says_that_too_much_waits(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    await house.advance_time(40)
    await house.kie.stop()
    await _fill_queue(house)
    press = house.ada.press_button(house.pictures()[0]["message_id"], "Again")
    await house.process_updates()
    answer = house.ada.callback_answer(press)
    assert answer is not None
    assert answer["text"] == render_english("toast-full")


async def test_there_is_room_again_when_something_is_done(house: BotHarness) -> None:
    for _ in range(5):
        await house.request_edit(make_photo())
        await house.advance_time(61)
    assert len(house.pictures()) == 5
