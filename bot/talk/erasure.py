"""/delete: shows a person what is stored about them, from all chats, and deletes it when they say so.

It is for the private chat only: what is stored concerns nobody else, and in a group others read along.
"""

from bot.chat.buttons import Action, Button
from bot.job import Instant
from bot.kie.keeping import RECORDS_KEPT, RESULTS_KEPT, UPLOADS_KEPT
from bot.store.erasure import Held
from bot.store.menus import Menu
from bot.store.outbox import LAST, Kind, Parcel, Say
from bot.store.transaction import Transaction
from bot.talk.meanings import ButtonPressed, CommandGiven, Meaning, Origin
from bot.texts import Sentence, sentence

#: Commands about what is known of oneself (Telegram's terms, sections 4 and 4.2).
ABOUT_ONESELF = (CommandGiven("privacy"), CommandGiven("delete"))

#: Presses that decide about it.
DECIDING = frozenset({Action.ERASE, Action.KEEP})

#: Begins the key of the question whether everything is to be deleted.
QUESTION = "erase:"


def is_about_oneself(meaning: Meaning) -> bool:
    """Say whether somebody asks what is known of them, or decides about it: nobody is too strange for that."""
    return meaning in ABOUT_ONESELF or _decided(meaning) is not None


def is_erasure(tx: Transaction, origin: Origin, meaning: Meaning) -> bool:
    """Say whether somebody who was asked wants everything deleted that is stored about them."""
    if not isinstance(meaning, ButtonPressed) or _decided(meaning) is not Action.ERASE:
        return False
    return _question_of(tx, origin, meaning) is not None


def _decided(meaning: Meaning) -> Action | None:
    pressed = meaning.pressed if isinstance(meaning, ButtonPressed) else None
    return pressed.action if pressed is not None and pressed.action in DECIDING else None


def erasure_asked_for(tx: Transaction, origin: Origin, now: Instant) -> Sentence | None:
    """Show a person what is stored about them, and offer to delete it; return what is said instead, if anything."""
    if origin.is_group:
        return sentence("delete-in-private")
    if tx.menus.is_on_its_way(origin.chat_id, "erase"):
        return None
    held = tx.erasure.held(origin.user_id)
    if held.is_nothing and tx.outbox.is_full(origin.chat_id, Kind.TEXT):
        return None
    if held.is_nothing:
        _say_last(tx, origin, sentence("nothing-to-delete"), f"nothing:{origin.message_id}", now)
    else:
        say = Say(
            key=f"{QUESTION}{origin.chat_id}:{origin.message_id}",
            kind=Kind.MENU,
            chat_id=origin.chat_id,
            thread_id=origin.thread_id,
            reply_to=origin.message_id,
            body=_question(origin, held).written(),
        )
        tx.menus.open(say, now)
    return None


def erasure_pressed(tx: Transaction, origin: Origin, press: ButtonPressed, now: Instant) -> Sentence | None:
    """Delete what is stored about the one who pressed, or leave it; return what to say about the press, if anything."""
    question = _question_of(tx, origin, press)
    if question is None:
        return sentence("toast-old")
    tx.menus.over(question, now)
    if _decided(press) is Action.KEEP:
        return sentence("toast-kept")
    tx.forget_person(origin.user_id, now)
    _say_last(tx, origin, sentence("deleted", records=RECORDS_KEPT), f"erased:{origin.message_id}", now)
    return None


def _question_of(tx: Transaction, origin: Origin, press: ButtonPressed) -> Parcel | None:
    """Return the question that was pressed, if it is one that the person was asked."""
    menu = tx.menus.of(origin.chat_id, origin.message_id, is_offered=press.is_offered)
    is_asked = menu is not None and menu.say.key.startswith(QUESTION) and origin.chat_id == origin.user_id
    return menu if is_asked else None


def _say_last(tx: Transaction, origin: Origin, told: Sentence, what: str, now: Instant) -> None:
    """Say something of which nothing is remembered, not even that it was said."""
    words = told.into(origin.language)
    tx.outbox.add(
        Say(key=f"{LAST}{origin.chat_id}:{what}", chat_id=origin.chat_id, thread_id=origin.thread_id, body=words), now
    )


def _question(origin: Origin, held: Held) -> Menu:
    told = sentence(
        "delete-question",
        edits=_counted(held, held.edits),
        texts=_counted(held, held.words),
        pictures=_counted(held, held.pictures),
        messages=_counted(held, held.messages),
        waiting=held.waiting,
        ordered=held.ordered,
        settings="some" if held.has_settings else "none",
        groups=held.groups,
        uploads=UPLOADS_KEPT,
        results=RESULTS_KEPT,
        records=RECORDS_KEPT,
    )
    buttons = (
        Button(sentence("button-erase").into(origin.language), Action.ERASE, 0),
        Button(sentence("button-keep").into(origin.language), Action.KEEP, 0),
    )
    return Menu(told.into(origin.language), [(each.label, each.data) for each in buttons])


def _counted(held: Held, number: int) -> int | str:
    """Return a number as it is shown."""
    return f"{number}+" if held.is_more else number
