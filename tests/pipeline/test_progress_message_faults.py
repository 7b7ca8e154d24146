"""The progress message stays correct despite faults, and never delays other messages."""

from bot.i18n import sentence
from bot.job import State
from bot.pipeline.order_limits import OrderLimits
from bot.pipeline.progress_message import plan_progress_update
from bot.sandbox.fault_injection import HTML_502, Fault, FaultKind
from bot.sandbox.kie.tasks import failure
from bot.sandbox.telegram.errors import bad_request, too_many_requests
from bot.store.database import Transaction
from bot.store.outbox import MessageDraft, OutboxExclusions
from tests.bot_harness import BotHarness
from tests.process_harness import make_photo, render_english

CUT_AFTER = Fault(FaultKind.DISCONNECT_AFTER)


def _calls(house: BotHarness, method: str) -> int:
    return sum(call.method == method for call in house.telegram.calls)


def _refuse_orders_for_now(house: BotHarness) -> None:
    house.kie.faults.always(
        "createTask", Fault(FaultKind.RESPOND, status=200, body=b'{"code":455,"msg":"maintenance"}')
    )


async def test_a_pause_that_telegram_asks_for_holds_for_changes_too(house: BotHarness) -> None:
    _refuse_orders_for_now(house)
    for _ in range(3):
        await house.request_edit(make_photo())
    house.telegram.faults.always("editMessageText", too_many_requests(120))
    before = _calls(house, "editMessageText")
    await house.advance_time(100)
    assert _calls(house, "editMessageText") <= before + 1


async def test_nothing_untrue_stays_when_a_refusal_is_never_confirmed(house: BotHarness) -> None:
    house.kie.script_outcomes(failure("The input or output was flagged as sensitive."))
    await house.request_edit(make_photo())
    house.telegram.faults.always("sendMessage", CUT_AFTER)
    await house.advance_time(3600)
    assert house.progress_messages() == []


