"""Inline keyboards: which ones Telegram takes, and finding a button on one."""

from bot.sandbox.telegram.arguments import Arguments
from bot.sandbox.telegram.refusals import Json, bad

#: The longest `callback_data`, in bytes.
MAX_DATA = 64


def keyboard(arguments: Arguments) -> Json:
    """Return the keyboard that a message will show, nothing without one.

    Raises Refused for buttons that Telegram would not take.
    """
    rows = arguments.mapping("reply_markup").get("inline_keyboard") or []
    for row in rows:
        for button in row:
            _check(button)
    return {"reply_markup": {"inline_keyboard": rows}} if rows else {}


def _check(button: Json) -> None:
    if not button.get("text"):
        raise bad("can't parse inline keyboard button: Text must be non-empty")
    if len(button) < 2:
        raise bad("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    data = button.get("callback_data")
    if data is not None and not 1 <= len(data.encode()) <= MAX_DATA:
        raise bad("BUTTON_DATA_INVALID")


def pressed(message: Json, label_or_data: str) -> Json:
    """Return the button with this label or data; raise LookupError when there is none."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    buttons: list[Json] = [button for row in rows for button in row]
    for button in buttons:
        if label_or_data in {button["text"], button.get("callback_data")}:
            return button
    labels = ", ".join(repr(button["text"]) for button in buttons) or "none"
    raise LookupError(f"no button {label_or_data!r} on message {message['message_id']}; it has {labels}")
