"""/settings: a menu for the format and aspect ratio of images, how they are sent, and the language of a chat."""

from collections.abc import Mapping

from bot.edit_options import AnswerAs, AspectRatio, ResultFormat
from bot.handlers.replies import open_menu
from bot.handlers.update_types import ButtonPressed, UpdateContext
from bot.i18n import Sentence, closest_language, languages, sentence
from bot.store.chats import Preference
from bot.store.menus import Menu
from bot.telegram.buttons import Button, ButtonAction, ButtonPress

#: The page that shows the current values; on each other page one of them is chosen.
OVERVIEW_PAGE = 0

#: The numbers are stored in buttons in users' chats and must not change.
PREFERENCE_BY_PAGE: Mapping[int, Preference] = {
    1: Preference.FORMAT,
    2: Preference.ASPECT_RATIO,
    3: Preference.ANSWER_AS,
    4: Preference.LANGUAGE,
}

#: Prefix of the menu's outbox key.
MENU_KEY_PREFIX = "settings:"

#: The choice of the locale of the sender's app instead of a fixed language.
APP_LANGUAGE = ""


def open_settings_menu(ctx: UpdateContext) -> None:
    """Reply with the settings of the chat, unless such a menu is pending."""
    if not ctx.tx.menus.has_pending(ctx.origin.chat_id, MENU_KEY_PREFIX):
        open_menu(ctx, MENU_KEY_PREFIX, _render_page(ctx, OVERVIEW_PAGE))


def handle_settings_press(ctx: UpdateContext, press: ButtonPressed, button: ButtonPress) -> Sentence | None:
    """Show another page of the settings, or change one; return the answer to the press, if any."""
    tx, origin = ctx.tx, ctx.origin
    menu = tx.menus.get(origin.chat_id, origin.message_id, is_offered=press.is_offered)
    is_page = button.target in {OVERVIEW_PAGE, *PREFERENCE_BY_PAGE}
    if menu is None or not menu.draft.key.startswith(MENU_KEY_PREFIX) or not is_page:
        return sentence("toast-old")
    page, text = button.target, None
    if button.action is ButtonAction.SETTINGS_CHOICE:
        value = _decode_value(button.number)
        if page == OVERVIEW_PAGE or value not in _choices(PREFERENCE_BY_PAGE[page]):
            return sentence("toast-old")
        tx.chats.set_preference(origin.chat_id, PREFERENCE_BY_PAGE[page], value or None)
        page, text = OVERVIEW_PAGE, sentence("toast-chosen")
    tx.menus.set_content(menu, _render_page(ctx, page), ctx.now)
    return text


def _render_page(ctx: UpdateContext, page: int) -> Menu:
    # read again, because a press may just have changed it
    language = ctx.tx.chats.get_language(ctx.origin.chat_id) or ctx.origin.app_language
    values = _current_values(ctx)
    if page == OVERVIEW_PAGE:
        text = sentence("settings", where=ctx.origin.chat_type)
        buttons = [
            Button(_overview_label(preference, values[preference], language), ButtonAction.SETTINGS_PAGE, number)
            for number, preference in PREFERENCE_BY_PAGE.items()
        ]
    else:
        preference = PREFERENCE_BY_PAGE[page]
        text = sentence(f"choose-{preference}".replace("_", "-"))
        buttons = [
            Button(
                ("✓ " if value == values[preference] else "") + _value_label(preference, value, language),
                ButtonAction.SETTINGS_CHOICE,
                page,
                _encode_value(value),
            )
            for value in _choices(preference)
        ]
        buttons.append(Button(sentence("button-back").translate(language), ButtonAction.SETTINGS_PAGE, OVERVIEW_PAGE))
    return Menu(text.translate(language), [(each.label, each.callback_data) for each in buttons])


def _overview_label(preference: Preference, value: str, language: str) -> str:
    name = f"setting-{preference}".replace("_", "-")
    return sentence(name, value=_value_label(preference, value, language)).translate(language)


def _value_label(preference: Preference, value: str, language: str) -> str:
    """Return the name of a choice; a language is named in that language."""
    if preference is Preference.LANGUAGE:
        return sentence("this-language").translate(value) if value else sentence("own-language").translate(language)
    if value in set(AnswerAs) or value == AspectRatio.AUTO:
        return sentence(f"as-{value}").translate(language)
    return value.upper()


def _choices(preference: Preference) -> tuple[str, ...]:
    return {
        Preference.FORMAT: tuple(ResultFormat),
        Preference.ASPECT_RATIO: tuple(AspectRatio),
        Preference.ANSWER_AS: tuple(AnswerAs),
        Preference.LANGUAGE: (APP_LANGUAGE, *languages()),
    }[preference]


def _current_values(ctx: UpdateContext) -> dict[Preference, str]:
    language = ctx.tx.chats.get_language(ctx.origin.chat_id)
    options = ctx.tx.chats.get_edit_options(ctx.origin.chat_id)
    return {
        Preference.FORMAT: options.format,
        Preference.ASPECT_RATIO: options.aspect_ratio,
        Preference.ANSWER_AS: options.answer_as,
        Preference.LANGUAGE: closest_language(language) if language else APP_LANGUAGE,
    }


def _encode_value(value: str) -> int:
    """Return the bytes of a choice as a number, so that every version encodes it alike."""
    return int.from_bytes(value.encode(), "big")


def _decode_value(number: int) -> str:
    return number.to_bytes(8, "big").lstrip(b"\0").decode("ascii", "replace")
