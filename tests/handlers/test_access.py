"""Who may use the bot: by the settings and by the commands of admins, effective at once."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.handlers.access import AccessDecision, AccessPolicy
from bot.handlers.quotas import DailyLimits, QuotaPolicy
from bot.handlers.update_parser import parse_update
from bot.handlers.update_types import CommandGiven, CommandTarget, UpdateContext, UpdateOrigin
from bot.job import State
from bot.job_operations import RequestReaction
from bot.store.database import Transaction
from bot.store.users import AccessRule
from bot.telegram.client import BotAccount
from tests.bot_harness import BotHarness, open_bot_harness
from tests.group_harness import GroupHarness, create_group
from tests.process_harness import make_photo, render_english

ADMIN = 9009
ME = BotAccount(424242, "darkroom_bot")


class AdminChat:
    """The admin's private chat with the bot."""

    def __init__(self, house: BotHarness) -> None:
        self.harness = house
        self.admin = house.telegram.person(user_id=ADMIN)

    async def send(self, text: str, **how: Any) -> str:
        """Let the admin send a text, and return the reply."""
        self.admin.send_text(text, **how)
        await self.harness.process_updates()
        return self.harness.sent_texts(ADMIN)[-1]


@pytest.fixture
async def admin_chat(tmp_path: Path) -> AsyncIterator[AdminChat]:
    """A bot for Grace, 1002, and everybody whom the admin allows."""
    async with open_bot_harness(tmp_path, admin_ids=frozenset({ADMIN}), allowed_ids=frozenset({1002})) as house:
        yield AdminChat(house)


async def _request_edit_texts(house: BotHarness) -> list[str]:
    """Let Ada request an edit; return the replies to her, without the progress message."""
    reply_text = len(house.sent_texts())
    await house.request_edit(make_photo())
    return house.sent_texts()[reply_text:]


async def test_who_is_allowed_comes_in_at_once_and_after_a_restart(admin_chat: AdminChat) -> None:
    assert await _request_edit_texts(admin_chat.harness) == [render_english("stranger", id="1001")]
    assert await admin_chat.send("/allow 1001") == render_english("now-allowed", ids="1001")
    assert await _request_edit_texts(admin_chat.harness) == []
    await admin_chat.harness.restart()
    assert await _request_edit_texts(admin_chat.harness) == []
    assert len(admin_chat.harness.kie.tasks) == 2


async def test_who_is_denied_is_told_once_a_day_and_pays_nothing_more(admin_chat: AdminChat) -> None:
    admin_chat.harness.kie.refuse_next_create(433, "cap")  # so that the request stays queued
    await admin_chat.send("/allow 1001")
    await admin_chat.harness.request_edit(make_photo())
    assert await admin_chat.send("/deny 1001") == render_english("now-denied", ids="1001")
    assert (await admin_chat.harness.read_job()).state is State.CANCELLED
    await admin_chat.harness.advance_time(10)
    assert admin_chat.harness.progress_message()["text"] == render_english("cancelled-here")
    assert await _request_edit_texts(admin_chat.harness) == [render_english("stranger", id="1001")]
    assert await _request_edit_texts(admin_chat.harness) == []
    await admin_chat.harness.advance_time(86_400)
    assert await _request_edit_texts(admin_chat.harness) == [render_english("stranger", id="1001")]


async def test_who_is_blocked_hears_nothing_more_but_what_becomes_of_their_data(admin_chat: AdminChat) -> None:
    await admin_chat.send("/allow 1001")
    await admin_chat.harness.request_edit(make_photo())
    await admin_chat.harness.advance_time(60)
    [answer] = admin_chat.harness.pictures()
    assert await admin_chat.send("/block 1001") == render_english("now-blocked", ids="1001")
    assert await _request_edit_texts(admin_chat.harness) == []
    press = admin_chat.harness.ada.press_button(answer["message_id"], "Again")
    await admin_chat.harness.process_updates()
    assert (admin_chat.harness.ada.callback_answer(press) or {}).get("text", "") == ""
    assert len(admin_chat.harness.kie.tasks) == 1
    admin_chat.harness.ada.send_text("/privacy")
    await admin_chat.harness.process_updates()
    assert "Kie.ai" in admin_chat.harness.sent_texts()[-1]


