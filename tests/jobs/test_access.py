"""Who may use the bot: what the settings say, what admins decide in a chat, and that it holds at once."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.chat.client import Me
from bot.job import State
from bot.store.standings import Standing
from bot.store.statuses import Sign
from bot.store.transaction import Transaction
from bot.talk.access import Access, Verdict
from bot.talk.meanings import CommandGiven, Origin, Spoken
from bot.talk.reading import read_update
from bot.talk.room import Daily, Room
from tests.group import Friends, friends
from tests.house import House, a_house
from tests.world import a_photo, english

ADMIN = 9009
ME = Me(424242, "darkroom_bot")


class Desk:
    """The admin's private chat with the bot."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.admin = house.telegram.person(user_id=ADMIN)

    async def says(self, text: str, **how: Any) -> str:
        """Let the admin say something, and return what the bot says to it."""
        self.admin.send_text(text, **how)
        await self.house.hear()
        return self.house.words(ADMIN)[-1]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A bot for Grace, 1002, and whom the admin allows."""
    async with a_house(tmp_path, admin_ids=frozenset({ADMIN}), allowed_ids=frozenset({1002})) as house:
        yield Desk(house)


async def _asks(house: House) -> list[str]:
    """Let Ada ask for an edit; return what the bot says to her, beside how it stands."""
    told = len(house.words())
    await house.ask(a_photo())
    return house.words()[told:]


async def test_who_is_allowed_comes_in_at_once_and_after_a_restart(desk: Desk) -> None:
    assert await _asks(desk.house) == [english("stranger", id="1001")]
    assert await desk.says("/allow 1001") == english("now-allowed", ids="1001")
    assert await _asks(desk.house) == []
    await desk.house.restart()
    assert await _asks(desk.house) == []
    assert len(desk.house.kie.tasks) == 2


async def test_who_is_denied_is_told_once_a_day_and_pays_nothing_more(desk: Desk) -> None:
    desk.house.kie.refuse(433, "cap")  # so that what is asked for waits
    await desk.says("/allow 1001")
    await desk.house.ask(a_photo())
    assert await desk.says("/deny 1001") == english("now-denied", ids="1001")
    assert (await desk.house.job()).state is State.CANCELLED
    await desk.house.pass_time(10)
    assert desk.house.status()["text"] == english("cancelled-here")
    assert await _asks(desk.house) == [english("stranger", id="1001")]
    assert await _asks(desk.house) == []
    await desk.house.pass_time(86_400)
    assert await _asks(desk.house) == [english("stranger", id="1001")]


async def test_who_is_blocked_hears_nothing_more_but_what_becomes_of_their_data(desk: Desk) -> None:
    await desk.says("/allow 1001")
    await desk.house.ask(a_photo())
    await desk.house.pass_time(60)
    [answer] = desk.house.pictures()
    assert await desk.says("/block 1001") == english("now-blocked", ids="1001")
    assert await _asks(desk.house) == []
    press = desk.house.ada.press(answer["message_id"], "Again")
    await desk.house.hear()
    assert (desk.house.ada.answer_to(press) or {}).get("text", "") == ""
    assert len(desk.house.kie.tasks) == 1
    desk.house.ada.send_text("/privacy")
    await desk.house.hear()
    assert "Kie.ai" in desk.house.words()[-1]


async def test_blocked_where_everybody_is_welcome(tmp_path: Path) -> None:
    async with a_house(tmp_path, admin_ids=frozenset({ADMIN})) as house:
        desk = Desk(house)
        assert await desk.says("/allow 1001") == english("now-allowed-anyway", ids="1001")
        await desk.says("/block 1001")
        assert await _asks(house) == []
        assert len(house.kie.tasks) == 0


async def test_several_at_once(desk: Desk) -> None:
    assert await desk.says("/allow 1001, -100200300 5") == english("now-allowed", ids="1001, the group -100200300, 5")
    assert await _asks(desk.house) == []


async def test_in_reply_to_what_was_handed_on(desk: Desk) -> None:
    forwarded = desk.admin.send(
        {"text": "let me in", "forward_origin": {"type": "user", "date": 1, "sender_user": desk.house.ada.user}}
    )
    assert await desk.says("/allow", reply_to=forwarded) == english("now-allowed", ids="1001")
    hidden = desk.admin.send(
        {"text": "me too", "forward_origin": {"type": "hidden_user", "date": 1, "sender_user_name": "Eve"}}
    )
    assert await desk.says("/allow", reply_to=hidden) == english("whom-hidden", command="allow")


@pytest.mark.parametrize(
    "text", ["/allow", "/allow ada", "/allow 1001 please", "/deny @ada", "/block 12345678901234567"]
)
async def test_who_is_meant_has_to_be_said(desk: Desk, text: str) -> None:
    command = text[1:].split(maxsplit=1)[0]
    assert await desk.says(text) == english("whom", command=command, chat=f"{ADMIN}")


async def test_nobody_is_meant_by_a_word_of_the_admin_or_of_the_bot(desk: Desk) -> None:
    whom = english("whom", command="block", chat=f"{ADMIN}")
    assert await desk.says("/block", reply_to=desk.admin.send_text("hello")) == whom
    [*_, word] = desk.house.telegram.bot_messages(ADMIN)
    assert await desk.says("/block", reply_to=word["message_id"]) == whom


async def test_admins_keep_each_other(desk: Desk) -> None:
    assert await desk.says(f"/block {ADMIN}") == english("admins-stay")
    assert await desk.says(f"/deny 1001 {ADMIN}") == english("admins-stay")
    assert await desk.says("/help") == english("help") + "\n\n" + english("help-for-admins")


async def test_only_admins_decide(desk: Desk) -> None:
    await desk.says("/allow 1001")
    desk.house.ada.send_text("/block 1002")
    await desk.house.hear()
    assert desk.house.words() == [english("unknown-command")]
    assert await desk.house.bot.db.unit(lambda tx: tx.standings.of(1002)) is None
    desk.house.ada.send_text("/help")
    await desk.house.hear()
    assert desk.house.words()[-1] == english("help")


# -- in groups


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Friends]:
    """A group in which Ada, Grace and an admin are."""
    async with a_house(tmp_path, admin_ids=frozenset({ADMIN}), allowed_ids=frozenset({1})) as house:
        opened = friends(house)
        opened.group.join(house.telegram.person(user_id=ADMIN).user)
        yield opened


async def _decides(here: Friends, text: str, reply_to: int | None = None) -> str:
    here.house.telegram.person(user_id=ADMIN).send_text(text, reply_to=reply_to, chat=here.group)
    await here.hear()
    return here.words()[-1]


async def test_strangers_are_told_once_wherever_they_are_and_not_when_they_only_change_something(here: Friends) -> None:
    wish = "make it snow"
    asked = here.ada.send_photo(a_photo(size=(16, 16)), caption=wish)
    here.ada.send_photo(a_photo(size=(16, 16)), caption=f"/edit {wish}", chat=here.group)
    await here.hear()
    assert (here.house.words(), here.words()) == ([english("stranger", id="1001")], [])
    here.house.clock.now += 86_400
    here.ada.edit_caption(asked, "make it rain")
    await here.hear()
    assert len(here.house.words()) == 1


async def test_who_is_still_welcome_keeps_what_they_asked_for_in_a_group_that_is_shut_out(here: Friends) -> None:
    for _ in range(2):
        here.house.kie.refuse(433, "cap")  # so that what is asked for waits
    for text in ("/allow@darkroom_bot 1001", f"/allow@darkroom_bot {here.group.id}"):
        await _decides(here, text)
    for person in (here.ada, here.grace):
        person.send_photo(a_photo(size=(16, 16)), caption="/edit make it snow", chat=here.group)
    await here.hear()
    await _decides(here, f"/deny@darkroom_bot {here.group.id}")
    assert [(await here.house.job(job_id)).state for job_id in (1, 2)] == [State.QUEUED, State.CANCELLED]


async def test_a_group_can_be_allowed_and_one_in_it_denied(here: Friends) -> None:
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    await here.hear()
    assert here.words() == [english("stranger", id="1001")]
    allowed = await _decides(here, f"/allow@darkroom_bot {here.group.id}")
    assert allowed == english("now-allowed", ids=f"the group {here.group.id}")
    asked = here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    assert len(await here.answered()) == 1
    assert await _decides(here, "/deny@darkroom_bot", reply_to=asked) == english("now-denied", ids="1001")
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    here.grace.send_photo(a_photo(), caption="/edit make it rain", chat=here.group)
    assert len(await here.answered()) == 2


async def test_a_reply_to_an_answer_means_the_one_who_asked(here: Friends) -> None:
    await _decides(here, f"/allow@darkroom_bot {here.group.id}")
    here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    [answer] = await here.answered()
    told = await _decides(here, "/block@darkroom_bot", reply_to=answer["message_id"])
    assert told == english("now-blocked", ids="1001")


async def test_a_command_to_nobody_names_the_group(here: Friends) -> None:
    told = await _decides(here, "/allow@darkroom_bot")
    assert told == english("whom", where="group", command="allow", chat=f"{here.group.id}")


async def test_whom_somebody_elses_moderator_blocks_is_no_business_of_ours(here: Friends) -> None:
    said = here.ada.send_text("spam", chat=here.group)
    here.house.telegram.person(user_id=ADMIN).send_text("/block", reply_to=said, chat=here.group)
    await here.hear()
    assert here.words() == []


async def test_who_speaks_in_a_groups_name_is_somebody_of_their_own(here: Friends) -> None:
    await _decides(here, f"/allow@darkroom_bot {here.group.id}")
    asked = here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group, anonymously=True)
    assert len(await here.answered()) == 1
    told = await _decides(here, "/block@darkroom_bot", reply_to=asked)
    assert told == english("now-blocked", ids=f"the group {here.group.id}")


CHANNEL = {"id": -1_000_000_900_000, "type": "channel", "title": "Eve's"}


@pytest.fixture
async def eves(tmp_path: Path) -> AsyncIterator[Friends]:
    """A group of Eve's, who is 1001 and has added the bot; everybody may use it."""
    async with a_house(tmp_path, admin_ids=frozenset({ADMIN})) as house:
        opened = friends(house)
        opened.place(opened.ada)
        opened.group.join(house.telegram.person(user_id=ADMIN).user)
        yield opened


