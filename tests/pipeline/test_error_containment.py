"""An unexpected error stops neither the process nor the work for others (by injecting errors into functions)."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.job import Job, State
from bot.kie.client import KieClient
from bot.ops.bot_commands import BotCommands
from bot.pipeline import (
    circuit_breakers,
    collect_request,
    deliver_image,
    progress_message,
    retries,
    uncertain_orders,
    work_plan,
)
from bot.pipeline.error_containment import MAX_REMEMBERED, MAX_TRIES, ErrorContainment
from bot.pipeline.poll_task import TaskPoller
from bot.pipeline.prepare_images import ImagePreparer
from bot.pipeline.progress_message import ProgressMessageSender
from bot.pipeline.submit_order import OrderSubmitter
from bot.pipeline.worker import Worker
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.telegram.errors import server_error
from bot.settings import MustRestart
from bot.store.database import Transaction
from bot.store.outbox import OutboxMessage
from bot.telegram.client import TelegramClient
from tests.bot_harness import BotHarness
from tests.group_harness import create_group
from tests.process_harness import make_photo, query_database, render_english

ADMIN = 9009


class InjectedError:
    """Patches a function of the bot so that it raises an error if `when` is true of its arguments."""

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
    if isinstance(each, OutboxMessage):
        return each.draft.chat_id == 1001
    return each == 1 if type(each) is int else isinstance(each, Job) and each.id == 1


async def _two_users_request(house: BotHarness, seconds: float = 60) -> int:
    """Let Ada and then Bob request an edit; return the id of his chat."""
    bob = house.telegram.person(user_id=1002)
    for person in (house.ada, bob):
        person.send_photo(make_photo(), caption="make it snow")
    await house.receive_updates()
    await house.advance_time(seconds)
    return bob.id


def _mistake_notices(house: BotHarness) -> list[str]:
    return [text for text in house.sent_texts(ADMIN) if text.startswith("Something went wrong inside me")]


async def test_a_mistake_about_the_balance_stops_no_edit_and_is_no_hot_loop(
    house: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistake = InjectedError(monkeypatch, KieClient, "get_credits")
    bob = await _two_users_request(house)
    assert (len(house.pictures()), len(house.pictures(bob))) == (1, 1)
    await house.advance_time(3600)
    assert 2 <= mistake.times <= 8, "it is asked again later"
    assert len(_mistake_notices(house)) == 1
    assert sum("balance" in line and "Traceback" in line for line in house.log_capture.lines) <= 1


async def test_a_mistake_of_a_probe_keeps_the_process_and_the_pictures_that_wait(
    house: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.kie.refuse_next_create(433, "cap")
    with monkeypatch.context() as broken:
        mistake = InjectedError(broken, KieClient, "get_credits")
        bob = await _two_users_request(house, 3600)
        assert 1 <= mistake.times <= 3600 / 30 + 1
    await house.advance_time(7200)
    assert (len(house.pictures()), len(house.pictures(bob))) == (1, 1)


async def test_a_mistake_about_administrators_leaves_nobody_waiting(
    house: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistake = InjectedError(monkeypatch, TelegramClient, "get_administrators", error=TypeError)
    here = create_group(house)
    here.ada.send_text("/settings@darkroom_bot", chat=here.group)
    await here.process_updates()
    await house.advance_time(5)
    assert here.sent_texts() == [render_english("settings-for-admins")]
    assert mistake.times == 1


#: Where to inject an error, and whether the image is delivered nevertheless.
FAILING_STEPS: dict[str, tuple[object, str, bool]] = {
    "prepared": (ImagePreparer, "run", False),
    "prepared, and put off": (Worker, "_try_job_step", False),
    "planned": (OrderSubmitter, "_begin_next", False),
    "put together": (OrderSubmitter, "_build_edit_input", False),
    "paid": (OrderSubmitter, "_create_task", False),
    "taken": (OrderSubmitter, "_accept", True),
    "looked at": (TaskPoller, "_poll_running", False),
    "found finished": (TaskPoller, "_finish", False),
    "told": (progress_message, "_compose_content", True),
    "shown": (ProgressMessageSender, "run", True),
    "sent": (deliver_image.ImageDeliverer, "run", False),
}


@pytest.mark.parametrize("name", FAILING_STEPS)
async def test_a_mistake_about_one_edit_is_nothing_to_the_others(
    house: BotHarness, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    owner, function, comes_all_the_same = FAILING_STEPS[name]
    mistake = InjectedError(monkeypatch, owner, function, _is_adas_order, TypeError)
    bob = await _two_users_request(house)
    assert len(house.pictures(bob)) == 1
    await house.advance_time(7200)
    assert 1 <= mistake.times <= 60, "nothing is tried in a hot loop"
    assert bool(house.pictures()) is comes_all_the_same
    assert len(house.kie.tasks) <= 2, "nothing is ordered twice"


def _is_adas_order(arguments: tuple[Any, ...]) -> bool:
    return _is_adas(arguments) or any(
        _is_adas((getattr(each, "job", None), getattr(each, "message", None))) for each in arguments
    )


@pytest.mark.parametrize("name", ["prepared", "prepared, and put off", "planned", "put together"])
async def test_what_never_can_be_ordered_is_given_up_with_words(
    house: BotHarness, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    owner, function, _ = FAILING_STEPS[name]
    mistake = InjectedError(monkeypatch, owner, function, _is_adas_order, TypeError)
    await _two_users_request(house, 1800)
    assert house.sent_texts() == [render_english("broken-step")]
    assert (await house.read_job()).state is State.FAILED
    assert mistake.times <= MAX_TRIES + 2
    assert len(house.sent_texts(ADMIN)) <= 2


async def test_an_order_whose_acceptance_cannot_be_written_down_is_found_by_a_look(
    house: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    InjectedError(monkeypatch, circuit_breakers, "close_order_breakers")
    await _two_users_request(house, 120)
    assert len(house.pictures()) == 1
    assert len(house.kie.tasks) == 2


async def test_an_album_that_cannot_be_closed_is_given_up_with_words(
    house: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    InjectedError(monkeypatch, collect_request, "_close_or_cancel")
    house.ada.send_album([make_photo("red"), make_photo("blue")], {0: "make it snow"})
    await house.receive_updates()
    await house.advance_time(1800)
    assert house.sent_texts() == [render_english("broken-step")]


@pytest.mark.parametrize(
    ("owner", "function"), [(retries, "handle_message_failure"), (retries, "handle_progress_failure")]
)
async def test_a_mistake_about_a_failed_message_is_nothing_to_the_others(
    house: BotHarness, monkeypatch: pytest.MonkeyPatch, owner: object, function: str
) -> None:
    mistake = InjectedError(monkeypatch, owner, function)
    house.telegram.faults.add("sendMessage", server_error())
    house.ada.send_text("/help") if function == "handle_message_failure" else house.ada.send_photo(make_photo())
    await house.receive_updates()
    bob = await _two_users_request(house)
    assert len(house.pictures(bob)) == 1
    assert mistake.times == 1
    await house.advance_time(3600)
    assert len(house.sent_texts()) + len(house.progress_messages()) >= 1, "it is said in the end"


async def test_a_status_that_cannot_be_composed_keeps_nobody_from_being_told(
    house: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    InjectedError(monkeypatch, progress_message, "_compose_content", _is_adas)
    people = [house.ada, *(house.telegram.person(user_id=5000 + number) for number in range(5))]
    for person in people:
        person.send_photo(make_photo())
    await house.receive_updates()
    await house.advance_time(10)
    assert [len(house.progress_messages(person.id)) for person in people] == [0, 1, 1, 1, 1, 1]


async def test_a_group_that_cannot_be_told_keeps_no_other_from_being_told(
    house: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    InjectedError(monkeypatch, circuit_breakers, "draft_reply", _is_adas)
    for _ in range(2):
        house.kie.refuse_next_create(433, "cap")
    groups = [create_group(house) for _ in range(2)]
    for here in groups:
        here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    await house.receive_updates()
    await house.advance_time(5)
    house.ada.send_text("/help")  # wakes the worker
    await house.process_updates()
    await house.advance_time(5)
    assert [len(here.sent_texts()) for here in groups] == [0, 1]


@pytest.mark.parametrize("state", ["gathering", "queued", "submitting", "running", "succeeded"])
async def test_a_row_that_cannot_be_read_keeps_no_bot_from_starting(house: BotHarness, state: str) -> None:
    if state != "succeeded":
        house.kie.faults.always("result", Fault(FaultKind.DISCONNECT_BEFORE))
    house.ada.send_photo(make_photo(), caption="" if state == "gathering" else "make it snow")
    await house.receive_updates()
    await house.advance_time(25 if state == "succeeded" else 3)

    def damage(tx: Transaction) -> None:
        tx._db.execute("UPDATE jobs SET state = ?, aspect_ratio = 'round', due_at = 1 WHERE id = 1", (state,))

    await house.bot.db.transact(damage)
    await house.restart()
    house.kie.faults.clear()
    bob = await _two_users_request(house)
    assert len(house.pictures(bob)) == 1
    await house.advance_time(3600)


async def test_an_order_in_doubt_that_cannot_be_taken_up_keeps_no_bot_from_starting(
    house: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.request_edit(make_photo())
    await house.bot.db.transact(lambda tx: tx._db.execute("UPDATE jobs SET state = 'submitting' WHERE id = 1"))
    InjectedError(monkeypatch, uncertain_orders, "resume_uncertain")
    await house.restart()
    bob = await _two_users_request(house)
    assert len(house.pictures(bob)) == 1


async def test_what_only_a_new_process_can_mend_stays_final(house: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    InjectedError(monkeypatch, KieClient, "get_credits", error=MustRestart)
    with pytest.raises(ExceptionGroup) as ended:
        await _two_users_request(house)
    assert ended.group_contains(MustRestart)


@pytest.mark.parametrize("error", [MustRestart, MemoryError, OSError])
async def test_no_row_is_to_blame_for_what_is_wrong_with_the_machine(
    house: BotHarness, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    InjectedError(monkeypatch, progress_message, "_compose_content", error=error)
    house.ada.send_photo(make_photo())
    await house.receive_updates()
    with pytest.raises(ExceptionGroup) as ended:
        await house.run_due_work()
    assert ended.group_contains(error)


async def test_a_mistake_of_a_nicety_sends_no_picture_twice(house: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    InjectedError(monkeypatch, TelegramClient, "send_uploading_action")
    await _two_users_request(house, 600)
    assert len(house.pictures()) == 1


async def test_what_is_remembered_of_the_answers_in_groups_is_bounded(
    house: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver_image, "MAX_REMEMBERED", 2)
    here = create_group(house)
    for _ in range(4):
        here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
        await here.finish_edits()
    assert len(here.pictures()) == 4
    assert len(house.bot.worker._steps.message_sender.deliverer._action_shown_for) <= 2


async def test_what_is_remembered_of_mistakes_is_bounded(house: BotHarness) -> None:
    containment = ErrorContainment((), clock=house.clock.instant)

    def broken() -> None:
        raise KeyError

    def play(tx: Transaction) -> None:
        for number in range(MAX_REMEMBERED + 10):
            containment.run_for_row(tx, "row", number, broken, lambda: None)

    await house.bot.db.transact(play)
    assert len(containment._logged) <= MAX_REMEMBERED


async def test_what_a_row_wrote_before_it_broke_off_is_undone_and_the_others_stay(house: BotHarness) -> None:
    containment = ErrorContainment((), clock=house.clock.instant)

    def write(tx: Transaction, number: int) -> None:
        tx.log(lambda _: logged.append(number), "")
        tx.chats.mark_greeted(-number, 1)
        if number == 2:
            raise KeyError

    logged: list[int] = []

    def play(tx: Transaction) -> None:
        for number in (1, 2, 3):
            containment.run_for_row(tx, "row", number, lambda number=number: write(tx, number), lambda: None)  # type: ignore[misc]  # mypy: a default in a lambda

    await house.bot.db.transact(play)
    greeted = query_database(Path(house.bot.settings.database_path), "SELECT chat_id FROM chats ORDER BY chat_id DESC")
    assert [row["chat_id"] for row in greeted] == [-1, -3]
    assert logged == [1, 3]


async def test_a_round_of_retention_that_breaks_off_comes_again(
    house: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistake = InjectedError(monkeypatch, type(house.bot.retention), "erase_batch")
    going = asyncio.create_task(house.bot.retention.run())
    while not mistake.times:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0)
    await house.bot.db.transact(lambda _: None)
    await asyncio.sleep(0)
    assert not going.done()
    going.cancel()


async def test_menus_that_cannot_be_told_end_nothing(house: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    mistake = InjectedError(monkeypatch, BotCommands, "publish")
    going = asyncio.create_task(house.bot.bot_commands.run())
    while not mistake.times:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0)
    assert not going.done()
    going.cancel()


async def test_nothing_of_an_edit_is_left_in_memory_once_a_mistake_has_ended_it(
    house: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    for owner, function in ((OrderSubmitter, "_create_task"), (work_plan, "_attach_job")):
        InjectedError(monkeypatch, owner, function, _is_adas_order)
    await _two_users_request(house, 2 * 86_400)
    worker = house.bot.worker
    assert (
        worker._jobs_in_flight,
        worker._messages_in_flight,
        worker._deliveries_in_flight,
    ) == ({}, {}, {})
    assert (worker._polls._planned, worker._polls._in_flight, worker._callbacks._arrived) == ({}, {}, set())