async def test_blocked_where_everybody_is_welcome(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, admin_ids=frozenset({ADMIN})) as house:
        admin_chat = AdminChat(house)
        assert await admin_chat.send("/allow 1001") == render_english("now-allowed-anyway", ids="1001")
        await admin_chat.send("/block 1001")
        assert await _request_edit_texts(house) == []
        assert len(house.kie.tasks) == 0


async def test_several_at_once(admin_chat: AdminChat) -> None:
    assert await admin_chat.send("/allow 1001, -100200300 5") == render_english(
        "now-allowed", ids="1001, the group -100200300, 5"
    )
    assert await _request_edit_texts(admin_chat.harness) == []


async def test_in_reply_to_what_was_handed_on(admin_chat: AdminChat) -> None:
    forwarded = admin_chat.admin.send(
        {"text": "let me in", "forward_origin": {"type": "user", "date": 1, "sender_user": admin_chat.harness.ada.user}}
    )
    assert await admin_chat.send("/allow", reply_to=forwarded) == render_english("now-allowed", ids="1001")
    hidden = admin_chat.admin.send(
        {"text": "me too", "forward_origin": {"type": "hidden_user", "date": 1, "sender_user_name": "Eve"}}
    )
    assert await admin_chat.send("/allow", reply_to=hidden) == render_english("whom-hidden", command="allow")


@pytest.mark.parametrize(
    "text", ["/allow", "/allow ada", "/allow 1001 please", "/deny @ada", "/block 12345678901234567"]
)
async def test_who_is_meant_has_to_be_said(admin_chat: AdminChat, text: str) -> None:
    command = text[1:].split(maxsplit=1)[0]
    assert await admin_chat.send(text) == render_english("whom", command=command, chat=f"{ADMIN}")


async def test_nobody_is_meant_by_a_word_of_the_admin_or_of_the_bot(admin_chat: AdminChat) -> None:
    whom = render_english("whom", command="block", chat=f"{ADMIN}")
    assert await admin_chat.send("/block", reply_to=admin_chat.admin.send_text("hello")) == whom
    [*_, word] = admin_chat.harness.telegram.bot_messages(ADMIN)
    assert await admin_chat.send("/block", reply_to=word["message_id"]) == whom


async def test_admins_keep_each_other(admin_chat: AdminChat) -> None:
    assert await admin_chat.send(f"/block {ADMIN}") == render_english("admins-stay")
    assert await admin_chat.send(f"/deny 1001 {ADMIN}") == render_english("admins-stay")
    assert await admin_chat.send("/help") == render_english("help") + "\n\n" + render_english("help-for-admins")


async def test_only_admins_decide(admin_chat: AdminChat) -> None:
    await admin_chat.send("/allow 1001")
    admin_chat.harness.ada.send_text("/block 1002")
    await admin_chat.harness.process_updates()
    assert admin_chat.harness.sent_texts() == [render_english("unknown-command")]
    assert await admin_chat.harness.bot.db.transact(lambda tx: tx.access_rules.get(1002)) is None
    admin_chat.harness.ada.send_text("/help")
    await admin_chat.harness.process_updates()
    assert admin_chat.harness.sent_texts()[-1] == render_english("help")


# -- in groups


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[GroupHarness]:
    """A group with Ada, Grace and an admin of the bot."""
    async with open_bot_harness(tmp_path, admin_ids=frozenset({ADMIN}), allowed_ids=frozenset({1})) as house:
        opened = create_group(house)
        opened.group.join(house.telegram.person(user_id=ADMIN).user)
        yield opened


async def _admin_command(here: GroupHarness, text: str, reply_to: int | None = None) -> str:
    here.harness.telegram.person(user_id=ADMIN).send_text(text, reply_to=reply_to, chat=here.group)
    await here.process_updates()
    return here.sent_texts()[-1]


async def test_strangers_are_told_once_wherever_they_are_and_not_when_they_only_change_something(
    here: GroupHarness,
) -> None:
    wish = "make it snow"
    asked = here.ada.send_photo(make_photo(size=(16, 16)), caption=wish)
    here.ada.send_photo(make_photo(size=(16, 16)), caption=f"/edit {wish}", chat=here.group)
    await here.process_updates()
    assert (here.harness.sent_texts(), here.sent_texts()) == ([render_english("stranger", id="1001")], [])
    here.harness.clock.now += 86_400
    here.ada.edit_caption(asked, "make it rain")
    await here.process_updates()
    assert len(here.harness.sent_texts()) == 1


