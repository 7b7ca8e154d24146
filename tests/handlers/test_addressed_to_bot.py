"""Which updates are meant for the bot: decided before anything is stored."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.handlers import addressed_to_bot
from bot.handlers.addressed_to_bot import UpdateFilter
from bot.job import MAX_ALBUM_SECONDS
from bot.store.database import Database
from bot.store.inbox import StoredUpdate
from bot.telegram.buttons import Button, ButtonAction
from bot.telegram.client import BotAccount
from tests.bot_api_validator import validate_update
from tests.handlers.sample_updates import ADA_USER, GROUP_CHAT, PHOTO_SIZES, PRIVATE_CHAT, make_update

NOON = 1_800_000_000_000
ME = BotAccount(424242, "darkroom_bot")
BOT = {"id": 424242, "is_bot": True, "first_name": "Darkroom", "username": "darkroom_bot"}
CHANNEL = {"id": -2, "type": "channel", "title": "News"}
BASIC = {"id": -1, "type": "group", "title": "Friends"}


@pytest.fixture
def update_filter() -> UpdateFilter:
    """A filter that knows the bot's account."""
    known = UpdateFilter()
    known.set_identity(ME)
    return known


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """A new database."""
    database = await Database.open(str(tmp_path / "darkroom.db"))
    yield database
    await database.close()


StoreUpdates = Callable[..., list[int]]


async def _store_addressed(
    db: Database, update_filter: UpdateFilter, *updates: dict[str, Any], now: int = NOON
) -> list[int]:
    candidates = [candidate for update in updates if (candidate := update_filter.parse_candidate(update)) is not None]
    selected = await db.transact(lambda tx: update_filter.select_for_bot(tx, candidates, now))
    return [update.update_id for update in selected]


def _text_update(update_id: int = 1, chat: dict[str, Any] = GROUP_CHAT, **content: Any) -> dict[str, Any]:
    update = make_update(update_id, chat=chat, **content)
    validate_update(update)
    return update


def _press_update(chat: dict[str, Any]) -> dict[str, Any]:
    shown = {"message_id": 9, "date": 0, "chat": chat}
    data = Button("x", ButtonAction.CANCEL, 1).callback_data
    query = {"id": "4", "from": ADA_USER, "chat_instance": "1", "data": data, "message": shown}
    return {"update_id": 1, "callback_query": query}


def _reply_update(text: str, to: dict[str, Any], update_id: int = 1) -> dict[str, Any]:
    target = {"message_id": 3, "date": 1, "chat": GROUP_CHAT, "from": BOT} | to
    return _text_update(update_id, text=text, reply_to_message=target)


@pytest.mark.parametrize("chat", [PRIVATE_CHAT, GROUP_CHAT, BASIC])
async def test_what_is_pressed_is_ours_wherever_it_is(
    db: Database, update_filter: UpdateFilter, chat: dict[str, Any]
) -> None:
    assert await _store_addressed(db, update_filter, _press_update(chat)) == [1]


async def test_what_is_said_in_private_is_ours(db: Database, update_filter: UpdateFilter) -> None:
    edited = make_update(2, kind="edited_message", photo=PHOTO_SIZES, caption="make it rain", edit_date=1_700_000_001)
    assert await _store_addressed(db, update_filter, make_update(1, text="hello"), edited) == [1, 2]


@pytest.mark.parametrize("kind", ["channel_post", "edited_channel_post", "business_message", "guest_message"])
async def test_other_kinds_of_updates_are_not(db: Database, update_filter: UpdateFilter, kind: str) -> None:
    assert (
        await _store_addressed(
            db, update_filter, make_update(kind=kind, photo=PHOTO_SIZES, caption="/edit make it snow")
        )
        == []
    )


async def test_nothing_of_a_channel_is_ours(db: Database, update_filter: UpdateFilter) -> None:
    assert (
        await _store_addressed(db, update_filter, _text_update(chat=CHANNEL, text="/edit x"), _press_update(CHANNEL))
        == []
    )


@pytest.mark.parametrize("chat", [GROUP_CHAT, BASIC])
async def test_chatter_does_not_even_lead_to_a_question_to_the_database(
    update_filter: UpdateFilter, chat: dict[str, Any]
) -> None:
    assert update_filter.parse_candidate(_text_update(chat=chat, text="how are you")) is None
    assert update_filter.parse_candidate(_text_update(chat=chat, photo=PHOTO_SIZES, caption="the beach")) is None


async def test_an_edited_message_is_ours_if_it_belongs_to_a_request(db: Database, update_filter: UpdateFilter) -> None:
    edited = _text_update(2, kind="edited_message", photo=PHOTO_SIZES, caption="now at night", edit_date=1_700_000_001)
    assert await _store_addressed(db, update_filter, edited) == []
    stored = StoredUpdate(1, '{"message": {"chat": {"id": -100}, "message_id": 7}}', NOON)
    await db.transact(lambda tx: tx.inbox.add([stored]))
    assert await _store_addressed(db, update_filter, edited) == [2]


async def test_an_edit_that_comes_along_with_its_message_is_ours_as_well(
    db: Database, update_filter: UpdateFilter
) -> None:
    sent = _text_update(1, photo=PHOTO_SIZES, caption="/edit make it snow")
    edited = _text_update(2, kind="edited_message", photo=PHOTO_SIZES, caption="make it rain", edit_date=1_700_000_001)
    assert await _store_addressed(db, update_filter, sent, edited) == [1, 2]


