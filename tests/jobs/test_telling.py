"""What tells how an edit stands stays true, and never gets in the way of what is said."""

from bot.job import State
from bot.jobs.gates import Limits
from bot.jobs.status import errand
from bot.sandbox.faults import HTML_502, Fault, Kind
from bot.sandbox.kie_tasks import fail
from bot.sandbox.telegram.refusals import bad_request, too_many
from bot.store.outbox import Busy, Say
from bot.store.transaction import Transaction
from bot.texts import sentence
from tests.house import House
from tests.world import a_photo, english

CUT_AFTER = Fault(Kind.CUT_AFTER)


def _calls(house: House, method: str) -> int:
    return sum(call.method == method for call in house.telegram.calls)


def _hold(house: House) -> None:
    """Let Kie turn every order away for now."""
    house.kie.faults.always("createTask", Fault(Kind.ANSWER, status=200, body=b'{"code":455,"msg":"maintenance"}'))


async def test_a_pause_that_telegram_asks_for_holds_for_changes_too(house: House) -> None:
    _hold(house)
    for _ in range(3):
        await house.ask(a_photo())
    house.telegram.faults.always("editMessageText", too_many(120))
    before = _calls(house, "editMessageText")
    await house.pass_time(100)
    assert _calls(house, "editMessageText") <= before + 1


async def test_nothing_untrue_stays_when_a_refusal_is_never_confirmed(house: House) -> None:
    house.kie.script(fail("The input or output was flagged as sensitive."))
    await house.ask(a_photo())
    house.telegram.faults.always("sendMessage", CUT_AFTER)
    await house.pass_time(3600)
    assert house.statuses() == []


async def test_nothing_untrue_stays_when_a_picture_is_never_confirmed(house: House) -> None:
    await house.ask(a_photo())
    house.telegram.faults.always("sendPhoto", CUT_AFTER)
    house.telegram.faults.always("editMessageMedia", bad_request("message can't be edited"))
    await house.pass_time(3600)
    assert house.statuses() == []


def _waiting(tx: Transaction) -> list[str]:
    rows = tx.jobs._db.execute("SELECT key FROM outbox WHERE ended_at IS NULL").fetchall()
    return [row["key"] for row in rows]


async def test_a_last_change_that_is_never_confirmed_is_given_up(house: House) -> None:
    _hold(house)
    await house.ask(a_photo())
    house.telegram.faults.always("editMessageText", HTML_502)
    house.ada.press(house.status()["message_id"], "Cancel")
    await house.hear()
    await house.pass_time(3600)
    assert (await house.job()).state is State.CANCELLED
    assert await house.bot.db.unit(_waiting) == []


async def test_between_a_refusal_and_its_repetition_it_says_that_it_waits(house: House) -> None:
    house.kie.refuse(500, "Server exception")
    house.kie.refuse(500, "Server exception")
    await house.ask(a_photo())
    await house.pass_time(20)
    assert (await house.job()).state is State.QUEUED
    assert house.status()["text"] == sentence("got-it").into("en")


async def test_a_person_without_a_status_is_told_as_well_that_it_waits(house: House) -> None:
    """Jobs that an earlier version took on have none."""
    _hold(house)
    await house.ask(a_photo())
    await house.bot.db.unit(lambda tx: tx.outbox._db.execute("DELETE FROM outbox"))
    house.ada.delete(house.telegram.bot_messages(house.ada.id)[0]["message_id"])
    await house.pass_time(1000)
    assert house.status()["text"] == english("waiting-for-kie")


async def test_a_long_queue_that_moves_is_not_called_stuck(house: House) -> None:
    _hold(house)
    await house.ask(a_photo())
    later_on = house.clock.instant() + 950_000

    def told(tx: Transaction) -> str:
        _put_thousands_before_it(tx)
        tx.breakers.close("outage")
        status = tx.statuses.of(1)
        todo = None if status is None else errand(tx, status, Limits(20, 95, 900), later_on)
        return todo.showing.text if todo is not None and todo.showing is not None else ""

    assert "number 3,001 in the queue" in await house.bot.db.unit(told)


def _put_thousands_before_it(tx: Transaction) -> None:
    db = tx.jobs._db
    db.execute(
        "INSERT INTO jobs (id, state, chat_id, user_id, message_id, prompt, received_at, due_at)"
        " WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i <= 3000)"
        " SELECT i, 'queued', i, i, i, 'x', 1, 9000000000000 FROM n"
    )
    db.execute(
        "INSERT INTO line (job_id, chat_id, turn, place, is_ready) SELECT id, chat_id, -1, 0, 0 FROM jobs WHERE id > 1"
    )


async def test_an_answer_is_found_before_any_number_of_statuses(house: House) -> None:
    """Ten thousand statuses may be due at once, after an outage, and an answer must not wait behind them."""

    def fill(tx: Transaction) -> list[str]:
        tx.outbox._db.execute(
            "INSERT INTO outbox (key, kind, chat_id, body, written_at, due_at)"
            " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
            " SELECT 'status:' || i, 'status', i, '', 1, 1 FROM n"
        )
        tx.outbox.add(Say("answer", chat_id=77_777, body="Here it is."), 5)
        return [parcel.say.key for parcel in tx.outbox.due(9, Busy(), 16)]

    assert (await house.bot.db.unit(fill))[0] == "answer"


async def test_the_doubt_about_an_answer_survives_a_crash_and_a_failed_fetch(house: House) -> None:
    await _killed_after_the_send(house)
    house.kie.faults.add("result", Fault(Kind.ANSWER, status=502))
    await house.pass_time(60)
    assert (_calls(house, "sendPhoto"), _calls(house, "editMessageMedia")) == (1, 1)
    assert (await house.job()).answered_at is not None


async def _killed_after_the_send(house: House) -> None:
    """Bring about what a kill leaves between the send of a picture and the commit behind it, and start again."""
    await house.ask(a_photo())
    house.telegram.faults.add("sendPhoto", CUT_AFTER)
    house.telegram.faults.always("getMe", Fault(Kind.CUT_BEFORE))
    await house.pass_time(30)
    forgets = "UPDATE outbox SET in_doubt = 0, tries = 0, due_at = 1 WHERE kind = 'picture'"
    await house.bot.db.unit(lambda tx: tx.outbox._db.execute(forgets))
    house.telegram.faults.clear()
    await house.bot.worker.recover()


async def test_a_reply_to_something_else_is_taken_like_any_words(house: House) -> None:
    house.ada.send_text("hello")
    await house.receive()
    await house.settle()
    [hello] = house.telegram.bot_messages(house.ada.id)
    await house.ask(a_photo(), caption="")
    house.ada.send_text("make it snow", reply_to=hello["message_id"])
    await house.receive()
    await house.settle()
    assert (await house.job()).request.prompt == "make it snow"


async def test_a_caption_that_does_not_count_is_changed_without_a_sign(house: House) -> None:
    _hold(house)
    _, second = house.ada.send_album([a_photo(), a_photo("red")], {0: "one"})
    await house.receive()
    await house.pass_time(5)
    house.ada.edit_caption(second, "two")
    await house.receive()
    await house.pass_time(5)
    assert (await house.job()).request.prompt == "one"
    assert _calls(house, "setMessageReaction") == 0


async def test_a_caption_of_an_album_that_looks_like_a_command_loses_no_picture(house: House) -> None:
    house.ada.send_album([a_photo(), a_photo("red")], {0: "/imagine snow"})
    await house.receive()
    await house.pass_time(5)
    [task] = house.kie.tasks.values()
    assert (len(task.image_urls), task.prompt) == (2, "snow")