async def test_who_is_still_welcome_keeps_what_they_asked_for_in_a_group_that_is_shut_out(here: GroupHarness) -> None:
    for _ in range(2):
        here.harness.kie.refuse_next_create(433, "cap")  # so that the request stays queued
    for text in ("/allow@darkroom_bot 1001", f"/allow@darkroom_bot {here.group.id}"):
        await _admin_command(here, text)
    for person in (here.ada, here.grace):
        person.send_photo(make_photo(size=(16, 16)), caption="/edit make it snow", chat=here.group)
    await here.process_updates()
    await _admin_command(here, f"/deny@darkroom_bot {here.group.id}")
    assert [(await here.harness.read_job(job_id)).state for job_id in (1, 2)] == [State.QUEUED, State.CANCELLED]


async def test_a_group_can_be_allowed_and_one_in_it_denied(here: GroupHarness) -> None:
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    await here.process_updates()
    assert here.sent_texts() == [render_english("stranger", id="1001")]
    allowed = await _admin_command(here, f"/allow@darkroom_bot {here.group.id}")
    assert allowed == render_english("now-allowed", ids=f"the group {here.group.id}")
    asked = here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    assert len(await here.finish_edits()) == 1
    assert await _admin_command(here, "/deny@darkroom_bot", reply_to=asked) == render_english("now-denied", ids="1001")
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    here.grace.send_photo(make_photo(), caption="/edit make it rain", chat=here.group)
    assert len(await here.finish_edits()) == 2


async def test_a_reply_to_an_answer_means_the_one_who_asked(here: GroupHarness) -> None:
    await _admin_command(here, f"/allow@darkroom_bot {here.group.id}")
    here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
    [answer] = await here.finish_edits()
    reply_text = await _admin_command(here, "/block@darkroom_bot", reply_to=answer["message_id"])
    assert reply_text == render_english("now-blocked", ids="1001")


async def test_a_command_to_nobody_names_the_group(here: GroupHarness) -> None:
    reply_text = await _admin_command(here, "/allow@darkroom_bot")
    assert reply_text == render_english("whom", where="group", command="allow", chat=f"{here.group.id}")


async def test_whom_somebody_elses_moderator_blocks_is_no_business_of_ours(here: GroupHarness) -> None:
    said = here.ada.send_text("spam", chat=here.group)
    here.harness.telegram.person(user_id=ADMIN).send_text("/block", reply_to=said, chat=here.group)
    await here.process_updates()
    assert here.sent_texts() == []


async def test_who_speaks_in_a_groups_name_is_somebody_of_their_own(here: GroupHarness) -> None:
    await _admin_command(here, f"/allow@darkroom_bot {here.group.id}")
    asked = here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group, anonymously=True)
    assert len(await here.finish_edits()) == 1
    reply_text = await _admin_command(here, "/block@darkroom_bot", reply_to=asked)
    assert reply_text == render_english("now-blocked", ids=f"the group {here.group.id}")


CHANNEL = {"id": -1_000_000_900_000, "type": "channel", "title": "Eve's"}


@pytest.fixture
async def eves(tmp_path: Path) -> AsyncIterator[GroupHarness]:
    """A group to which Eve, 1001, has added a bot that everybody may use."""
    async with open_bot_harness(tmp_path, admin_ids=frozenset({ADMIN})) as house:
        opened = create_group(house)
        opened.add_bot(opened.ada)
        opened.group.join(house.telegram.person(user_id=ADMIN).user)
        yield opened


async def _request_in_every_name(here: GroupHarness) -> int:
    """Let Eve request edits in her own name, as the group, as two channels, and in private; count the orders."""
    before = len(here.harness.kie.tasks)
    other = CHANNEL | {"id": -1_000_000_900_001}
    for how in ({}, {"anonymously": True}, {"channel": CHANNEL}, {"channel": other}):
        here.ada.send_photo(make_photo(size=(16, 16)), caption="/edit make it snow", chat=here.group, **how)
    here.ada.send_photo(make_photo(size=(16, 16)), caption="make it snow")
    await here.finish_edits()
    return len(here.harness.kie.tasks) - before