@pytest.mark.parametrize(
    ("text", "to", "is_ours"),
    [
        ("now at night", {"photo": PHOTO_SIZES}, True),
        ("🌨 1", {"photo": PHOTO_SIZES}, True),
        ("夜晚", {"photo": PHOTO_SIZES}, True),
        ("😂", {"photo": PHOTO_SIZES}, False),
        ("...", {"photo": PHOTO_SIZES}, False),
        ("/edit now at night", {"photo": PHOTO_SIZES}, True),
        ("/edit@other_bot now at night", {"photo": PHOTO_SIZES}, False),
        ("/warn be nice", {"photo": PHOTO_SIZES}, False),
        ("thanks", {"text": "Hello!"}, False),
        ("now at night", {"photo": PHOTO_SIZES, "from": ADA_USER}, False),
    ],
)
async def test_a_reply_is_ours_if_it_is_a_wish_about_a_picture_of_ours(
    db: Database, update_filter: UpdateFilter, text: str, to: dict[str, Any], is_ours: bool
) -> None:
    assert await _store_addressed(db, update_filter, _reply_update(text, to)) == ([1] if is_ours else [])


async def test_a_mention_about_a_picture_of_another_chat_is_ours(db: Database, update_filter: UpdateFilter) -> None:
    origin = {"type": "user", "date": 1, "sender_user": ADA_USER}
    mention = {"type": "mention", "offset": 0, "length": 13}
    said = _text_update(
        text="@darkroom_bot at night", entities=[mention], external_reply={"origin": origin, "photo": PHOTO_SIZES}
    )
    assert await _store_addressed(db, update_filter, said) == [1]


@pytest.mark.parametrize(("who", "is_ours"), [(BOT, True), (ADA_USER, False)])
async def test_a_mention_by_name_is_one_as_well(
    db: Database, update_filter: UpdateFilter, who: dict[str, Any], is_ours: bool
) -> None:
    mention = {"type": "text_mention", "offset": 0, "length": 8, "user": who}
    said = _text_update(photo=PHOTO_SIZES, caption="Darkroom at night", caption_entities=[mention])
    assert await _store_addressed(db, update_filter, said) == ([1] if is_ours else [])


# -- albums


def _album_item_update(update_id: int, caption: str | None = None, album: str = "a") -> dict[str, Any]:
    more: dict[str, Any] = {} if caption is None else {"caption": caption}
    return _text_update(update_id, message_id=update_id, photo=PHOTO_SIZES, media_group_id=album, **more)


@pytest.mark.parametrize("position", [1, 2, 3])
async def test_an_album_is_ours_as_a_whole_whichever_item_says_so(
    db: Database, update_filter: UpdateFilter, position: int
) -> None:
    items = [_album_item_update(number, "/edit x" if number == position else None) for number in (1, 2, 3)]
    assert sorted(await _store_addressed(db, update_filter, *items)) == [1, 2, 3]


async def test_items_before_the_one_that_says_so_wait_for_it_over_several_answers(
    db: Database, update_filter: UpdateFilter
) -> None:
    assert await _store_addressed(db, update_filter, _album_item_update(1)) == []
    assert await _store_addressed(db, update_filter, _album_item_update(2)) == []
    assert await _store_addressed(db, update_filter, _album_item_update(3, "/edit x"), now=NOON + 1000) == [1, 2, 3]


async def test_an_album_that_nobody_says_is_ours_is_forgotten(db: Database, update_filter: UpdateFilter) -> None:
    await _store_addressed(db, update_filter, _album_item_update(1))
    assert await _store_addressed(
        db, update_filter, _album_item_update(2, "/edit x"), now=NOON + round(MAX_ALBUM_SECONDS * 1000) + 1
    ) == [2]


async def test_two_albums_at_once_do_not_mix(db: Database, update_filter: UpdateFilter) -> None:
    await _store_addressed(db, update_filter, _album_item_update(1, album="a"), _album_item_update(2, album="b"))
    assert await _store_addressed(db, update_filter, _album_item_update(3, "/edit x", album="b")) == [2, 3]


async def test_however_many_albums_pass_by_only_so_many_items_are_kept_for_a_moment(
    db: Database, update_filter: UpdateFilter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addressed_to_bot, "MAX_HELD_ALBUM_ITEMS", 10)
    await _store_addressed(
        db, update_filter, *(_album_item_update(number, album=f"{number}") for number in range(1, 30))
    )
    assert sum(map(len, update_filter._held_album_items.values())) == 10


# -- malformed and unknown updates

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
    known = UpdateFilter()
    known.set_identity(ME)
    known.parse_candidate({"update_id": 1, kind: event})


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
    db: Database, update_filter: UpdateFilter, kind: str, event: object
) -> None:
    assert await _store_addressed(db, update_filter, {"update_id": 1, kind: event}) == [1]


async def test_a_malformed_message_of_a_group_does_not_stop_those_behind_it(
    db: Database, update_filter: UpdateFilter
) -> None:
    odd = {"update_id": 1, "message": {"chat": GROUP_CHAT, "from": "nobody", "text": "/edit x"}}
    assert await _store_addressed(db, update_filter, odd, _text_update(2, text="/edit x")) == [1, 2]


async def test_chatter_of_a_kind_that_nobody_knows_yet_is_not_stored(db: Database, update_filter: UpdateFilter) -> None:
    novelty = make_update(
        chat=GROUP_CHAT, hologram={"depth": "deep"}, poll=7, entities=[{"type": "glow", "offset": 0, "length": 1}]
    )
    assert await _store_addressed(db, update_filter, novelty) == []