async def _asks_in_every_name(here: Friends) -> int:
    """Let Eve ask in her own name, as the group, and as two channels, there and in private; count what is ordered."""
    before = len(here.house.kie.tasks)
    other = CHANNEL | {"id": -1_000_000_900_001}
    for how in ({}, {"anonymously": True}, {"channel": CHANNEL}, {"channel": other}):
        here.ada.send_photo(a_photo(size=(16, 16)), caption="/edit make it snow", chat=here.group, **how)
    here.ada.send_photo(a_photo(size=(16, 16)), caption="make it snow")
    await here.answered()
    return len(here.house.kie.tasks) - before


@pytest.mark.parametrize("command", ["block", "deny"])
async def test_who_is_shut_out_orders_nothing_as_their_group_nor_as_a_channel_in_it(
    eves: Friends, command: str
) -> None:
    assert await _asks_in_every_name(eves) == 5
    await _decides(eves, f"/{command}@darkroom_bot 1001")
    assert await _asks_in_every_name(eves) == 0
    eves.grace.send_photo(a_photo(size=(16, 16)), caption="/edit make it rain", chat=eves.group)
    await eves.answered()
    assert len(eves.house.kie.tasks) == 6, "others are not shut out with her"


@pytest.mark.parametrize(
    ("how", "whom"),
    [
        ({"anonymously": True}, "1001 (who added me to the group)"),
        ({"channel": CHANNEL}, "1001 (who added me to the group), the channel -1000000900000"),
    ],
)
async def test_one_reply_to_a_nameless_one_shuts_out_who_answers_for_it_and_says_whom(
    eves: Friends, how: dict[str, Any], whom: str
) -> None:
    asked = eves.ada.send_photo(a_photo(size=(16, 16)), caption="/edit make it snow", chat=eves.group, **how)
    [answer] = await eves.answered()
    assert await _decides(eves, "/block@darkroom_bot", reply_to=asked) == english("now-blocked", ids=whom)
    assert await _asks_in_every_name(eves) == 0
    told = await _decides(eves, "/allow@darkroom_bot", reply_to=answer["message_id"])
    allowed = f"1001 (who added me to the group), the {'channel' if 'channel' in how else 'group'} "
    assert told.startswith(english("now-allowed-anyway", ids=allowed).partition(allowed)[0] + allowed)
    assert await _asks_in_every_name(eves) == 5
    assert await _decides(eves, "/block@darkroom_bot", reply_to=answer["message_id"]) == english(
        "now-blocked", ids=whom
    )
    assert await _asks_in_every_name(eves) == 0