@pytest.mark.parametrize("command", ["block", "deny"])
async def test_who_is_shut_out_orders_nothing_as_their_group_nor_as_a_channel_in_it(
    eves: GroupHarness, command: str
) -> None:
    assert await _request_in_every_name(eves) == 5
    await _admin_command(eves, f"/{command}@darkroom_bot 1001")
    assert await _request_in_every_name(eves) == 0
    eves.grace.send_photo(make_photo(size=(16, 16)), caption="/edit make it rain", chat=eves.group)
    await eves.finish_edits()
    assert len(eves.harness.kie.tasks) == 6, "others are not shut out with her"


@pytest.mark.parametrize(
    ("how", "whom"),
    [
        ({"anonymously": True}, "1001 (who added me to the group)"),
        ({"channel": CHANNEL}, "1001 (who added me to the group), the channel -1000000900000"),
    ],
)
async def test_one_reply_to_a_nameless_one_shuts_out_who_answers_for_it_and_says_whom(
    eves: GroupHarness, how: dict[str, Any], whom: str
) -> None:
    asked = eves.ada.send_photo(make_photo(size=(16, 16)), caption="/edit make it snow", chat=eves.group, **how)
    [answer] = await eves.finish_edits()
    assert await _admin_command(eves, "/block@darkroom_bot", reply_to=asked) == render_english("now-blocked", ids=whom)
    assert await _request_in_every_name(eves) == 0
    reply_text = await _admin_command(eves, "/allow@darkroom_bot", reply_to=answer["message_id"])
    allowed = f"1001 (who added me to the group), the {'channel' if 'channel' in how else 'group'} "
    assert reply_text.startswith(render_english("now-allowed-anyway", ids=allowed).partition(allowed)[0] + allowed)
    assert await _request_in_every_name(eves) == 5
    assert await _admin_command(eves, "/block@darkroom_bot", reply_to=answer["message_id"]) == render_english(
        "now-blocked", ids=whom
    )
    assert await _request_in_every_name(eves) == 0


async def test_what_waits_in_the_name_of_a_group_is_taken_back_with_the_one_who_answers_for_it(
    eves: GroupHarness,
) -> None:
    for _ in range(2):
        eves.harness.kie.refuse_next_create(433, "cap")
    for how in ({"anonymously": True}, {"channel": CHANNEL}):
        eves.ada.send_photo(make_photo(size=(16, 16)), caption="/edit make it snow", chat=eves.group, **how)
    await eves.process_updates()
    await _admin_command(eves, "/block@darkroom_bot 1001")
    assert [(await eves.harness.read_job(number)).state for number in (1, 2)] == [State.CANCELLED] * 2


async def test_a_channel_that_is_blocked_is_so_in_the_groups_of_others_as_well(eves: GroupHarness) -> None:
    asked = eves.ada.send_text("/help@darkroom_bot", chat=eves.group, channel=CHANNEL)
    await eves.process_updates()
    await _admin_command(eves, "/block@darkroom_bot", reply_to=asked)
    elsewhere = create_group(eves.harness, -1_000_000_000_777)
    elsewhere.add_bot(elsewhere.grace)
    for how in ({"channel": CHANNEL}, {"anonymously": True}):
        eves.ada.send_photo(make_photo(size=(16, 16)), caption="/edit make it snow", chat=elsewhere.group, **how)
    assert len(await elsewhere.finish_edits()) == 1


@pytest.mark.parametrize(
    ("how", "whom"),
    [({"anonymously": True}, "the group {group}"), ({"channel": CHANNEL}, "the channel -1000000900000")],
)
async def test_where_an_admin_has_added_the_bot_a_block_means_the_name_and_never_the_admin(
    eves: GroupHarness, how: dict[str, Any], whom: str
) -> None:
    admin = eves.harness.telegram.person(user_id=ADMIN)
    eves.add_bot(admin)
    asked = eves.ada.send_photo(make_photo(size=(16, 16)), caption="/edit make it snow", chat=eves.group, **how)
    await eves.finish_edits()
    reply_text = await _admin_command(eves, "/block@darkroom_bot", reply_to=asked)
    assert reply_text == render_english("now-blocked", ids=whom.format(group=eves.group.id))
    admin.send_photo(make_photo(size=(16, 16)), caption="/edit make it rain", chat=eves.group)
    eves.ada.send_photo(make_photo(size=(16, 16)), caption="/edit make it snow", chat=eves.group, **how)
    await eves.finish_edits()
    assert [task.prompt for task in eves.harness.kie.tasks.values()] == ["make it snow", "make it rain"]


