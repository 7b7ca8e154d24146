"""How jobs end, and what the user and the admins are notified of."""

from bot.job import FailureReason, State
from bot.sandbox.fault_injection import HTML_502
from bot.sandbox.kie.tasks import STUCK, SUCCESS_WITHOUT_URL, UNKNOWN_STATUS, failure
from tests.bot_harness import BotHarness
from tests.process_harness import make_photo

SERVER_ERROR_TEXT = "Internal Error, Please try again later."
POLICY_TEXT = "The input or output was flagged as sensitive. Please try again with different inputs."


async def test_a_photo_becomes_an_answer_that_replies_to_it(house: BotHarness) -> None:
    asked = await house.request_edit(make_photo())
    await house.advance_time(30)
    [image] = house.pictures()
    assert image["reply_to_message"]["message_id"] == asked
    assert (await house.read_job()).state is State.SUCCEEDED
    assert (await house.read_job()).answered_at is not None


async def test_the_person_hears_at_once_that_it_was_received_and_nothing_else(house: BotHarness) -> None:
    asked = await house.request_edit(make_photo())
    assert house.progress_message()["reply_to_message"]["message_id"] == asked
    assert house.sent_texts() == []


async def test_a_transient_failure_that_cost_nothing_is_ordered_once_more(house: BotHarness) -> None:
    house.kie.script_outcomes(failure(SERVER_ERROR_TEXT))
    await house.request_edit(make_photo())
    await house.advance_time(30)
    await house.advance_time(30)
    assert len(house.kie.tasks) == 2
    assert len(house.pictures()) == 1


async def test_a_second_transient_failure_is_told_and_not_ordered_again(house: BotHarness) -> None:
    house.kie.script_outcomes(failure(SERVER_ERROR_TEXT), failure(SERVER_ERROR_TEXT))
    await house.request_edit(make_photo())
    await house.advance_time(30)
    await house.advance_time(60)
    assert len(house.kie.tasks) == 2
    assert SERVER_ERROR_TEXT in house.sent_texts()[0]
    assert (await house.read_job()).reason is FailureReason.TASK_FAILED


async def test_a_failure_that_was_charged_is_never_ordered_again(house: BotHarness) -> None:
    house.kie.script_outcomes(failure(SERVER_ERROR_TEXT, refunded=False))
    await house.request_edit(make_photo())
    await house.advance_time(60)
    assert len(house.kie.tasks) == 1
    assert (await house.read_job()).reason is FailureReason.TASK_FAILED


async def test_a_refused_picture_is_explained_in_kies_words_and_never_retried(house: BotHarness) -> None:
    house.kie.script_outcomes(failure(POLICY_TEXT))
    await house.request_edit(make_photo())
    await house.advance_time(60)
    assert len(house.kie.tasks) == 1
    assert POLICY_TEXT in house.sent_texts()[0]
    assert (await house.read_job()).reason is FailureReason.REFUSED


async def test_a_success_without_a_picture_is_told_to_the_person_and_the_admin(house: BotHarness) -> None:
    house.kie.script_outcomes(SUCCESS_WITHOUT_URL)
    await house.request_edit(make_photo())
    await house.advance_time(30)
    assert "gives none" in house.sent_texts()[0]
    assert "without a picture" in house.sent_texts(9009)[0]


async def test_an_unknown_status_means_not_finished(house: BotHarness) -> None:
    house.kie.script_outcomes(UNKNOWN_STATUS)
    await house.request_edit(make_photo())
    await house.advance_time(60)
    assert (await house.read_job()).state is State.RUNNING


async def test_at_the_deadline_the_person_is_told_once_and_a_late_picture_still_comes(house: BotHarness) -> None:
    house.kie.script_outcomes(STUCK)
    await house.request_edit(make_photo())
    await house.advance_time(900)
    await house.advance_time(1000)
    assert house.progress_message()["text"].startswith("This takes unusually long.")
    assert house.sent_texts() == []
    [task_id] = house.kie.tasks
    house.kie.finish_task(task_id)
    await house.advance_time(2000)
    assert len(house.pictures()) == 1


async def test_after_a_day_the_bot_stops_waiting_and_says_so(house: BotHarness) -> None:
    house.kie.script_outcomes(STUCK)
    await house.request_edit(make_photo())
    for hours in (1, 2, 9, 12):
        await house.advance_time(hours * 3600 + 60)
    assert "within a day" in house.sent_texts()[-1]
    assert (await house.read_job()).reason is FailureReason.OVERDUE


async def test_a_look_that_fails_says_nothing_about_the_task(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    await house.kie.wait_for(lambda: all(task.prepared_at for task in house.kie.tasks.values()))
    house.clock.now += 25 * 3600  # the bot was stopped for a day
    house.kie.faults.add("recordInfo", HTML_502, times=3)
    await house.bot.worker.recover()
    await house.advance_time(1000)
    assert len(house.pictures()) == 1


async def test_a_task_that_nobody_can_ask_about_any_more_is_given_up_in_the_end(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    house.kie.faults.always("recordInfo", HTML_502)
    house.clock.now += 14 * 86_400
    await house.bot.worker.recover()
    await house.advance_time(10)
    assert (await house.read_job()).reason is FailureReason.OVERDUE
