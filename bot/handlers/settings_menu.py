"""/settings: a menu to choose from how pictures come, and which language is spoken, in a chat."""

from collections.abc import Mapping

from bot.clock import Instant
from bot.edit_options import AnswerAs, AspectRatio, ResultFormat
from bot.handlers.update_types import ButtonPressed, UpdateOrigin
from bot.i18n import Sentence, closest_language, languages, sentence
from bot.store.chats import Preference
from bot.store.menus import Menu
from bot.store.outbox import MessageDraft, MessageKind
from bot.store.transaction import Transaction
from bot.telegram.buttons import Button, ButtonAction, ButtonPress

#: The page that shows what is chosen; the others are for choosing.
OVERVIEW_PAGE = 0

#: By numbers that stay with them, because they stand behind buttons.
PREFERENCE_BY_PAGE: Mapping[int, Preference] = {
    1: Preference.FORMAT,
    2: Preference.ASPECT_RATIO,
    3: Preference.ANSWER_AS,
    4: Preference.LANGUAGE,
}

#: Begins the key of the message that shows them.
MENU_KEY_PREFIX = "settings:"

#: In which way a language is chosen: that of the speaker's app.
APP_LANGUAGE = ""


def open_settings_menu(tx: Transaction, origin: UpdateOrigin, now: Instant) -> None:
    """Show the settings of a chat, in reply to a command, unless they are about to be shown already."""
    if tx.menus.has_pending(origin.chat_id, "settings"):
        return
    say = MessageDraft(
        key=f"{MENU_KEY_PREFIX}{origin.chat_id}:{origin.message_id}",
        kind=MessageKind.MENU,
        chat_id=origin.chat_id,
        thread_id=origin.thread_id,
        reply_to=origin.message_id,
        body=_render_page(tx, origin, OVERVIEW_PAGE).serialize(),
    )
    tx.menus.open(say, now)


def handle_settings_press(
    tx: Transaction, origin: UpdateOrigin, press: ButtonPressed, pressed: ButtonPress, now: Instant
) -> Sentence | None:
    """Turn a page of the settings, or choose; return what to say to the one who pressed, if anything."""
    menu = tx.menus.get(origin.chat_id, origin.message_id, is_offered=press.is_offered)
    if (
        menu is None
        or not menu.draft.key.startswith(MENU_KEY_PREFIX)
        or pressed.target not in {OVERVIEW_PAGE, *PREFERENCE_BY_PAGE}
    ):
        return sentence("toast-old")
    page, told = pressed.target, None
    if pressed.action is ButtonAction.SETTINGS_CHOICE:
        value = _decode_value(pressed.number)
        if page == OVERVIEW_PAGE or value not in _choices(PREFERENCE_BY_PAGE[page]):
            return sentence("toast-old")
        tx.chats.set_preference(origin.chat_id, PREFERENCE_BY_PAGE[page], value or None)
        page, told = OVERVIEW_PAGE, sentence("toast-chosen")
    tx.menus.set_content(menu, _render_page(tx, origin, page), now)
    return told


def _render_page(tx: Transaction, origin: UpdateOrigin, page: int) -> Menu:
    # what was chosen a moment ago counts at once
    language = tx.chats.get_language(origin.chat_id) or origin.app_language
    chosen = {preference: _current_value(tx, origin.chat_id, preference) for preference in Preference}
    if page == OVERVIEW_PAGE:
        told = sentence("settings", where=origin.chat_type)
        buttons = [
            Button(_overview_label(preference, chosen[preference], language), ButtonAction.SETTINGS_PAGE, number)
            for number, preference in PREFERENCE_BY_PAGE.items()
        ]
    else:
        preference = PREFERENCE_BY_PAGE[page]
        told = sentence(f"choose-{preference}".replace("_", "-"))
        buttons = [
            Button(
                _choice_label(preference, value, language, value == chosen[preference]),
                ButtonAction.SETTINGS_CHOICE,
                page,
                _encode_value(value),
            )
            for value in _choices(preference)
        ]
        buttons.append(Button(sentence("button-back").translate(language), ButtonAction.SETTINGS_PAGE, OVERVIEW_PAGE))
    return Menu(told.translate(language), [(each.label, each.callback_data) for each in buttons])


def _overview_label(preference: Preference, value: str, language: str) -> str:
    name = f"setting-{preference}".replace("_", "-")
    return sentence(name, value=_value_label(preference, value, language)).translate(language)


def _choice_label(preference: Preference, value: str, language: str, is_chosen: bool) -> str:
    label = _value_label(preference, value, language)
    return f"✓ {label}" if is_chosen else label


def _value_label(preference: Preference, value: str, language: str) -> str:
    """Return what a choice is called; a language as those call it who speak it."""
    if preference is Preference.LANGUAGE:
        return sentence("this-language").translate(value) if value else sentence("own-language").translate(language)
    if value in set(AnswerAs) or value == AspectRatio.AUTO:
        return sentence(f"as-{value}").translate(language)
    return value.upper()


def _choices(preference: Preference) -> tuple[str, ...]:
    match preference:
        case Preference.FORMAT:
            return tuple(ResultFormat)
        case Preference.ASPECT_RATIO:
            return tuple(AspectRatio)
        case Preference.ANSWER_AS:
            return tuple(AnswerAs)
        case Preference.LANGUAGE:
            return (APP_LANGUAGE, *languages())


def _current_value(tx: Transaction, chat_id: int, preference: Preference) -> str:
    if preference is Preference.LANGUAGE:
        language = tx.chats.get_language(chat_id)
        return closest_language(language) if language else APP_LANGUAGE
    form = tx.chats.get_edit_options(chat_id)
    return {
        Preference.FORMAT: form.format,
        Preference.ASPECT_RATIO: form.aspect_ratio,
        Preference.ANSWER_AS: form.answer_as,
    }[preference]


def _encode_value(value: str) -> int:
    """Return a number for a choice that is the same in every version: its letters."""
    return int.from_bytes(value.encode(), "big")


def _decode_value(number: int) -> str:
    return number.to_bytes(8, "big").lstrip(b"\0").decode("ascii", "replace")