async def test_what_a_nameless_one_wrote_can_be_handed_on_to_the_bot_in_private(eves: GroupHarness) -> None:
    admin_chat = AdminChat(eves.harness)
    origin = {"type": "chat", "date": 1, "sender_chat": eves.group.chat.api_object}
    forwarded = admin_chat.admin.send({"text": "hello", "forward_origin": origin})
    reply_text = await admin_chat.send("/block", reply_to=forwarded)
    assert reply_text == render_english("now-blocked", ids="1001 (who added me to the group)")
    origin = {"type": "channel", "date": 1, "chat": CHANNEL, "message_id": 7}
    forwarded = admin_chat.admin.send({"text": "hello", "forward_origin": origin})
    reply_text = await admin_chat.send("/block", reply_to=forwarded)
    assert reply_text == render_english("now-blocked", ids="the group or channel -1000000900000")


async def test_all_for_whom_nobody_answers_can_be_shut_out_at_once(here: GroupHarness) -> None:
    await _admin_command(here, f"/allow@darkroom_bot {here.group.id}")
    reply_text = await _admin_command(here, "/deny@darkroom_bot 1087968824")
    assert reply_text == render_english("now-denied", ids=render_english("whose-id", kind="nameless", id="1087968824"))
    here.ada.send_photo(make_photo(size=(16, 16)), caption="/edit make it snow", chat=here.group, anonymously=True)
    here.ada.send_photo(make_photo(size=(16, 16)), caption="/edit make it rain", chat=here.group)
    assert len(await here.finish_edits()) == 1


async def test_that_somebody_is_let_in_lets_nobody_in_who_speaks_in_a_name_in_their_group(here: GroupHarness) -> None:
    here.add_bot(here.ada)
    await _admin_command(here, "/allow@darkroom_bot 1001")
    for how in ({"anonymously": True}, {"channel": CHANNEL}, {}):
        here.ada.send_photo(make_photo(size=(16, 16)), caption="/edit make it snow", chat=here.group, **how)
    assert len(await here.finish_edits()) == 1


async def test_what_a_group_that_is_shut_out_asked_for_in_its_own_name_is_seen_to_be_taken_back(
    here: GroupHarness,
) -> None:
    here.harness.kie.refuse_next_create(433, "cap")  # so that the request stays queued
    await _admin_command(here, f"/allow@darkroom_bot {here.group.id}")
    asked = here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group, anonymously=True)
    await here.process_updates()
    assert here.bot_reactions(asked) == [RequestReaction.ACCEPTED]
    await _admin_command(here, f"/deny@darkroom_bot {here.group.id}")
    await here.harness.advance_time(5)
    assert here.bot_reactions(asked) == [RequestReaction.CANCELLED]


async def test_what_was_decided_moves_with_a_group(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, admin_ids=frozenset({ADMIN}), allowed_ids=frozenset({1})) as house:
        here = create_group(house, -4001)
        house.telegram.person(user_id=ADMIN).send_text("/allow -4001")
        await here.process_updates()
        moved = here.group.migrate(here.ada.user)
        here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=moved)
        await here.process_updates()
        await house.advance_time(40)
        assert len(house.pictures(moved.id)) == 1


# -- the policy alone

ONE, TWO, CHAT = 1, 2, -5
A, D, B = AccessRule.ALLOWED, AccessRule.DENIED, AccessRule.BLOCKED