async def test_nothing_untrue_stays_when_a_picture_is_never_confirmed(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    house.telegram.faults.always("sendPhoto", CUT_AFTER)
    house.telegram.faults.always("editMessageMedia", bad_request("message can't be edited"))
    await house.advance_time(3600)
    assert house.progress_messages() == []


def _waiting_keys(tx: Transaction) -> list[str]:
    rows = tx.jobs._db.execute("SELECT key FROM outbox WHERE ended_at IS NULL").fetchall()
    return [row["key"] for row in rows]


async def test_a_last_change_that_is_never_confirmed_is_given_up(house: BotHarness) -> None:
    _refuse_orders_for_now(house)
    await house.request_edit(make_photo())
    house.telegram.faults.always("editMessageText", HTML_502)
    house.ada.press_button(house.progress_message()["message_id"], "Cancel")
    await house.process_updates()
    await house.advance_time(3600)
    assert (await house.read_job()).state is State.CANCELLED
    assert await house.bot.db.transact(_waiting_keys) == []


async def test_between_a_refusal_and_its_repetition_it_says_that_it_waits(house: BotHarness) -> None:
    house.kie.refuse_next_create(500, "Server exception")
    house.kie.refuse_next_create(500, "Server exception")
    await house.request_edit(make_photo())
    await house.advance_time(20)
    assert (await house.read_job()).state is State.QUEUED
    assert house.progress_message()["text"] == sentence("got-it").translate("en")


async def test_a_person_without_a_status_is_told_as_well_that_it_waits(house: BotHarness) -> None:
    """A job that has no progress message gets one."""
    _refuse_orders_for_now(house)
    await house.request_edit(make_photo())
    await house.bot.db.transact(lambda tx: tx.outbox._db.execute("DELETE FROM outbox"))
    house.ada.delete(house.telegram.bot_messages(house.ada.id)[0]["message_id"])
    await house.advance_time(1000)
    assert house.progress_message()["text"] == render_english("waiting-for-kie")


async def test_a_long_queue_that_moves_is_not_called_stuck(house: BotHarness) -> None:
    _refuse_orders_for_now(house)
    await house.request_edit(make_photo())
    later_on = house.clock.instant() + 950_000

    def compose(tx: Transaction) -> str:
        _queue_thousands_before(tx)
        tx.circuit_breakers.close("outage")
        message = tx.progress_messages.get(1)
        update = None if message is None else plan_progress_update(tx, message, OrderLimits(20, 95, 900), later_on)
        return update.content.text if update is not None and update.content is not None else ""

    assert "number 3,001 in the queue" in await house.bot.db.transact(compose)


def _queue_thousands_before(tx: Transaction) -> None:
    db = tx.jobs._db
    db.execute(
        "INSERT INTO jobs (id, state, chat_id, user_id, message_id, prompt, received_at, due_at)"
        " WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i <= 3000)"
        " SELECT i, 'queued', i, i, i, 'x', 1, 9000000000000 FROM n"
    )
    db.execute(
        "INSERT INTO fair_queue (job_id, chat_id, chat_turn, user_turn, is_ready) SELECT id, chat_id, -1, 0, 0"
        " FROM jobs WHERE id > 1"
    )


async def test_an_answer_is_found_before_any_number_of_statuses(house: BotHarness) -> None:
    """After an outage ten thousand progress messages may be due; an answer must not wait for them."""

    def fill(tx: Transaction) -> list[str]:
        tx.outbox._db.execute(
            "INSERT INTO outbox (key, kind, chat_id, body, written_at, due_at)"
            " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
            " SELECT 'status:' || i, 'progress_message', i, '', 1, 1 FROM n"
        )
        tx.outbox.add(MessageDraft("answer", chat_id=77_777, body="Here it is."), 5)
        return [each.draft.key for each in tx.outbox.list_due(9, OutboxExclusions(), 16)]

    assert (await house.bot.db.transact(fill))[0] == "answer"


async def test_the_doubt_about_an_answer_survives_a_crash_and_a_failed_fetch(house: BotHarness) -> None:
    await _crash_after_send(house)
    house.kie.faults.add("result", Fault(FaultKind.RESPOND, status=502))
    await house.advance_time(60)
    assert (_calls(house, "sendPhoto"), _calls(house, "editMessageMedia")) == (1, 1)
    assert (await house.read_job()).answered_at is not None


async def _crash_after_send(house: BotHarness) -> None:
    """Restart in the state after a kill between the send of an image and its commit."""
    await house.request_edit(make_photo())
    house.telegram.faults.add("sendPhoto", CUT_AFTER)
    house.telegram.faults.always("getMe", Fault(FaultKind.DISCONNECT_BEFORE))
    await house.advance_time(30)
    forgets = "UPDATE outbox SET uncertain_sends = 0, tries = 0, due_at = 1 WHERE kind = 'image'"
    await house.bot.db.transact(lambda tx: tx.outbox._db.execute(forgets))
    house.telegram.faults.clear()
    await house.bot.worker.recover()


async def test_a_reply_to_something_else_is_taken_like_any_words(house: BotHarness) -> None:
    house.ada.send_text("hello")
    await house.receive_updates()
    await house.settle()
    [hello] = house.telegram.bot_messages(house.ada.id)
    await house.request_edit(make_photo(), caption="")
    house.ada.send_text("make it snow", reply_to=hello["message_id"])
    await house.receive_updates()
    await house.settle()
    assert (await house.read_job()).request.prompt == "make it snow"


async def test_a_caption_that_does_not_count_is_changed_without_a_sign(house: BotHarness) -> None:
    _refuse_orders_for_now(house)
    _, second = house.ada.send_album([make_photo(), make_photo("red")], {0: "one"})
    await house.receive_updates()
    await house.advance_time(5)
    house.ada.edit_caption(second, "two")
    await house.receive_updates()
    await house.advance_time(5)
    assert (await house.read_job()).request.prompt == "one"
    assert _calls(house, "setMessageReaction") == 0


async def test_a_caption_of_an_album_that_looks_like_a_command_loses_no_picture(house: BotHarness) -> None:
    house.ada.send_album([make_photo(), make_photo("red")], {0: "/imagine snow"})
    await house.receive_updates()
    await house.advance_time(5)
    [task] = house.kie.tasks.values()
    assert (len(task.image_urls), task.prompt) == (2, "snow")
