"""/settings: a menu to choose from how pictures come, and which language is spoken, in a chat."""

from collections.abc import Mapping

from bot.chat.buttons import Action, Button, Pressed
from bot.job import Instant
from bot.store.chats import Preference
from bot.store.menus import Menu
from bot.store.outbox import Kind, Say
from bot.store.transaction import Transaction
from bot.talk.meanings import ButtonPressed, Origin
from bot.texts import Sentence, closest, languages, sentence
from bot.wish import AnswerAs, Format, Shape

#: The page that shows what is chosen; the others are for choosing.
OVERVIEW = 0

#: By numbers that stay with them, because they stand behind buttons.
PAGES: Mapping[int, Preference] = {
    1: Preference.FORMAT,
    2: Preference.SHAPE,
    3: Preference.ANSWER_AS,
    4: Preference.LANGUAGE,
}

#: Begins the key of the message that shows them.
MENU = "settings:"

#: In which way a language is chosen: that of the speaker's app.
NO_LANGUAGE = ""


def settings_asked_for(tx: Transaction, origin: Origin, now: Instant) -> None:
    """Show the settings of a chat, in reply to a command, unless they are about to be shown already."""
    if tx.menus.is_on_its_way(origin.chat_id, "settings"):
        return
    say = Say(
        key=f"{MENU}{origin.chat_id}:{origin.message_id}",
        kind=Kind.MENU,
        chat_id=origin.chat_id,
        thread_id=origin.thread_id,
        reply_to=origin.message_id,
        body=_page(tx, origin, OVERVIEW).written(),
    )
    tx.menus.open(say, now)


def settings_pressed(
    tx: Transaction, origin: Origin, press: ButtonPressed, pressed: Pressed, now: Instant
) -> Sentence | None:
    """Turn a page of the settings, or choose; return what to say to the one who pressed, if anything."""
    menu = tx.menus.of(origin.chat_id, origin.message_id, is_offered=press.is_offered)
    if menu is None or not menu.say.key.startswith(MENU) or pressed.about not in {OVERVIEW, *PAGES}:
        return sentence("toast-old")
    page, told = pressed.about, None
    if pressed.action is Action.CHOOSE:
        value = _value_of(pressed.number)
        if page == OVERVIEW or value not in _choices(PAGES[page]):
            return sentence("toast-old")
        tx.chats.choose(origin.chat_id, PAGES[page], value or None)
        page, told = OVERVIEW, sentence("toast-chosen")
    tx.menus.turn(menu, _page(tx, origin, page), now)
    return told


def _page(tx: Transaction, origin: Origin, page: int) -> Menu:
    # what was chosen a moment ago counts at once
    language = tx.chats.language_of(origin.chat_id) or origin.app_language
    chosen = {preference: _chosen(tx, origin.chat_id, preference) for preference in Preference}
    if page == OVERVIEW:
        told = sentence("settings", where=origin.where)
        buttons = [
            Button(_setting(preference, chosen[preference], language), Action.PAGE, number)
            for number, preference in PAGES.items()
        ]
    else:
        preference = PAGES[page]
        told = sentence(f"choose-{preference}".replace("_", "-"))
        buttons = [
            Button(
                _marked(preference, value, language, value == chosen[preference]), Action.CHOOSE, page, _number(value)
            )
            for value in _choices(preference)
        ]
        buttons.append(Button(sentence("button-back").into(language), Action.PAGE, OVERVIEW))
    return Menu(told.into(language), [(each.label, each.data) for each in buttons])


def _setting(preference: Preference, value: str, language: str) -> str:
    name = f"setting-{preference}".replace("_", "-")
    return sentence(name, value=_shown(preference, value, language)).into(language)


def _marked(preference: Preference, value: str, language: str, is_chosen: bool) -> str:
    label = _shown(preference, value, language)
    return f"✓ {label}" if is_chosen else label


def _shown(preference: Preference, value: str, language: str) -> str:
    """Return what a choice is called; a language as those call it who speak it."""
    if preference is Preference.LANGUAGE:
        return sentence("this-language").into(value) if value else sentence("own-language").into(language)
    if value in set(AnswerAs) or value == Shape.AUTO:
        return sentence(f"as-{value}").into(language)
    return value.upper()


def _choices(preference: Preference) -> tuple[str, ...]:
    match preference:
        case Preference.FORMAT:
            return tuple(Format)
        case Preference.SHAPE:
            return tuple(Shape)
        case Preference.ANSWER_AS:
            return tuple(AnswerAs)
        case Preference.LANGUAGE:
            return (NO_LANGUAGE, *languages())


def _chosen(tx: Transaction, chat_id: int, preference: Preference) -> str:
    if preference is Preference.LANGUAGE:
        language = tx.chats.language_of(chat_id)
        return closest(language) if language else NO_LANGUAGE
    form = tx.chats.form_of(chat_id)
    return {Preference.FORMAT: form.format, Preference.SHAPE: form.shape, Preference.ANSWER_AS: form.answer_as}[
        preference
    ]


def _number(value: str) -> int:
    """Return a number for a choice that is the same in every version: its letters."""
    return int.from_bytes(value.encode(), "big")


def _value_of(number: int) -> str:
    return number.to_bytes(8, "big").lstrip(b"\0").decode("ascii", "replace")