@pytest.mark.parametrize(
    ("listed", "decided", "verdict"),
    [
        (set(), {}, AccessDecision.ALLOWED),
        ({TWO}, {}, AccessDecision.NOT_ALLOWED),
        ({ONE}, {}, AccessDecision.ALLOWED),
        ({CHAT}, {}, AccessDecision.ALLOWED),
        ({TWO}, {ONE: A}, AccessDecision.ALLOWED),
        ({TWO}, {CHAT: A}, AccessDecision.ALLOWED),
        (set(), {ONE: D}, AccessDecision.NOT_ALLOWED),
        ({ONE}, {ONE: D}, AccessDecision.NOT_ALLOWED),
        ({CHAT}, {ONE: D}, AccessDecision.NOT_ALLOWED),
        (set(), {CHAT: D}, AccessDecision.NOT_ALLOWED),
        ({CHAT}, {CHAT: D}, AccessDecision.NOT_ALLOWED),
        ({ONE}, {CHAT: D}, AccessDecision.ALLOWED),
        (set(), {CHAT: D, ONE: A}, AccessDecision.ALLOWED),
        ({ONE}, {ONE: B}, AccessDecision.BLOCKED),
        ({ONE}, {CHAT: B}, AccessDecision.BLOCKED),
        (set(), {CHAT: B, ONE: A}, AccessDecision.BLOCKED),
        (set(), {CHAT: A, ONE: B}, AccessDecision.BLOCKED),
    ],
)
async def test_what_holds_for_a_person_goes_before_what_holds_for_the_chat(
    admin_chat: AdminChat, listed: set[int], decided: dict[int, AccessRule], verdict: AccessDecision
) -> None:
    access = AccessPolicy(frozenset(listed), frozenset({ADMIN}))

    def judge(tx: Transaction) -> list[AccessDecision]:
        for principal, standing in decided.items():
            tx.access_rules.set_rule(principal, standing, ADMIN, 1)
        return [access.decide(tx, ONE, CHAT), access.decide(tx, ADMIN, CHAT)]

    assert await admin_chat.harness.bot.db.transact(judge) == [verdict, AccessDecision.ALLOWED]


async def test_an_admin_that_is_a_group_is_one_as_a_supergroup_as_well(admin_chat: AdminChat) -> None:
    access = AccessPolicy(frozenset({ONE}), frozenset({CHAT}))
    room = QuotaPolicy(DailyLimits(1, 1, 1, 0), access)
    origin = UpdateOrigin(chat_id=-6, user_id=TWO, message_id=1, thread_id=None)

    def judge(tx: Transaction) -> tuple[AccessDecision, bool]:
        tx.chats.migrate_chat(CHAT, -6)
        return access.decide(tx, TWO, -6), room.is_limited(UpdateContext(tx, origin, 1, 0, 0))

    assert await admin_chat.harness.bot.db.transact(judge) == (AccessDecision.ALLOWED, False)


def test_who_hands_something_on_in_a_group_is_meant_and_not_its_author() -> None:
    friends_ = {"id": -5, "type": "supergroup", "title": "Friends"}
    ada, grace = ({"id": each, "is_bot": False, "first_name": "A"} for each in (1001, 1002))
    handed_on = {"message_id": 1, "date": 1, "chat": friends_, "from": ada, "text": "spam"}
    handed_on["forward_origin"] = {"type": "user", "date": 1, "sender_user": grace}
    message = {
        "message_id": 2,
        "date": 1,
        "chat": friends_,
        "from": {**ada, "id": ADMIN},
        "reply_to_message": handed_on,
    }
    parsed = parse_update({"update_id": 1, "message": {**message, "text": "/block@darkroom_bot"}}, ME)
    assert parsed is not None
    assert parsed.content == CommandGiven("block", "", CommandTarget(1, 1001))


def test_a_message_of_a_channel_is_the_channels() -> None:
    channel = {"id": -1009, "type": "channel", "title": "News"}
    update = {
        "update_id": 1,
        "message": {
            "message_id": 2,
            "date": 1,
            "chat": {"id": -5, "type": "supergroup", "title": "Friends"},
            "from": {"id": 9009, "is_bot": False, "first_name": "Admin"},
            "text": "/block@darkroom_bot",
            "reply_to_message": {
                "message_id": 1,
                "date": 1,
                "chat": {"id": -5, "type": "supergroup", "title": "Friends"},
                "from": {"id": 136817688, "is_bot": True, "first_name": "Channel"},
                "sender_chat": channel,
                "text": "news",
            },
        },
    }
    parsed = parse_update(update, ME)
    assert parsed is not None
    assert parsed.content == CommandGiven("block", "", CommandTarget(1, -1009))
