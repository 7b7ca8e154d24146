"""A mistake in the bot ends neither the process nor what others wait for; here it is put into functions of the bot."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.chat.client import Chat
from bot.job import Job, State
from bot.jobs import deliver, doubt, gather, halt, plan, retries, status, trouble
from bot.jobs.containment import MOST_REMEMBERED, Containment
from bot.jobs.pauses import MOST_TRIES
from bot.jobs.prepare import Prepare
from bot.jobs.submit import Submit
from bot.jobs.tell import Tell
from bot.jobs.watch import Watch
from bot.jobs.worker import Worker
from bot.kie.client import Kie
from bot.operate.menus import Menus
from bot.sandbox.faults import Fault, Kind
from bot.sandbox.telegram.refusals import server_error
from bot.settings import MustRestart
from bot.store.outbox import Parcel
from bot.store.transaction import Transaction
from tests.group import friends
from tests.house import House
from tests.world import a_photo, english, rows

ADMIN = 9009


class Mistake:
    """A function of the bot that goes wrong where `when` says so of what it was given."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        owner: object,
        name: str,
        when: Callable[[tuple[Any, ...]], bool] = lambda _: True,
        error: type[Exception] = KeyError,
    ) -> None:
        self.times = 0
        right = getattr(owner, name)
        is_async = asyncio.iscoroutinefunction(right)

        def checked(arguments: tuple[Any, ...]) -> None:
            if when(arguments):
                self.times += 1
                raise error("a mistake in the bot")

        def wrong(*arguments: Any, **named: Any) -> Any:
            checked((*arguments, *named.values()))
            return right(*arguments, **named)

        async def wrong_later(*arguments: Any, **named: Any) -> Any:
            checked((*arguments, *named.values()))
            return await right(*arguments, **named)

        monkeypatch.setattr(owner, name, wrong_later if is_async else wrong)


def _is_adas(arguments: tuple[Any, ...]) -> bool:
    """Say whether something is about the first edit, which is Ada's, or about her chat."""
    return any(_is_about_ada(each) for each in arguments)


def _is_about_ada(each: object) -> bool:
    if isinstance(each, Parcel):
        return each.say.chat_id == 1001
    return each == 1 if type(each) is int else isinstance(each, Job) and each.id == 1


async def _both_ask(house: House, seconds: float = 60) -> int:
    """Let Ada and then Bob ask for an edit; return the id of his chat."""
    bob = house.telegram.person(user_id=1002)
    for person in (house.ada, bob):
        person.send_photo(a_photo(), caption="make it snow")
    await house.receive()
    await house.pass_time(seconds)
    return bob.id


def _told(house: House) -> list[str]:
    return [words for words in house.words(ADMIN) if words.startswith("Something went wrong inside me")]


