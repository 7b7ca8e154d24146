"""How much may be asked for and spent on one day: counted exactly, given back, and told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.job import State
from bot.sandbox.faults import HTML_502
from bot.sandbox.kie_tasks import fail
from bot.store.counts import ALL, Whose
from bot.texts.times import until_tomorrow
from tests.group import friends
from tests.house import House, a_house
from tests.world import a_photo, english

ADMIN = 9009
DAY = 86_400

#: The clock of a house stands at 08:00 UTC.
TOMORROW = "16 hours"


@asynccontextmanager
async def _limited(folder: Path, kie: dict[str, Any] | None = None, **limits: Any) -> AsyncIterator[House]:
    async with a_house(folder, kie=kie, admin_ids=frozenset({ADMIN}), **limits) as house:
        house.telegram.person(user_id=ADMIN)
        yield house


async def _counted(house: House, whose: Whose = Whose.PERSON, principal: int = 1001) -> int:
    today = house.clock.instant() // (DAY * 1000)
    return await house.bot.db.unit(lambda tx: tx.counts.of(whose, principal, today))


async def _usage(house: House, user_id: int = 1001) -> list[str]:
    house.telegram.person(user_id=user_id).send_text("/usage")
    await house.hear()
    return house.words(user_id)[-1].splitlines()


def test_the_time_until_tomorrow_is_told_as_people_do() -> None:
    assert until_tomorrow(0).into("en") == "24 hours"
    assert until_tomorrow(DAY * 1000 - 90_000).into("en") == "2 minutes"


def test_one_edit_is_told_of_as_one() -> None:
    told = [english("used-up", whose=whose, most=1, time=TOMORROW).partition(".")[0] for whose in Whose]
    assert told == [
        "Your one edit for today is used up",
        "This group's one edit for today is used up",
        "I make one edit a day for everybody together, and today's is used up",
    ]
    assert english("left-today", whose="person", left=0, most=1) == "You have 0 of 1 edit left today."


async def test_a_hundred_at_once_at_a_limit_of_one_make_exactly_one(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_user=1) as house:
        for _ in range(100):
            house.ada.send_photo(a_photo(size=(16, 16)), caption="make it snow")
        await house.receive()
        await house.settle()
        await house.pass_time(60)
        assert len(house.kie.tasks) == 1
        assert len(house.pictures()) == 1
        assert house.words() == [english("used-up", whose="person", most=1, time=TOMORROW)]


async def test_a_hundred_people_at_a_limit_of_three_in_all_make_three(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits=3) as house:
        people = [house.telegram.person(user_id=5000 + number) for number in range(100)]
        for person in people:
            person.send_photo(a_photo(size=(16, 16)), caption="make it snow")
        await asyncio.gather(house.receive(), house.bot.intake.handle_all())
        await house.settle()
        await house.pass_time(60)
        assert len(house.kie.tasks) == 3
        told = [words for person in people for words in house.words(person.id)]
        assert told == [english("used-up", whose="all", most=3, time=TOMORROW)] * 97


async def test_a_groups_limit_is_shared_and_begins_anew_with_the_day(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_chat=1) as house:
        here = friends(house)
        here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
        here.grace.send_photo(a_photo(), caption="/edit make it rain", chat=here.group)
        assert len(await here.answered()) == 1
        assert here.words() == [english("used-up", whose="chat", most=1, time=TOMORROW)]
        house.clock.now += DAY
        here.grace.send_photo(a_photo(), caption="/edit make it rain", chat=here.group)
        assert len(await here.answered()) == 2


async def test_an_album_is_one_edit_and_none_of_a_refused_one_is_taken(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_user=1) as house:
        for _ in range(2):
            house.ada.send_album([a_photo("red"), a_photo("blue")], {0: "a duel"})
        await house.hear()
        await house.pass_time(60)
        assert [len(task.image_urls) for task in house.kie.tasks.values()] == [2]
        assert len(house.words()) == 1


@pytest.mark.parametrize("end", ["failed", "refused", "cancelled", "forgotten"])
async def test_an_edit_that_comes_to_nothing_is_given_back(tmp_path: Path, end: str) -> None:
    async with _limited(tmp_path, daily_edits_per_user=1, max_running=1) as house:
        if end in ("failed", "refused"):
            house.kie.script(*[fail("Internal error" if end == "failed" else "violates the content policy")] * 2)
            await house.ask(a_photo())
            for _ in range(3):
                await house.pass_time(40)
        else:
            await house.ask(a_photo(), caption="")  # which waits for words
            assert await _counted(house) == 1
            if end == "cancelled":
                house.ada.send_text("/cancel")
                await house.hear()
            else:
                await house.pass_time(3700)
        assert (await house.job()).state in (State.FAILED, State.CANCELLED)
        counts = [await _counted(house), await _counted(house, Whose.CHAT), await _counted(house, Whose.ALL, ALL)]
        assert counts == [0, 0, 0]
        await house.ask(a_photo())
        assert (await house.job(2)).state is not State.CANCELLED
        assert await _counted(house) == 1


async def test_what_comes_to_nothing_tomorrow_gives_nothing_back_then(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_user=2) as house:
        await house.ask(a_photo(), caption="")
        house.clock.now += DAY
        await house.ask(a_photo())
        await house.pass_time(3700)  # the first is forgotten
        assert (await house.job(1)).state is State.CANCELLED
        assert await _counted(house) == 1


async def test_another_wish_for_a_picture_that_is_there_counts_as_well(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_user=1) as house:
        asked = await house.ask(a_photo(size=(16, 16)))
        house.ada.send_text("at night", reply_to=asked)
        await house.hear()
        assert house.words() == [english("used-up", whose="person", most=1, time=TOMORROW)]
        assert await house.bot.db.unit(lambda tx: tx.jobs.get(2)) is None


async def test_a_variation_counts_for_the_one_who_presses(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_user=1) as house:
        here = friends(house)
        here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
        [answer] = await here.answered()
        told = [await here.press(each, answer["message_id"], "Again") for each in (here.ada, here.grace)]
        assert told == [english("toast-used-up", time=TOMORROW), english("toast-varied")]


async def test_admins_have_no_limit(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_user=1, daily_edits_per_chat=1, daily_edits=1) as house:
        admin = house.telegram.person(user_id=ADMIN)
        for _ in range(3):
            admin.send_photo(a_photo(), caption="make it snow")
        await house.hear()
        await house.pass_time(60)
        assert len(house.kie.tasks) == 3


async def test_a_groups_count_moves_with_it(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_chat=1) as house:
        here = friends(house, -4001)
        here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
        assert len(await here.answered()) == 1
        moved = here.group.migrate(here.ada.user)
        await here.hear()
        assert await _counted(house, Whose.CHAT, moved.id) == 1
        here.ada.send_photo(a_photo(), caption="/edit make it rain", chat=moved)
        await here.hear()
        assert len(house.kie.tasks) == 1


async def test_nobody_begins_anew_by_deleting_everything(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_user=1, daily_credits=100) as house:
        await house.ask(a_photo())  # which is ordered, and paid for
        house.ada.send_text("/delete")
        await house.hear()
        [question] = [each for each in house.telegram.bot_messages(1001) if "stored about you" in each.get("text", "")]
        house.ada.press(question["message_id"], "Delete everything")
        await house.hear()
        await house.ask(a_photo())
        assert len(house.kie.tasks) == 1
        assert house.words()[-1] == english("used-up", whose="person", most=1, time=TOMORROW)
        today = house.clock.instant() // (DAY * 1000)
        assert await house.bot.db.unit(lambda tx: tx.account.spent(today)) == 4


# -- /usage


async def test_usage_tells_what_is_left_and_when_there_is_more(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_user=20, daily_edits_per_chat=100, daily_edits=500) as house:
        await house.ask(a_photo())
        await house.bot.db.unit(house.bot.retention.erase)
        assert await _usage(house) == [
            english("left-today", whose="person", left=19, most=20), english("begins-anew", time=TOMORROW),
        ]  # fmt: skip
        here = friends(house)
        here.ada.send_text("/usage", chat=here.group)
        await here.hear()
        assert here.words()[-1].splitlines() == [
            english("left-today", whose="person", left=19, most=20),
            english("left-today", whose="chat", left=100, most=100),
            english("begins-anew", time=TOMORROW),
        ]


async def test_usage_tells_of_the_limit_for_all_where_it_is_the_nearest(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_user=20, daily_edits_per_chat=100, daily_edits=5) as house:
        told = await _usage(house)
        assert told[1] == english("left-today", whose="all", left=5, most=5)


async def test_usage_tells_of_one_limit_in_private_the_nearer_one(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_edits_per_user=20, daily_edits_per_chat=5) as house:
        told = [english("left-today", whose="person", left=5, most=5), english("begins-anew", time=TOMORROW)]
        assert await _usage(house) == told


async def test_usage_tells_that_nothing_more_may_be_spent(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_credits=4) as house:
        assert await _usage(house) == [english("no-limit")]
        await house.ask(a_photo(size=(16, 16)))
        assert await _usage(house) == [english("credits-used-up"), english("begins-anew", time=TOMORROW)]
        assert (await _usage(house, ADMIN))[-1] == english("begins-anew", time=TOMORROW)


async def test_usage_without_limits(tmp_path: Path) -> None:
    async with _limited(tmp_path) as house:
        assert await _usage(house) == [english("no-limit")]


async def test_usage_tells_admins_what_was_spent_by_kies_own_figures(tmp_path: Path) -> None:
    async with _limited(tmp_path, {"credits": 100.0, "price": 4.5}, daily_edits=500, daily_credits=50) as house:
        for _ in range(2):
            await house.ask(a_photo())
        await house.pass_time(60)
        house.clock.now += 240
        told = await _usage(house, ADMIN)
        assert told == [
            english("no-limit"), english("used-in-all", used=2, most=500),
            english("spent-today", spent=9.0, most=50), english("balance", credits=91.0, time="5 minutes"),
            english("begins-anew", time=TOMORROW),
        ]  # fmt: skip
        rows = await house.bot.db.unit(
            lambda tx: [each["credits"] for each in tx.jobs._db.execute("SELECT * FROM jobs")]
        )
        assert rows == [4.5, 4.5]


# -- credits


async def test_no_more_is_taken_than_the_days_credits_pay_for(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_credits=10) as house:
        for _ in range(4):
            await house.ask(a_photo())
        await house.pass_time(60)
        assert len(house.kie.tasks) == 2
        assert house.words() == [english("spent", time=TOMORROW)]
        house.clock.now += DAY
        await house.ask(a_photo())
        await house.pass_time(60)
        assert len(house.kie.tasks) == 3


async def test_what_was_accepted_waits_for_tomorrow_when_it_turns_out_dearer(tmp_path: Path) -> None:
    async with _limited(tmp_path, {"price": 10.0}, daily_credits=12, max_running=1) as house:
        for _ in range(3):
            await house.ask(a_photo())
        await house.pass_time(100)
        assert len(house.kie.tasks) == 1
        told = [status["text"] for status in house.statuses()]
        assert told == [english("waiting-for-tomorrow", time=TOMORROW)] * 2
        house.clock.now += 15 * 3600
        await house.pass_time(3700)
        assert len(house.kie.tasks) == 2, "one a day is what twelve credits pay for"


async def test_what_costs_nothing_is_not_spent(tmp_path: Path) -> None:
    async with _limited(tmp_path, daily_credits=10) as house:
        house.kie.script(*[fail("violates the content policy")] * 5)
        for _ in range(5):
            await house.ask(a_photo())
            await house.pass_time(60)
        assert len(house.kie.tasks) == 5
        today = house.clock.instant() // (DAY * 1000)
        assert await house.bot.db.unit(lambda tx: tx.account.spent(today)) == 0


async def test_admins_are_told_once_when_credits_run_low_and_again_after_a_top_up(tmp_path: Path) -> None:
    async with _limited(tmp_path, {"credits": 46.0}, low_credits=40) as house:
        for _ in range(5):
            await house.ask(a_photo())
            await house.pass_time(700)
        assert house.words(ADMIN) == [english("admin-low", credits=38.0, low=40)]
        assert len(house.kie.called("credit")) == 5
        house.kie._account.paid_in += 20
        await house.ask(a_photo())
        await house.pass_time(700)
        house.kie._account.paid_in -= 20
        await house.ask(a_photo())
        await house.pass_time(700)
        assert len(house.words(ADMIN)) == 2


async def test_the_balance_is_asked_for_every_ten_minutes_at_most_and_not_by_an_idle_bot(tmp_path: Path) -> None:
    async with _limited(tmp_path) as house:
        for _ in range(5):
            await house.ask(a_photo(size=(16, 16)))
            await house.pass_time(50)
        assert len(house.kie.called("credit")) == 1
        await house.pass_time(1000)
        asked = len(house.kie.called("credit"))
        await house.pass_time(DAY)
        assert len(house.kie.called("credit")) == asked


async def test_a_balance_that_is_not_to_be_had_is_not_asked_for_again_and_again(tmp_path: Path) -> None:
    async with _limited(tmp_path) as house:
        house.kie.faults.always("credit", HTML_502)
        await house.ask(a_photo(size=(16, 16)))
        await house.pass_time(300)
        assert len(house.kie.called("credit")) == 1


async def test_nobody_asks_for_a_balance_that_nobody_wants_to_know(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.ask(a_photo())
        await house.pass_time(60)
        assert house.kie.called("credit") == []


# -- while nothing can be ordered


async def test_a_group_is_told_once_why_nothing_comes(tmp_path: Path) -> None:
    async with _limited(tmp_path) as house:
        here = friends(house)
        house.kie._account.paid_in = 0
        asked = here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
        here.grace.send_photo(a_photo(), caption="/edit make it rain", chat=here.group)
        await here.hear()
        await house.pass_time(3600)
        [told] = here.texts()
        assert told["text"] == english("waiting-for-owner")
        assert told["reply_to_message"]["message_id"] == asked
        assert house.words(ADMIN) == [english("admin-halt-credits")]
        house.kie._account.paid_in = 100
        await house.pass_time(1000)
        assert len(here.pictures()) == 2
        assert len(here.texts()) == 1
        assert house.words(ADMIN)[-1] == english("admin-resumed")


async def test_a_group_is_told_once_that_it_waits_for_tomorrow(tmp_path: Path) -> None:
    async with _limited(tmp_path, {"price": 10.0}, daily_credits=12, max_running=1) as house:
        here = friends(house)
        for _ in range(3):
            here.ada.send_photo(a_photo(size=(16, 16)), caption="/edit make it snow", chat=here.group)
        await here.hear()
        await house.pass_time(3600)
        assert here.words() == [english("waiting-for-tomorrow", time=TOMORROW)]


async def test_nobody_is_said_to_know_of_it_where_nobody_is_told(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        house.kie.refuse(433, "cap")
        await house.ask(a_photo(size=(16, 16)))
        await house.pass_time(10)
        assert house.status()["text"] == english("waiting-for-owner-unaware")