async def test_what_waits_in_the_name_of_a_group_is_taken_back_with_the_one_who_answers_for_it(eves: Friends) -> None:
    for _ in range(2):
        eves.house.kie.refuse(433, "cap")
    for how in ({"anonymously": True}, {"channel": CHANNEL}):
        eves.ada.send_photo(a_photo(size=(16, 16)), caption="/edit make it snow", chat=eves.group, **how)
    await eves.hear()
    await _decides(eves, "/block@darkroom_bot 1001")
    assert [(await eves.house.job(number)).state for number in (1, 2)] == [State.CANCELLED] * 2


async def test_a_channel_that_is_blocked_is_so_in_the_groups_of_others_as_well(eves: Friends) -> None:
    asked = eves.ada.send_text("/help@darkroom_bot", chat=eves.group, channel=CHANNEL)
    await eves.hear()
    await _decides(eves, "/block@darkroom_bot", reply_to=asked)
    elsewhere = friends(eves.house, -1_000_000_000_777)
    elsewhere.place(elsewhere.grace)
    for how in ({"channel": CHANNEL}, {"anonymously": True}):
        eves.ada.send_photo(a_photo(size=(16, 16)), caption="/edit make it snow", chat=elsewhere.group, **how)
    assert len(await elsewhere.answered()) == 1