async def test_a_mistake_about_the_balance_stops_no_edit_and_is_no_hot_loop(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistake = Mistake(monkeypatch, Kie, "credits")
    bob = await _both_ask(house)
    assert (len(house.pictures()), len(house.pictures(bob))) == (1, 1)
    await house.pass_time(3600)
    assert 2 <= mistake.times <= 8, "it is asked again later"
    assert len(_told(house)) == 1
    assert sum("balance" in line and "Traceback" in line for line in house.heard.lines) <= 1


async def test_a_mistake_of_a_probe_keeps_the_process_and_the_pictures_that_wait(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.kie.refuse(433, "cap")
    with monkeypatch.context() as broken:
        mistake = Mistake(broken, Kie, "credits")
        bob = await _both_ask(house, 3600)
        assert 1 <= mistake.times <= 3600 / 30 + 1
    await house.pass_time(7200)
    assert (len(house.pictures()), len(house.pictures(bob))) == (1, 1)


async def test_a_mistake_about_administrators_leaves_nobody_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistake = Mistake(monkeypatch, Chat, "administrators", error=TypeError)
    here = friends(house)
    here.ada.send_text("/settings@darkroom_bot", chat=here.group)
    await here.hear()
    await house.pass_time(5)
    assert here.words() == [english("settings-for-admins")]
    assert mistake.times == 1


#: Where a mistake may be, and whether the picture comes all the same.
STEPS: dict[str, tuple[object, str, bool]] = {
    "prepared": (Prepare, "run", False),
    "prepared, and put off": (Worker, "_step", False),
    "planned": (Submit, "_next", False),
    "put together": (Submit, "_edit", False),
    "paid": (Submit, "_pay", False),
    "taken": (Submit, "_accepted", True),
    "looked at": (Watch, "_look_at", False),
    "found finished": (Watch, "_finished", False),
    "told": (status, "_showing", True),
    "shown": (Tell, "run", True),
    "sent": (deliver.Deliver, "run", False),
}


@pytest.mark.parametrize("name", STEPS)
async def test_a_mistake_about_one_edit_is_nothing_to_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    owner, function, comes_all_the_same = STEPS[name]
    mistake = Mistake(monkeypatch, owner, function, _is_adas_order, TypeError)
    bob = await _both_ask(house)
    assert len(house.pictures(bob)) == 1
    await house.pass_time(7200)
    assert 1 <= mistake.times <= 60, "nothing is tried in a hot loop"
    assert bool(house.pictures()) is comes_all_the_same
    assert len(house.kie.tasks) <= 2, "nothing is ordered twice"


def _is_adas_order(arguments: tuple[Any, ...]) -> bool:
    return _is_adas(arguments) or any(
        _is_adas((getattr(each, "job", None), getattr(each, "status", None))) for each in arguments
    )


@pytest.mark.parametrize("name", ["prepared", "prepared, and put off", "planned", "put together"])
async def test_what_never_can_be_ordered_is_given_up_with_words(
    house: House, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    owner, function, _ = STEPS[name]
    mistake = Mistake(monkeypatch, owner, function, _is_adas_order, TypeError)
    await _both_ask(house, 1800)
    assert house.words() == [english("broken-step")]
    assert (await house.job()).state is State.FAILED
    assert mistake.times <= MOST_TRIES + 2
    assert len(house.words(ADMIN)) <= 2


async def test_an_order_whose_acceptance_cannot_be_written_down_is_found_by_a_look(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    Mistake(monkeypatch, trouble, "orders_go_on")
    await _both_ask(house, 120)
    assert len(house.pictures()) == 1
    assert len(house.kie.tasks) == 2


async def test_an_album_that_cannot_be_closed_is_given_up_with_words(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    Mistake(monkeypatch, gather, "_close")
    house.ada.send_album([a_photo("red"), a_photo("blue")], {0: "make it snow"})
    await house.receive()
    await house.pass_time(1800)
    assert house.words() == [english("broken-step")]


@pytest.mark.parametrize(("owner", "function"), [(retries, "parcel_failed"), (retries, "errand_failed")])
async def test_a_mistake_about_a_failed_message_is_nothing_to_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch, owner: object, function: str
) -> None:
    mistake = Mistake(monkeypatch, owner, function)
    house.telegram.faults.add("sendMessage", server_error())
    house.ada.send_text("/help") if function == "parcel_failed" else house.ada.send_photo(a_photo())
    await house.receive()
    bob = await _both_ask(house)
    assert len(house.pictures(bob)) == 1
    assert mistake.times == 1
    await house.pass_time(3600)
    assert len(house.words()) + len(house.statuses()) >= 1, "it is said in the end"


async def test_a_status_that_cannot_be_composed_keeps_nobody_from_being_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    Mistake(monkeypatch, status, "_showing", _is_adas)
    people = [house.ada, *(house.telegram.person(user_id=5000 + number) for number in range(5))]
    for person in people:
        person.send_photo(a_photo())
    await house.receive()
    await house.pass_time(10)
    assert [len(house.statuses(person.id)) for person in people] == [0, 1, 1, 1, 1, 1]


async def test_a_group_that_cannot_be_told_keeps_no_other_from_being_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    Mistake(monkeypatch, halt, "about", _is_adas)
    for _ in range(2):
        house.kie.refuse(433, "cap")
    groups = [friends(house) for _ in range(2)]
    for here in groups:
        here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    await house.receive()
    await house.pass_time(5)
    house.ada.send_text("/help")  # after which it is looked at what is due
    await house.hear()
    await house.pass_time(5)
    assert [len(here.words()) for here in groups] == [0, 1]


@pytest.mark.parametrize("state", ["gathering", "queued", "submitting", "running", "succeeded"])
async def test_a_row_that_cannot_be_read_keeps_no_bot_from_starting(house: House, state: str) -> None:
    if state != "succeeded":
        house.kie.faults.always("result", Fault(Kind.CUT_BEFORE))
    house.ada.send_photo(a_photo(), caption="" if state == "gathering" else "make it snow")
    await house.receive()
    await house.pass_time(25 if state == "succeeded" else 3)

    def damage(tx: Transaction) -> None:
        tx._db.execute("UPDATE jobs SET state = ?, shape = 'round', due_at = 1 WHERE id = 1", (state,))

    await house.bot.db.unit(damage)
    await house.restart()
    house.kie.faults.clear()
    bob = await _both_ask(house)
    assert len(house.pictures(bob)) == 1
    await house.pass_time(3600)


async def test_an_order_in_doubt_that_cannot_be_taken_up_keeps_no_bot_from_starting(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.ask(a_photo())
    await house.bot.db.unit(lambda tx: tx._db.execute("UPDATE jobs SET state = 'submitting' WHERE id = 1"))
    Mistake(monkeypatch, doubt, "resume")
    await house.restart()
    bob = await _both_ask(house)
    assert len(house.pictures(bob)) == 1


async def test_what_only_a_new_process_can_mend_stays_final(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    Mistake(monkeypatch, Kie, "credits", error=MustRestart)
    with pytest.raises(ExceptionGroup) as ended:
        await _both_ask(house)
    assert ended.group_contains(MustRestart)


@pytest.mark.parametrize("error", [MustRestart, MemoryError, OSError])
async def test_no_row_is_to_blame_for_what_is_wrong_with_the_machine(
    house: House, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    Mistake(monkeypatch, status, "_showing", error=error)
    house.ada.send_photo(a_photo())
    await house.receive()
    with pytest.raises(ExceptionGroup) as ended:
        await house.turn()
    assert ended.group_contains(error)


async def test_a_mistake_of_a_nicety_sends_no_picture_twice(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    Mistake(monkeypatch, Chat, "show_uploading")
    await _both_ask(house, 600)
    assert len(house.pictures()) == 1


async def test_what_is_remembered_of_the_answers_in_groups_is_bounded(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "MOST_REMEMBERED", 2)
    here = friends(house)
    for _ in range(4):
        here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
        await here.answered()
    assert len(here.pictures()) == 4
    assert len(house.bot.worker._steps.send._deliver._shown) <= 2


async def test_what_is_remembered_of_mistakes_is_bounded(house: House) -> None:
    containment = Containment((), clock=house.clock.instant)

    def broken() -> None:
        raise KeyError

    def play(tx: Transaction) -> None:
        for number in range(MOST_REMEMBERED + 10):
            containment.row(tx, "row", number, broken, lambda: None)

    await house.bot.db.unit(play)
    assert len(containment._logged) <= MOST_REMEMBERED


async def test_what_a_row_wrote_before_it_broke_off_is_undone_and_the_others_stay(house: House) -> None:
    containment = Containment((), clock=house.clock.instant)

    def write(tx: Transaction, number: int) -> None:
        tx.log(lambda _: told.append(number), "")
        tx.chats.greet(-number, 1)
        if number == 2:
            raise KeyError

    told: list[int] = []

    def play(tx: Transaction) -> None:
        for number in (1, 2, 3):
            containment.row(tx, "row", number, lambda number=number: write(tx, number), lambda: None)  # type: ignore[misc]  # mypy: a default in a lambda

    await house.bot.db.unit(play)
    greeted = rows(Path(house.bot.settings.database_path), "SELECT chat_id FROM chats ORDER BY chat_id DESC")
    assert [row["chat_id"] for row in greeted] == [-1, -3]
    assert told == [1, 3]


async def test_a_round_of_retention_that_breaks_off_comes_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    mistake = Mistake(monkeypatch, type(house.bot.retention), "erase")
    going = asyncio.create_task(house.bot.retention.run())
    while not mistake.times:  # noqa: ASYNC110 - a mistake is no event
        await asyncio.sleep(0)
    await house.bot.db.unit(lambda _: None)
    await asyncio.sleep(0)
    assert not going.done()
    going.cancel()


async def test_menus_that_cannot_be_told_end_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    mistake = Mistake(monkeypatch, Menus, "tell")
    going = asyncio.create_task(house.bot.menus.run())
    while not mistake.times:  # noqa: ASYNC110 - a mistake is no event
        await asyncio.sleep(0)
    assert not going.done()
    going.cancel()


async def test_nothing_of_an_edit_is_left_in_memory_once_a_mistake_has_ended_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for owner, function in ((Submit, "_pay"), (plan, "_with_its_job")):
        Mistake(monkeypatch, owner, function, _is_adas_order)
    await _both_ask(house, 2 * 86_400)
    worker = house.bot.worker
    assert (worker._jobs, worker._messages, worker._written, worker._deliveries) == ({}, {}, set(), {})
    assert (worker._looks._planned, worker._looks._under_way, worker._callbacks._heard) == ({}, {}, set())
