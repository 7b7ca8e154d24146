"""What concerns us, and what is other people's business: decided before anything is stored."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.buttons import Action, Button
from bot.chat.client import Me
from bot.job import LONGEST_ALBUM
from bot.store.connection import Database
from bot.store.inbox import Letter
from bot.talk import address
from bot.talk.address import Address
from tests.oracle import check_update
from tests.talk.updates import ADA, GROUP, PHOTO, PRIVATE, message

NOON = 1_800_000_000_000
ME = Me(424242, "darkroom_bot")
BOT = {"id": 424242, "is_bot": True, "first_name": "Darkroom", "username": "darkroom_bot"}
CHANNEL = {"id": -2, "type": "channel", "title": "News"}
BASIC = {"id": -1, "type": "group", "title": "Friends"}


@pytest.fixture
def our() -> Address:
    """Somebody who knows who we are."""
    known = Address()
    known.meet(ME)
    return known


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """An open database."""
    database = await Database.open(str(tmp_path / "darkroom.db"))
    yield database
    await database.close()


Stored = Callable[..., list[int]]


async def _stored(db: Database, our: Address, *updates: dict[str, Any], now: int = NOON) -> list[int]:
    """Return the ids of the updates that have to be stored."""
    candidates = [update for update in updates if our.may_concern(update)]
    kept = await db.unit(lambda tx: our.concerning(tx, candidates, now))
    return [update["update_id"] for update in kept]


def _said(update_id: int = 1, chat: dict[str, Any] = GROUP, **content: Any) -> dict[str, Any]:
    update = message(update_id, chat=chat, **content)
    check_update(update)
    return update


def _press(chat: dict[str, Any]) -> dict[str, Any]:
    shown = {"message_id": 9, "date": 0, "chat": chat}
    data = Button("x", Action.CANCEL, 1).data
    query = {"id": "4", "from": ADA, "chat_instance": "1", "data": data, "message": shown}
    return {"update_id": 1, "callback_query": query}


def _reply(text: str, to: dict[str, Any], update_id: int = 1) -> dict[str, Any]:
    target = {"message_id": 3, "date": 1, "chat": GROUP, "from": BOT} | to
    return _said(update_id, text=text, reply_to_message=target)


@pytest.mark.parametrize("chat", [PRIVATE, GROUP, BASIC])
async def test_what_is_pressed_is_ours_wherever_it_is(db: Database, our: Address, chat: dict[str, Any]) -> None:
    assert await _stored(db, our, _press(chat)) == [1]


async def test_what_is_said_in_private_is_ours(db: Database, our: Address) -> None:
    edited = message(2, kind="edited_message", photo=PHOTO, caption="make it rain", edit_date=1_700_000_001)
    assert await _stored(db, our, message(1, text="hello"), edited) == [1, 2]


@pytest.mark.parametrize("kind", ["channel_post", "edited_channel_post", "business_message", "guest_message"])
async def test_other_kinds_of_updates_are_not(db: Database, our: Address, kind: str) -> None:
    assert await _stored(db, our, message(kind=kind, photo=PHOTO, caption="/edit make it snow")) == []


async def test_nothing_of_a_channel_is_ours(db: Database, our: Address) -> None:
    assert await _stored(db, our, _said(chat=CHANNEL, text="/edit x"), _press(CHANNEL)) == []


@pytest.mark.parametrize("chat", [GROUP, BASIC])
async def test_chatter_does_not_even_lead_to_a_question_to_the_database(our: Address, chat: dict[str, Any]) -> None:
    assert not our.may_concern(_said(chat=chat, text="how are you"))
    assert not our.may_concern(_said(chat=chat, photo=PHOTO, caption="the beach"))


async def test_an_edited_message_is_ours_if_it_belongs_to_a_request(db: Database, our: Address) -> None:
    edited = _said(2, kind="edited_message", photo=PHOTO, caption="now at night", edit_date=1_700_000_001)
    assert await _stored(db, our, edited) == []
    letter = Letter(1, '{"message": {"chat": {"id": -100}, "message_id": 7}}', NOON)
    await db.unit(lambda tx: tx.inbox.keep([letter]))
    assert await _stored(db, our, edited) == [2]


@pytest.mark.parametrize(
    ("text", "to", "is_ours"),
    [
        ("now at night", {"photo": PHOTO}, True),
        ("🌨 1", {"photo": PHOTO}, True),
        ("夜晚", {"photo": PHOTO}, True),
        ("😂", {"photo": PHOTO}, False),
        ("...", {"photo": PHOTO}, False),
        ("/edit now at night", {"photo": PHOTO}, True),
        ("/edit@other_bot now at night", {"photo": PHOTO}, False),
        ("/warn be nice", {"photo": PHOTO}, False),
        ("thanks", {"text": "Hello!"}, False),
        ("now at night", {"photo": PHOTO, "from": ADA}, False),
    ],
)
async def test_a_reply_is_ours_if_it_is_a_wish_about_a_picture_of_ours(
    db: Database, our: Address, text: str, to: dict[str, Any], is_ours: bool
) -> None:
    assert await _stored(db, our, _reply(text, to)) == ([1] if is_ours else [])


async def test_a_mention_about_a_picture_of_another_chat_is_ours(db: Database, our: Address) -> None:
    origin = {"type": "user", "date": 1, "sender_user": ADA}
    mention = {"type": "mention", "offset": 0, "length": 13}
    said = _said(text="@darkroom_bot at night", entities=[mention], external_reply={"origin": origin, "photo": PHOTO})
    assert await _stored(db, our, said) == [1]


@pytest.mark.parametrize(("who", "is_ours"), [(BOT, True), (ADA, False)])
async def test_a_mention_by_name_is_one_as_well(db: Database, our: Address, who: dict[str, Any], is_ours: bool) -> None:
    mention = {"type": "text_mention", "offset": 0, "length": 8, "user": who}
    said = _said(photo=PHOTO, caption="Darkroom at night", caption_entities=[mention])
    assert await _stored(db, our, said) == ([1] if is_ours else [])


# -- albums


def _item(update_id: int, caption: str | None = None, album: str = "a") -> dict[str, Any]:
    more: dict[str, Any] = {} if caption is None else {"caption": caption}
    return _said(update_id, message_id=update_id, photo=PHOTO, media_group_id=album, **more)


@pytest.mark.parametrize("position", [1, 2, 3])
async def test_an_album_is_ours_as_a_whole_whichever_item_says_so(db: Database, our: Address, position: int) -> None:
    items = [_item(number, "/edit x" if number == position else None) for number in (1, 2, 3)]
    assert sorted(await _stored(db, our, *items)) == [1, 2, 3]


async def test_items_before_the_one_that_says_so_wait_for_it_over_several_answers(db: Database, our: Address) -> None:
    assert await _stored(db, our, _item(1)) == []
    assert await _stored(db, our, _item(2)) == []
    assert await _stored(db, our, _item(3, "/edit x"), now=NOON + 1000) == [1, 2, 3]


async def test_an_album_that_nobody_says_is_ours_is_forgotten(db: Database, our: Address) -> None:
    await _stored(db, our, _item(1))
    assert await _stored(db, our, _item(2, "/edit x"), now=NOON + round(LONGEST_ALBUM * 1000) + 1) == [2]


async def test_two_albums_at_once_do_not_mix(db: Database, our: Address) -> None:
    await _stored(db, our, _item(1, album="a"), _item(2, album="b"))
    assert await _stored(db, our, _item(3, "/edit x", album="b")) == [2, 3]


async def test_however_many_albums_pass_by_only_so_many_items_are_kept_for_a_moment(
    db: Database, our: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address, "MOST_ASIDE", 10)
    await _stored(db, our, *(_item(number, album=f"{number}") for number in range(1, 30)))
    assert sum(map(len, our._aside.values())) == 10


# -- what is not as documented

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["chat", "type", "id", "from", "text", "caption", "entities", "offset", "length", "user", "photo",
             "media_group_id", "reply_to_message", "message", "message_id", "is_bot", "sender_chat", "group"]
        ),
        inner | st.sampled_from(["group", "supergroup", "private", "mention", "text_mention", "/edit x"]),
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
KINDS = ("message", "edited_message", "my_chat_member", "callback_query", "channel_post")


@given(event=JSON, kind=st.sampled_from(KINDS))
def test_whatever_comes_nothing_breaks(event: object, kind: str) -> None:
    known = Address()
    known.meet(ME)
    assert known.may_concern({"update_id": 1, kind: event}) in (True, False)


MALFORMED: list[object] = [
    None,
    5,
    "text",
    [],
    {},
    {"chat": None},
    {"chat": {"type": 7}},
    {"chat": {"type": ["group"]}},
]


@pytest.mark.parametrize("event", MALFORMED)
@pytest.mark.parametrize("kind", ["message", "edited_message", "my_chat_member", "callback_query"])
async def test_a_malformed_update_is_kept_for_somebody_to_look_at(
    db: Database, our: Address, kind: str, event: object
) -> None:
    assert await _stored(db, our, {"update_id": 1, kind: event}) == [1]


async def test_a_malformed_message_of_a_group_does_not_stop_those_behind_it(db: Database, our: Address) -> None:
    odd = {"update_id": 1, "message": {"chat": GROUP, "from": "nobody", "text": "/edit x"}}
    assert await _stored(db, our, odd, _said(2, text="/edit x")) == [1, 2]