@pytest.mark.parametrize(
    ("how", "whom"),
    [({"anonymously": True}, "the group {group}"), ({"channel": CHANNEL}, "the channel -1000000900000")],
)
async def test_where_an_admin_has_added_the_bot_a_block_means_the_name_and_never_the_admin(
    eves: Friends, how: dict[str, Any], whom: str
) -> None:
    admin = eves.house.telegram.person(user_id=ADMIN)
    eves.place(admin)
    asked = eves.ada.send_photo(a_photo(size=(16, 16)), caption="/edit make it snow", chat=eves.group, **how)
    await eves.answered()
    told = await _decides(eves, "/block@darkroom_bot", reply_to=asked)
    assert told == english("now-blocked", ids=whom.format(group=eves.group.id))
    admin.send_photo(a_photo(size=(16, 16)), caption="/edit make it rain", chat=eves.group)
    eves.ada.send_photo(a_photo(size=(16, 16)), caption="/edit make it snow", chat=eves.group, **how)
    await eves.answered()
    assert [task.prompt for task in eves.house.kie.tasks.values()] == ["make it snow", "make it rain"]


async def test_what_a_nameless_one_wrote_can_be_handed_on_to_the_bot_in_private(eves: Friends) -> None:
    desk = Desk(eves.house)
    origin = {"type": "chat", "date": 1, "sender_chat": eves.group.room.shown}
    forwarded = desk.admin.send({"text": "hello", "forward_origin": origin})
    told = await desk.says("/block", reply_to=forwarded)
    assert told == english("now-blocked", ids="1001 (who added me to the group)")
    origin = {"type": "channel", "date": 1, "chat": CHANNEL, "message_id": 7}
    forwarded = desk.admin.send({"text": "hello", "forward_origin": origin})
    told = await desk.says("/block", reply_to=forwarded)
    assert told == english("now-blocked", ids="the group or channel -1000000900000")


async def test_all_for_whom_nobody_answers_can_be_shut_out_at_once(here: Friends) -> None:
    await _decides(here, f"/allow@darkroom_bot {here.group.id}")
    told = await _decides(here, "/deny@darkroom_bot 1087968824")
    assert told == english("now-denied", ids=english("whose-id", kind="nameless", id="1087968824"))
    here.ada.send_photo(a_photo(size=(16, 16)), caption="/edit make it snow", chat=here.group, anonymously=True)
    here.ada.send_photo(a_photo(size=(16, 16)), caption="/edit make it rain", chat=here.group)
    assert len(await here.answered()) == 1


async def test_that_somebody_is_let_in_lets_nobody_in_who_speaks_in_a_name_in_their_group(here: Friends) -> None:
    here.place(here.ada)
    await _decides(here, "/allow@darkroom_bot 1001")
    for how in ({"anonymously": True}, {"channel": CHANNEL}, {}):
        here.ada.send_photo(a_photo(size=(16, 16)), caption="/edit make it snow", chat=here.group, **how)
    assert len(await here.answered()) == 1


