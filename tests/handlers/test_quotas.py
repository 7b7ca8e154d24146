"""The daily limits: counted exactly, refunded, and shown by /usage."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.i18n import time_until_tomorrow
from bot.job import State
from bot.sandbox.fault_injection import HTML_502
from bot.sandbox.kie.tasks import failure
from bot.store.daily_usage import EVERYONE_ID, UsageScope
from tests.bot_harness import BotHarness, open_bot_harness
from tests.group_harness import create_group
from tests.process_harness import make_photo, render_english

ADMIN = 9009
DAY = 86_400

#: The clock of a `BotHarness` starts at 08:00 UTC.
TOMORROW = "16 hours"


@asynccontextmanager
async def _open_limited_harness(
    folder: Path, kie: dict[str, Any] | None = None, **limits: Any
) -> AsyncIterator[BotHarness]:
    async with open_bot_harness(folder, kie=kie, admin_ids=frozenset({ADMIN}), **limits) as house:
        house.telegram.person(user_id=ADMIN)
        yield house


async def _read_daily_usage(house: BotHarness, whose: UsageScope = UsageScope.USER, principal: int = 1001) -> int:
    today = house.clock.instant() // (DAY * 1000)
    return await house.bot.db.transact(lambda tx: tx.daily_usage.get(whose, principal, today))


async def _usage_text(house: BotHarness, user_id: int = 1001) -> list[str]:
    house.telegram.person(user_id=user_id).send_text("/usage")
    await house.process_updates()
    return house.sent_texts(user_id)[-1].splitlines()


def test_the_time_until_tomorrow_is_told_as_people_do() -> None:
    assert time_until_tomorrow(0).translate("en") == "24 hours"
    assert time_until_tomorrow(DAY * 1000 - 90_000).translate("en") == "2 minutes"


def test_one_edit_is_told_of_as_one() -> None:
    reply_text = [
        render_english("used-up", whose=whose, most=1, time=TOMORROW).partition(".")[0] for whose in UsageScope
    ]
    assert reply_text == [
        "Your one edit for today is used up",
        "This group's one edit for today is used up",
        "I make one edit a day for everybody together, and today's is used up",
    ]
    assert render_english("left-today", whose="person", left=0, most=1) == "You have 0 of 1 edit left today."


async def test_a_hundred_at_once_at_a_limit_of_one_make_exactly_one(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=1) as house:
        for _ in range(100):
            house.ada.send_photo(make_photo(size=(16, 16)), caption="make it snow")
        await house.receive_updates()
        await house.settle()
        await house.advance_time(60)
        assert len(house.kie.tasks) == 1
        assert len(house.pictures()) == 1
        assert house.sent_texts() == [render_english("used-up", whose="person", most=1, time=TOMORROW)]


async def test_a_hundred_people_at_a_limit_of_three_in_all_make_three(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits=3) as house:
        people = [house.telegram.person(user_id=5000 + number) for number in range(100)]
        for person in people:
            person.send_photo(make_photo(size=(16, 16)), caption="make it snow")
        await asyncio.gather(house.receive_updates(), house.bot.dispatcher.handle_all())
        await house.settle()
        await house.advance_time(60)
        assert len(house.kie.tasks) == 3
        reply_text = [words for person in people for words in house.sent_texts(person.id)]
        assert reply_text == [render_english("used-up", whose="all", most=3, time=TOMORROW)] * 97


async def test_a_groups_limit_is_shared_and_begins_anew_with_the_day(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_chat=1) as house:
        here = create_group(house)
        here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
        here.grace.send_photo(make_photo(), caption="/edit make it rain", chat=here.group)
        assert len(await here.finish_edits()) == 1
        assert here.sent_texts() == [render_english("used-up", whose="chat", most=1, time=TOMORROW)]
        house.clock.now += DAY
        here.grace.send_photo(make_photo(), caption="/edit make it rain", chat=here.group)
        assert len(await here.finish_edits()) == 2


async def test_an_album_is_one_edit_and_none_of_a_refused_one_is_taken(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=1) as house:
        for _ in range(2):
            house.ada.send_album([make_photo("red"), make_photo("blue")], {0: "a duel"})
        await house.process_updates()
        await house.advance_time(60)
        assert [len(task.image_urls) for task in house.kie.tasks.values()] == [2]
        assert len(house.sent_texts()) == 1


@pytest.mark.parametrize("end", ["failed", "refused", "cancelled", "forgotten"])
async def test_an_edit_that_comes_to_nothing_is_given_back(tmp_path: Path, end: str) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=1, max_running=1) as house:
        if end in ("failed", "refused"):
            house.kie.script_outcomes(
                *[failure("Internal error" if end == "failed" else "violates the content policy")] * 2
            )
            await house.request_edit(make_photo())
            for _ in range(3):
                await house.advance_time(40)
        else:
            await house.request_edit(make_photo(), caption="")  # which waits for a prompt
            assert await _read_daily_usage(house) == 1
            if end == "cancelled":
                house.ada.send_text("/cancel")
                await house.process_updates()
            else:
                await house.advance_time(3700)
        assert (await house.read_job()).state in (State.FAILED, State.CANCELLED)
        counts = [
            await _read_daily_usage(house),
            await _read_daily_usage(house, UsageScope.CHAT),
            await _read_daily_usage(house, UsageScope.ALL, EVERYONE_ID),
        ]
        assert counts == [0, 0, 0]
        await house.request_edit(make_photo())
        assert (await house.read_job(2)).state is not State.CANCELLED
        assert await _read_daily_usage(house) == 1


async def test_what_comes_to_nothing_tomorrow_gives_nothing_back_then(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=2) as house:
        await house.request_edit(make_photo(), caption="")
        house.clock.now += DAY
        await house.request_edit(make_photo())
        await house.advance_time(3700)  # the first one expires
        assert (await house.read_job(1)).state is State.CANCELLED
        assert await _read_daily_usage(house) == 1


async def test_another_wish_for_a_picture_that_is_there_counts_as_well(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=1) as house:
        asked = await house.request_edit(make_photo(size=(16, 16)))
        house.ada.send_text("at night", reply_to=asked)
        await house.process_updates()
        assert house.sent_texts() == [render_english("used-up", whose="person", most=1, time=TOMORROW)]
        assert await house.bot.db.transact(lambda tx: tx.jobs.get(2)) is None


async def test_a_variation_counts_for_the_one_who_presses(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=1) as house:
        here = create_group(house)
        here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
        [answer] = await here.finish_edits()
        reply_text = [await here.press_button(each, answer["message_id"], "Again") for each in (here.ada, here.grace)]
        assert reply_text == [render_english("toast-used-up", time=TOMORROW), render_english("toast-varied")]


async def test_admins_have_no_limit(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=1, daily_edits_per_chat=1, daily_edits=1) as house:
        admin = house.telegram.person(user_id=ADMIN)
        for _ in range(3):
            admin.send_photo(make_photo(), caption="make it snow")
        await house.process_updates()
        await house.advance_time(60)
        assert len(house.kie.tasks) == 3


async def test_a_groups_count_moves_with_it(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_chat=1) as house:
        here = create_group(house, -4001)
        here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
        assert len(await here.finish_edits()) == 1
        moved = here.group.migrate(here.ada.user)
        await here.process_updates()
        assert await _read_daily_usage(house, UsageScope.CHAT, moved.id) == 1
        here.ada.send_photo(make_photo(), caption="/edit make it rain", chat=moved)
        await here.process_updates()
        assert len(house.kie.tasks) == 1


async def test_nobody_begins_anew_by_deleting_everything(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=1, daily_credits=100) as house:
        await house.request_edit(make_photo())  # which is ordered and charged
        house.ada.send_text("/delete")
        await house.process_updates()
        [question] = [each for each in house.telegram.bot_messages(1001) if "stored about you" in each.get("text", "")]
        house.ada.press_button(question["message_id"], "Delete everything")
        await house.process_updates()
        await house.request_edit(make_photo())
        assert len(house.kie.tasks) == 1
        assert house.sent_texts()[-1] == render_english("used-up", whose="person", most=1, time=TOMORROW)
        today = house.clock.instant() // (DAY * 1000)
        assert await house.bot.db.transact(lambda tx: tx.credits.get_spending(today)) == 4


# -- /usage


async def test_usage_tells_what_is_left_and_when_there_is_more(tmp_path: Path) -> None:
    async with _open_limited_harness(
        tmp_path, daily_edits_per_user=20, daily_edits_per_chat=100, daily_edits=500
    ) as house:
        await house.request_edit(make_photo())
        await house.bot.db.transact(house.bot.retention.erase_batch)
        assert await _usage_text(house) == [
            render_english("left-today", whose="person", left=19, most=20),
            render_english("begins-anew", time=TOMORROW),
        ]
        here = create_group(house)
        here.ada.send_text("/usage", chat=here.group)
        await here.process_updates()
        assert here.sent_texts()[-1].splitlines() == [
            render_english("left-today", whose="person", left=19, most=20),
            render_english("left-today", whose="chat", left=100, most=100),
            render_english("begins-anew", time=TOMORROW),
        ]


async def test_usage_tells_of_the_limit_for_all_where_it_is_the_nearest(tmp_path: Path) -> None:
    async with _open_limited_harness(
        tmp_path, daily_edits_per_user=20, daily_edits_per_chat=100, daily_edits=5
    ) as house:
        reply_text = await _usage_text(house)
        assert reply_text[1] == render_english("left-today", whose="all", left=5, most=5)


async def test_usage_tells_of_one_limit_in_private_the_nearer_one(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=20, daily_edits_per_chat=5) as house:
        reply_text = [
            render_english("left-today", whose="person", left=5, most=5),
            render_english("begins-anew", time=TOMORROW),
        ]
        assert await _usage_text(house) == reply_text


async def test_usage_tells_that_nothing_more_may_be_spent(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_credits=4) as house:
        assert await _usage_text(house) == [render_english("no-limit")]
        await house.request_edit(make_photo(size=(16, 16)))
        assert await _usage_text(house) == [
            render_english("credits-used-up"),
            render_english("begins-anew", time=TOMORROW),
        ]
        assert (await _usage_text(house, ADMIN))[-1] == render_english("begins-anew", time=TOMORROW)


async def test_usage_without_limits(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path) as house:
        assert await _usage_text(house) == [render_english("no-limit")]


async def test_usage_tells_admins_what_was_spent_by_kies_own_figures(tmp_path: Path) -> None:
    async with _open_limited_harness(
        tmp_path, {"credits": 100.0, "price": 4.5}, daily_edits=500, daily_credits=50
    ) as house:
        for _ in range(2):
            await house.request_edit(make_photo())
        await house.advance_time(60)
        house.clock.now += 240
        reply_text = await _usage_text(house, ADMIN)
        assert reply_text == [
            render_english("no-limit"),
            render_english("used-in-all", used=2, most=500),
            render_english("spent-today", spent=9.0, most=50),
            render_english("balance", credits=91.0, time="5 minutes"),
            render_english("begins-anew", time=TOMORROW),
        ]
        rows = await house.bot.db.transact(
            lambda tx: [each["credits"] for each in tx.jobs._db.execute("SELECT * FROM jobs")]
        )
        assert rows == [4.5, 4.5]


# -- credits


async def test_no_more_is_taken_than_the_days_credits_pay_for(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_credits=10) as house:
        for _ in range(4):
            await house.request_edit(make_photo())
        await house.advance_time(60)
        assert len(house.kie.tasks) == 2
        assert house.sent_texts() == [render_english("spent", time=TOMORROW)]
        house.clock.now += DAY
        await house.request_edit(make_photo())
        await house.advance_time(60)
        assert len(house.kie.tasks) == 3


async def test_what_was_accepted_waits_for_tomorrow_when_it_turns_out_dearer(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, {"price": 10.0}, daily_credits=12, max_running=1) as house:
        for _ in range(3):
            await house.request_edit(make_photo())
        await house.advance_time(100)
        assert len(house.kie.tasks) == 1
        reply_text = [status["text"] for status in house.progress_messages()]
        assert reply_text == [render_english("waiting-for-tomorrow", time=TOMORROW)] * 2
        house.clock.now += 15 * 3600
        await house.advance_time(3700)
        assert len(house.kie.tasks) == 2, "one a day is what twelve credits pay for"


async def test_what_costs_nothing_is_not_spent(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_credits=10) as house:
        house.kie.script_outcomes(*[failure("violates the content policy")] * 5)
        for _ in range(5):
            await house.request_edit(make_photo())
            await house.advance_time(60)
        assert len(house.kie.tasks) == 5
        today = house.clock.instant() // (DAY * 1000)
        assert await house.bot.db.transact(lambda tx: tx.credits.get_spending(today)) == 0


async def test_admins_are_told_once_when_credits_run_low_and_again_after_a_top_up(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, {"credits": 46.0}, low_credits=40) as house:
        for _ in range(5):
            await house.request_edit(make_photo())
            await house.advance_time(700)
        assert house.sent_texts(ADMIN) == [render_english("admin-low", credits=38.0, low=40)]
        assert len(house.kie.calls_named("credit")) == 5
        house.kie._account.paid_in += 20
        await house.request_edit(make_photo())
        await house.advance_time(700)
        house.kie._account.paid_in -= 20
        await house.request_edit(make_photo())
        await house.advance_time(700)
        assert len(house.sent_texts(ADMIN)) == 2


async def test_the_balance_is_asked_for_every_ten_minutes_at_most_and_not_by_an_idle_bot(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path) as house:
        for _ in range(5):
            await house.request_edit(make_photo(size=(16, 16)))
            await house.advance_time(50)
        assert len(house.kie.calls_named("credit")) == 1
        await house.advance_time(1000)
        asked = len(house.kie.calls_named("credit"))
        await house.advance_time(DAY)
        assert len(house.kie.calls_named("credit")) == asked


async def test_a_balance_that_is_not_to_be_had_is_not_asked_for_again_and_again(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path) as house:
        house.kie.faults.always("credit", HTML_502)
        await house.request_edit(make_photo(size=(16, 16)))
        await house.advance_time(300)
        assert len(house.kie.calls_named("credit")) == 1


async def test_nobody_asks_for_a_balance_that_nobody_wants_to_know(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path) as house:
        await house.request_edit(make_photo())
        await house.advance_time(60)
        assert house.kie.calls_named("credit") == []


# -- while nothing can be ordered


async def test_a_group_is_told_once_why_nothing_comes(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path) as house:
        here = create_group(house)
        house.kie._account.paid_in = 0
        asked = here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
        here.grace.send_photo(make_photo(), caption="/edit make it rain", chat=here.group)
        await here.process_updates()
        await house.advance_time(3600)
        [reply_text] = here.text_messages()
        assert reply_text["text"] == render_english("waiting-for-owner")
        assert reply_text["reply_to_message"]["message_id"] == asked
        assert house.sent_texts(ADMIN) == [render_english("admin-halt-credits")]
        house.kie._account.paid_in = 100
        await house.advance_time(1000)
        assert len(here.pictures()) == 2
        assert len(here.text_messages()) == 1
        assert house.sent_texts(ADMIN)[-1] == render_english("admin-resumed")


async def test_a_group_is_told_once_that_it_waits_for_tomorrow(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, {"price": 10.0}, daily_credits=12, max_running=1) as house:
        here = create_group(house)
        for _ in range(3):
            here.ada.send_photo(make_photo(size=(16, 16)), caption="/edit make it snow", chat=here.group)
        await here.process_updates()
        await house.advance_time(3600)
        assert here.sent_texts() == [render_english("waiting-for-tomorrow", time=TOMORROW)]


async def test_nobody_is_said_to_know_of_it_where_nobody_is_told(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path) as house:
        house.kie.refuse_next_create(433, "cap")
        await house.request_edit(make_photo(size=(16, 16)))
        await house.advance_time(10)
        assert house.progress_message()["text"] == render_english("waiting-for-owner-unaware")
