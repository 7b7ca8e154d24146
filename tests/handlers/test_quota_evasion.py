"""Attempts to evade the limits: by groups and channels, by requests without a prompt, by refunds, by /delete."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.handlers import quotas
from bot.i18n.prompt_suggestions import PROMPT_SUGGESTIONS
from bot.job import ANONYMOUS_SENDER_ID, State
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.kie.tasks import STUCK, SUCCESS_WITHOUT_URL, ScriptedOutcome, failure
from bot.sandbox.telegram import Person
from bot.store.daily_usage import EVERYONE_ID, MAX_REFUNDED_FAILURES, UsageScope
from tests.bot_harness import BotHarness, open_bot_harness
from tests.group_harness import GroupHarness, create_group
from tests.process_harness import make_photo, render_english

ADMIN = 9009
DAY = 86_400
TOMORROW = "16 hours"
PHOTO = make_photo(size=(16, 16))

CUT_AFTER = Fault(FaultKind.DISCONNECT_AFTER)


@asynccontextmanager
async def _open_limited_harness(folder: Path, **limits: Any) -> AsyncIterator[BotHarness]:
    async with open_bot_harness(folder, kie={"credits": 1000.0}, admin_ids=frozenset({ADMIN}), **limits) as house:
        house.telegram.person(user_id=ADMIN)
        yield house


def _create_eve(house: BotHarness, number: int = 0) -> Person:
    return house.telegram.person(user_id=6000 + number, first_name="Eve")


def _create_groups(house: BotHarness, count: int) -> Iterator[GroupHarness]:
    for number in range(count):
        yield create_group(house, -1_000_000_000_100 - number)


def _channel_chat(number: int = 0) -> dict[str, Any]:
    return {"id": -1_000_000_900_000 - number, "type": "channel", "title": "Eve's"}


async def _read_daily_usage(house: BotHarness, whose: UsageScope = UsageScope.USER, principal: int = 1001) -> int:
    today = house.clock.instant() // (DAY * 1000)
    return await house.bot.db.transact(lambda tx: tx.daily_usage.get(whose, principal, today))


async def _read_spending(house: BotHarness) -> float:
    today = house.clock.instant() // (DAY * 1000)
    return await house.bot.db.transact(lambda tx: tx.credits.get_spending(today))


# -- messages in the name of groups and channels


async def test_who_speaks_as_many_channels_of_their_own_has_the_limit_of_one(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=3) as house:
        here = create_group(house)
        eve = _create_eve(house)
        here.add_bot(eve)
        for number in range(6):
            for _ in range(3):
                eve.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, channel=_channel_chat(number))
        eve.send_photo(PHOTO, caption="/edit make it snow", chat=here.group)
        eve.send_photo(PHOTO, caption="make it snow")
        await house.process_updates()
        await house.advance_time(60)
        assert len(house.kie.tasks) == 3
        assert await _read_daily_usage(house, principal=eve.id) == 3


async def test_who_speaks_as_many_groups_of_their_own_has_the_limit_of_one(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=3) as house:
        eve = _create_eve(house)
        for here in _create_groups(house, 5):
            here.add_bot(eve)
            for _ in range(3):
                eve.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, anonymously=True)
        await house.process_updates()
        await house.advance_time(60)
        assert len(house.kie.tasks) == 3


async def test_where_nobody_knows_who_added_the_bot_all_nameless_share_one_limit(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=3) as house:
        eve = _create_eve(house)
        for number, here in enumerate(_create_groups(house, 3)):
            for _ in range(2):
                eve.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, anonymously=True)
                eve.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, channel=_channel_chat(number))
        await house.process_updates()
        await house.advance_time(60)
        assert len(house.kie.tasks) == 3
        assert await _read_daily_usage(house, principal=ANONYMOUS_SENDER_ID) == 3
        assert here.sent_texts() == [render_english("used-up", whose="nameless", most=3, time=TOMORROW)] * 2
        before = len(await here.finish_edits())
        here.ada.send_photo(PHOTO, caption="/edit make it snow", chat=here.group)
        assert len(await here.finish_edits()) == before + 1, "who speaks in their own name has a limit of their own"


async def test_an_administrator_who_added_the_bot_and_remains_anonymous_is_nobody_known(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path) as house:
        here = create_group(house)
        here.group.set_bot_status("left", here.ada.user)
        here.group.set_bot_status("member", {"id": ANONYMOUS_SENDER_ID, "is_bot": True, "first_name": "Group"})
        here.ada.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, anonymously=True)
        await here.finish_edits()
        assert (await house.read_job()).request.charged_to == ANONYMOUS_SENDER_ID


async def test_a_group_to_which_an_admin_of_the_bot_has_added_it_has_the_limit_of_one_for_its_nameless(
    tmp_path: Path,
) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=2) as house:
        here = create_group(house)
        admin = house.telegram.person(user_id=ADMIN)
        here.add_bot(admin)
        for number in range(4):
            here.ada.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, channel=_channel_chat(number))
            admin.send_photo(PHOTO, caption="/edit make it snow", chat=here.group)
        assert len(await here.finish_edits()) == 2 + 4
        assert await _read_daily_usage(house, principal=here.group.id) == 2


async def test_who_adds_the_bot_after_it_was_removed_answers_from_then_on(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path) as house:
        here = create_group(house)
        for person in (here.ada, here.grace):
            here.add_bot(person)
            here.ada.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, anonymously=True)
            here.group.set_bot_status("administrator", here.ada.user)
            await here.finish_edits()
        charged = [(await house.read_job(number)).request.charged_to for number in (1, 2)]
        assert charged == [here.ada.id, here.grace.id]
        here.group.set_bot_status("kicked", here.ada.user)
        await here.process_updates()
        assert await house.bot.db.transact(lambda tx: tx.chats.get_added_by(here.group.id)) is None


@pytest.mark.parametrize("is_announced_first", [True, False])
async def test_a_supergroup_keeps_who_added_the_bot_to_the_group_that_it_was(
    tmp_path: Path, is_announced_first: bool
) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=1) as house:
        here = create_group(house, -5)
        here.add_bot(here.ada)
        here.grace.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, anonymously=True)
        await here.finish_edits()
        if is_announced_first:
            grown = here.group.migrate(here.grace.user)
            grown.set_bot_status("member", here.grace.user)
        else:
            old = here.group.chat
            grown = here.group.migrate(here.grace.user)
            house.telegram.state.updates.clear()
            grown.chat.bot_status = "left"
            grown.set_bot_status("member", here.grace.user)
            house.telegram.state.receive_from_person(old, here.grace.user, {"migrate_to_chat_id": grown.id})
        await here.process_updates()
        assert await house.bot.db.transact(lambda tx: tx.chats.get_added_by(grown.id)) == here.ada.id
        here.grace.send_photo(PHOTO, caption="/edit make it snow", chat=grown, anonymously=True)
        await here.process_updates()
        assert len(house.kie.tasks) == 1


async def test_nameless_see_in_usage_what_is_left_for_them_together(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=3) as house:
        for number, here in enumerate(_create_groups(house, 2)):
            here.ada.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, channel=_channel_chat(number))
        await here.finish_edits()
        here.ada.send_text("/usage", chat=here.group, anonymously=True)
        await here.process_updates()
        assert here.sent_texts()[-1].splitlines() == [
            render_english("left-today", whose="nameless", left=1, most=3),
            render_english("begins-anew", time=TOMORROW),
        ]


async def test_nameless_wait_together_and_the_line_takes_them_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotas, "MAX_WAITING_PER_USER", 3)
    async with _open_limited_harness(tmp_path) as house:
        house.kie.refuse_next_create(433, "cap")
        here = create_group(house)
        for number in range(4):
            here.ada.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, channel=_channel_chat(number))
        here.grace.send_photo(PHOTO, caption="/edit make it rain", chat=here.group)
        await here.process_updates()
        assert here.sent_texts() == [render_english("too-many-nameless-wait", most=3)]
        await house.advance_time(2000)
        prompts = [task.prompt for task in house.kie.tasks.values()]
        assert prompts.index("make it rain") <= 1, "she waits for one of them, and not for all"


async def test_who_asked_may_take_back_and_see_what_was_asked_for_in_that_name_only(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path) as house:
        for _ in range(2):
            house.kie.refuse_next_create(433, "cap")
        here = create_group(house)
        here.add_bot(here.ada)
        for number in range(2):
            here.ada.send_photo(PHOTO, caption="/edit make it snow", chat=here.group, channel=_channel_chat(number))
        await here.process_updates()
        here.ada.send_text("/cancel", chat=here.group, channel=_channel_chat(1))
        await here.process_updates()
        assert [(await house.read_job(number)).state for number in (1, 2)] == [State.QUEUED, State.CANCELLED]


# -- requests without a prompt


async def test_an_album_whose_words_are_taken_back_holds_nothing_of_others(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits=20) as house:
        first, _ = house.ada.send_album([PHOTO, PHOTO], {0: "make it snow"})
        await house.receive_updates()
        assert await _read_daily_usage(house, UsageScope.ALL, EVERYONE_ID) == 1
        house.ada.edit_caption(first, "")
        await house.receive_updates()
        assert await _read_daily_usage(house, UsageScope.ALL, EVERYONE_ID) == 0
        house.ada.edit_caption(first, "make it rain")
        await house.receive_updates()
        assert await _read_daily_usage(house, UsageScope.ALL, EVERYONE_ID) == 1
        await house.advance_time(40)
        assert len(house.pictures()) == 1


async def test_pictures_without_words_take_nothing_from_others(tmp_path: Path) -> None:
    async with _open_limited_harness(
        tmp_path, daily_edits_per_user=4, daily_edits_per_chat=20, daily_edits=20
    ) as house:
        eve = _create_eve(house)
        for here in _create_groups(house, 5):
            here.add_bot(eve)
            for _ in range(4):
                eve.send_photo(PHOTO, caption="/edit", chat=here.group, anonymously=True)
        for number in range(1, 6):
            for _ in range(4):
                _create_eve(house, number).send_photo(PHOTO)
        await house.process_updates()
        assert await _read_daily_usage(house, principal=eve.id) == 4
        assert await _read_daily_usage(house, UsageScope.ALL, EVERYONE_ID) == 0
        await house.request_edit(PHOTO)
        await house.advance_time(40)
        assert len(house.pictures()) == 1
        assert len(house.kie.tasks) == 1


async def test_albums_without_words_take_nothing_from_others_while_they_arrive(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits=2, daily_credits=8) as house:
        for number in range(3):
            _create_eve(house, number).send_album([PHOTO, PHOTO])
        await house.receive_updates()
        house.ada.send_photo(PHOTO, caption="make it snow")
        await house.process_updates()
        assert len(house.kie.tasks) == 1


async def test_pictures_without_words_in_a_group_leave_it_its_day(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_chat=1) as house:
        here = create_group(house)
        for _ in range(3):
            here.ada.send_photo(PHOTO, caption="/edit", chat=here.group)
        here.grace.send_photo(PHOTO, caption="/edit make it snow", chat=here.group)
        assert len(await here.finish_edits()) == 1


async def test_the_credits_of_a_day_are_not_held_by_what_waits_for_words(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_credits=4) as house:
        _create_eve(house).send_photo(PHOTO)
        await house.process_updates()
        await house.request_edit(PHOTO)
        assert len(house.kie.tasks) == 1


async def _use_up_the_day(house: BotHarness) -> None:
    """Let another user use up the one edit of the day."""
    _create_eve(house).send_photo(PHOTO, caption="make it rain")
    await house.process_updates()


async def test_words_that_come_when_the_day_is_used_up_are_answered_kindly_and_may_come_again(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=5, daily_edits=1) as house:
        await house.request_edit(PHOTO, caption="")
        await _use_up_the_day(house)
        house.ada.send_text("make it snow")
        await house.process_updates()
        assert house.sent_texts() == [render_english("used-up", whose="all", most=1, time=TOMORROW)]
        assert (await house.read_job(1)).state is State.CANCELLED
        assert await _read_daily_usage(house) == 0
        assert house.progress_messages() == [], "the question is over"
        await house.advance_time(DAY)
        [reply_text] = [m for m in house.telegram.bot_messages(1001) if m.get("text") == house.sent_texts()[0]]
        house.ada.send_text("make it snow", reply_to=reply_text["message_id"])
        await house.process_updates()
        await house.advance_time(40)
        assert len(house.pictures()) == 1


async def test_a_caption_that_comes_when_the_day_is_used_up_is_answered_as_well(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits=1) as house:
        photo = await house.request_edit(PHOTO, caption="")
        await _use_up_the_day(house)
        house.ada.edit_caption(photo, "make it snow")
        await house.process_updates()
        assert house.sent_texts() == [render_english("used-up", whose="all", most=1, time=TOMORROW)]
        assert len(house.kie.tasks) == 1


async def test_an_idea_that_comes_when_the_day_is_used_up_is_not_ordered(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits=1) as house:
        await house.request_edit(PHOTO, caption="")
        question = house.progress_message()
        await _use_up_the_day(house)
        idea = next(iter(PROMPT_SUGGESTIONS.values()))
        press = house.ada.press_button(question["message_id"], render_english(f"idea-{idea.name}"))
        await house.process_updates()
        assert (house.ada.callback_answer(press) or {}).get("text") == render_english("toast-used-up", time=TOMORROW)
        assert len(house.kie.tasks) == 1


@pytest.mark.parametrize("how", ["caption", "edit", "text"])
async def test_words_that_an_album_gets_while_it_arrives_pass_no_limit_by(tmp_path: Path, how: str) -> None:
    async with _open_limited_harness(tmp_path, daily_edits=1) as house:
        first = house.ada.send_photo(PHOTO, album="77")
        await house.receive_updates()
        await _use_up_the_day(house)
        if how == "caption":
            house.ada.send_photo(PHOTO, caption="make it snow", album="77")
        elif how == "edit":
            house.ada.edit_caption(first, "make it snow")
        else:
            house.ada.send_text("make it snow")
        await house.receive_updates()
        await house.advance_time(60)
        assert len(house.kie.tasks) == 1
        assert house.sent_texts() == [render_english("used-up", whose="all", most=1, time=TOMORROW)]


async def test_an_album_with_words_holds_its_place_while_it_arrives(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits=1) as house:
        house.ada.send_album([PHOTO, PHOTO], {0: "make it snow"})
        await house.receive_updates()
        await _use_up_the_day(house)
        await house.advance_time(40)
        assert [task.prompt for task in house.kie.tasks.values()] == ["make it snow"]


async def test_words_of_the_next_day_count_for_that_day(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=1, daily_edits=1) as house:
        await house.advance_time(16 * 3600 - 60)
        await house.request_edit(PHOTO, caption="")
        await house.advance_time(120)
        house.ada.send_text("make it snow")
        await house.process_updates()
        await house.request_edit(PHOTO)
        assert len(house.kie.tasks) == 1
        assert (await _read_daily_usage(house), await _read_daily_usage(house, UsageScope.ALL, EVERYONE_ID)) == (1, 1)


async def test_who_has_pictures_that_wait_for_words_is_told_that_those_may_come_back(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=2) as house:
        for _ in range(3):
            await house.request_edit(PHOTO, caption="")
        assert house.sent_texts() == [render_english("used-up-waiting", whose="person", most=2, waiting=2)]
        house.ada.send_text("/cancel")
        await house.process_updates()
        await house.request_edit(PHOTO)
        assert len(house.kie.tasks) == 1


# -- refunds


@pytest.mark.parametrize(
    "ending",
    [
        failure("violates the content policy", refunded=False),
        failure("Internal error", refunded=False),
        SUCCESS_WITHOUT_URL,
    ],
    ids=["refused", "broke", "without a picture"],
)
async def test_an_edit_that_failed_at_a_cost_counts(tmp_path: Path, ending: ScriptedOutcome) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=3, daily_edits=100) as house:
        house.kie.script_outcomes(*[ending] * 6)
        for _ in range(6):
            await house.request_edit(PHOTO)
            await house.advance_time(60)
        assert len(house.kie.tasks) == 3
        assert (await _read_daily_usage(house), await _read_daily_usage(house, UsageScope.ALL, EVERYONE_ID)) == (3, 3)


@pytest.mark.parametrize(("second_is_free", "counted"), [(True, 0), (False, 1)])
async def test_each_task_of_an_edit_that_was_ordered_once_more_has_to_have_been_free(
    tmp_path: Path, second_is_free: bool, counted: int
) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=3) as house:
        house.kie.script_outcomes(failure("Internal error"), failure("Internal error", refunded=second_is_free))
        await house.request_edit(PHOTO)
        for _ in range(3):
            await house.advance_time(40)
        assert len(house.kie.tasks) == 2
        assert (await _read_daily_usage(house), await _read_spending(house)) == (counted, 4 * counted)


async def test_where_kie_does_not_say_what_a_failure_cost_it_counts_and_is_spent_as_usual(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, kie={"api_year": 2025}, daily_edits_per_user=1) as house:
        house.kie.script_outcomes(failure("violates the content policy"))
        await house.request_edit(PHOTO)
        await house.advance_time(60)
        assert (await house.read_job()).state is State.FAILED
        assert (await _read_daily_usage(house), await _read_spending(house)) == (1, 4)


async def _fail_edit(house: BotHarness, how: str) -> None:
    match how:
        case "picture":
            house.ada.send_document(b"\xff\xd8\xff no picture", "a.jpg", caption="make it snow")
        case "task":
            house.kie.script_outcomes(failure("violates the content policy"))
            house.ada.send_photo(PHOTO, caption="make it snow")
        case _:
            house.kie.refuse_next_create(422, "The prompt was flagged by the content policy")
            house.ada.send_photo(PHOTO, caption="make it snow")
    await house.process_updates()
    await house.advance_time(60)


@pytest.mark.parametrize("how", ["picture", "task", "order"])
async def test_only_the_first_few_failures_of_a_day_are_given_back_however_little_they_cost(
    tmp_path: Path, how: str
) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=2) as house:
        for _ in range(MAX_REFUNDED_FAILURES + 4):
            await _fail_edit(house, how)
        tried = await house.bot.db.transact(lambda tx: [tx.jobs.get(number) is not None for number in range(1, 9)])
        assert sum(tried) == MAX_REFUNDED_FAILURES + 2
        assert await _read_daily_usage(house) == 2
        assert await _read_daily_usage(house, UsageScope.ALL, EVERYONE_ID) == 0, (
            "others lose nothing by what cost nothing"
        )
        house.clock.now += DAY
        assert await _read_daily_usage(house) == 0


async def _decide_uncertain_order(house: BotHarness, label: str = "Leave it") -> None:
    house.kie.faults.add("createTask", CUT_AFTER)
    await house.request_edit(PHOTO)
    await house.advance_time(5)
    [question] = [m for m in house.progress_messages() if m["text"] == render_english("doubt")]
    house.ada.press_button(question["message_id"], label)
    await house.process_updates()
    await house.advance_time(60)


async def test_an_order_that_may_have_been_taken_counts_and_is_paid_for_as_usual(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=3, daily_credits=100) as house:
        for _ in range(3):
            await _decide_uncertain_order(house)
        await house.request_edit(PHOTO)
        assert len(house.kie.tasks) == 3
        assert (await _read_daily_usage(house), await _read_spending(house)) == (3, 12)
        assert house.sent_texts()[-1] == render_english("used-up", whose="person", most=3, time=TOMORROW)


async def test_orders_that_may_have_been_taken_do_not_pass_by_the_days_credits(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_credits=12) as house:
        for _ in range(3):
            await _decide_uncertain_order(house)
        await house.request_edit(PHOTO)
        assert len(house.kie.tasks) == 3
        assert house.sent_texts()[-1] == render_english("spent", time=TOMORROW)


async def test_an_order_that_is_made_again_counts_as_two_for_the_days_credits(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_credits=100) as house:
        await _decide_uncertain_order(house, "Try again")
        assert len(house.kie.tasks) == 2
        assert await _read_spending(house) == 8


async def test_an_order_in_doubt_that_nobody_decides_about_counts_after_a_day(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_credits=100) as house:
        house.kie.faults.add("createTask", CUT_AFTER)
        await house.request_edit(PHOTO)
        await house.advance_time(DAY + 60)
        assert (await house.read_job()).state is State.FAILED
        assert await _read_spending(house) == 4


async def test_an_order_that_was_taken_back_after_one_that_may_have_been_taken_counts(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=1) as house:
        house.kie.faults.add("createTask", CUT_AFTER)
        await house.request_edit(PHOTO)
        await house.advance_time(5)
        house.kie.refuse_next_create(433, "cap")
        house.ada.press_button(house.progress_message()["message_id"], "Try again")
        await house.process_updates()
        house.ada.send_text("/cancel")
        await house.process_updates()
        assert (await house.read_job()).state is State.CANCELLED
        assert await _read_daily_usage(house) == 1


async def test_a_task_that_never_ends_counts_and_is_paid_for_as_usual(tmp_path: Path) -> None:
    async with _open_limited_harness(tmp_path, daily_edits_per_user=1, daily_credits=100) as house:
        house.kie.script_outcomes(STUCK)
        await house.request_edit(PHOTO)
        await house.advance_time(DAY + 3600)
        assert (await house.read_job()).state is State.FAILED
        assert await _read_spending(house) == 4
        counted_on = house.clock.instant() // (DAY * 1000) - 1
        assert await house.bot.db.transact(lambda tx: tx.daily_usage.get(UsageScope.USER, 1001, counted_on)) == 1