async def test_what_a_group_that_is_shut_out_asked_for_in_its_own_name_is_seen_to_be_taken_back(here: Friends) -> None:
    here.house.kie.refuse(433, "cap")  # so that what is asked for waits
    await _decides(here, f"/allow@darkroom_bot {here.group.id}")
    asked = here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group, anonymously=True)
    await here.hear()
    assert here.signs(asked) == [Sign.ACCEPTED]
    await _decides(here, f"/deny@darkroom_bot {here.group.id}")
    await here.house.pass_time(5)
    assert here.signs(asked) == [Sign.TAKEN_BACK]


async def test_what_was_decided_moves_with_a_group(tmp_path: Path) -> None:
    async with a_house(tmp_path, admin_ids=frozenset({ADMIN}), allowed_ids=frozenset({1})) as house:
        here = friends(house, -4001)
        house.telegram.person(user_id=ADMIN).send_text("/allow -4001")
        await here.hear()
        moved = here.group.migrate(here.ada.user)
        here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=moved)
        await here.hear()
        await house.pass_time(40)
        assert len(house.pictures(moved.id)) == 1


# -- the rules by themselves

ONE, TWO, CHAT = 1, 2, -5
A, D, B = Standing.ALLOWED, Standing.DENIED, Standing.BLOCKED


@pytest.mark.parametrize(
    ("listed", "decided", "verdict"),
    [
        (set(), {}, Verdict.WELCOME),
        ({TWO}, {}, Verdict.STRANGER),
        ({ONE}, {}, Verdict.WELCOME),
        ({CHAT}, {}, Verdict.WELCOME),
        ({TWO}, {ONE: A}, Verdict.WELCOME),
        ({TWO}, {CHAT: A}, Verdict.WELCOME),
        (set(), {ONE: D}, Verdict.STRANGER),
        ({ONE}, {ONE: D}, Verdict.STRANGER),
        ({CHAT}, {ONE: D}, Verdict.STRANGER),
        (set(), {CHAT: D}, Verdict.STRANGER),
        ({CHAT}, {CHAT: D}, Verdict.STRANGER),
        ({ONE}, {CHAT: D}, Verdict.WELCOME),
        (set(), {CHAT: D, ONE: A}, Verdict.WELCOME),
        ({ONE}, {ONE: B}, Verdict.BLOCKED),
        ({ONE}, {CHAT: B}, Verdict.BLOCKED),
        (set(), {CHAT: B, ONE: A}, Verdict.BLOCKED),
        (set(), {CHAT: A, ONE: B}, Verdict.BLOCKED),
    ],
)
async def test_what_holds_for_a_person_goes_before_what_holds_for_the_chat(
    desk: Desk, listed: set[int], decided: dict[int, Standing], verdict: Verdict
) -> None:
    access = Access(frozenset(listed), frozenset({ADMIN}))

    def judge(tx: Transaction) -> list[Verdict]:
        for principal, standing in decided.items():
            tx.standings.decide(principal, standing, ADMIN, 1)
        return [access.verdict(tx, ONE, CHAT), access.verdict(tx, ADMIN, CHAT)]

    assert await desk.house.bot.db.unit(judge) == [verdict, Verdict.WELCOME]


async def test_an_admin_that_is_a_group_is_one_as_a_supergroup_as_well(desk: Desk) -> None:
    access = Access(frozenset({ONE}), frozenset({CHAT}))
    room = Room(Daily(1, 1, 1, 0), access)
    origin = Origin(chat_id=-6, user_id=TWO, message_id=1, thread_id=None)

    def judge(tx: Transaction) -> tuple[Verdict, bool]:
        tx.chats.move(CHAT, -6)
        return access.verdict(tx, TWO, -6), room.is_limited(tx, origin)

    assert await desk.house.bot.db.unit(judge) == (Verdict.WELCOME, False)


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
    reading = read_update({"update_id": 1, "message": {**message, "text": "/block@darkroom_bot"}}, ME)
    assert reading is not None
    assert reading[1] == CommandGiven("block", "", Spoken(1, 1001))


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
    reading = read_update(update, ME)
    assert reading is not None
    assert reading[1] == CommandGiven("block", "", Spoken(1, -1009))
