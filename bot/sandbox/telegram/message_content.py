"""Builds the content of a message from a call's parameters, within Telegram's limits."""

from bot.sandbox.telegram import photo_sizes
from bot.sandbox.telegram.arguments import Arguments, UploadedInputFile
from bot.sandbox.telegram.errors import BotApiError, JsonObject, bad_request_error
from bot.sandbox.telegram.files import MAX_UPLOAD_BYTES
from bot.sandbox.telegram.server_state import TelegramState
from bot.sandbox.telegram.text_entities import MAX_CAPTION_LENGTH, MAX_TEXT_LENGTH, parse_text, utf16_length

_WRONG_FILE_ID = "wrong file identifier/HTTP URL specified"


def text_content(arguments: Arguments) -> JsonObject:
    """Return the text with its entities; raises BotApiError unless it has 1 to 4096 UTF-16 units."""
    text, entities = parse_text(arguments.text("text"), arguments.text("parse_mode"), arguments.array("entities"))
    if not text.strip():
        raise bad_request_error("message text is empty")
    if utf16_length(text) > MAX_TEXT_LENGTH:
        raise bad_request_error("message is too long")
    return {"text": text} | ({"entities": entities} if entities else {})


def caption_content(members: JsonObject) -> JsonObject:
    """Return the caption, if any, with its entities; raises BotApiError above 1024 UTF-16 units.

    `members` are the parameters of a call, or an item of an album.
    """
    text, entities = parse_text(
        str(members.get("caption") or ""), str(members.get("parse_mode") or ""), members.get("caption_entities") or []
    )
    if utf16_length(text) > MAX_CAPTION_LENGTH:
        raise bad_request_error("message caption is too long")
    if not text:
        return {}
    return {"caption": text} | ({"caption_entities": entities} if entities else {})


def media_content(state: TelegramState, kind: str, source: UploadedInputFile | str) -> JsonObject:
    """Return the "photo" or "document" of a message, from an upload or a known file_id.

    Raises BotApiError for what Telegram would not send, and for any URL: this server fetches none.
    """
    if kind not in {"photo", "document"}:
        raise bad_request_error(f"media of type {kind!r} is not known here")
    if isinstance(source, str):
        return {kind: _resend_by_file_id(state, kind, source)}
    if not source.content:
        raise bad_request_error("file must be non-empty")
    if len(source.content) > MAX_UPLOAD_BYTES:
        raise BotApiError(413, "Request Entity Too Large")
    if kind == "photo":
        return {"photo": state.files.add_photo(photo_sizes.process_bot_photo(source.content))}
    mime = source.mime_type or "application/octet-stream"
    return {"document": state.files.add("document", source.content, source.filename, mime_type=mime)}


def _resend_by_file_id(state: TelegramState, kind: str, file_id: str) -> JsonObject | list[JsonObject]:
    if not file_id:
        raise bad_request_error(f"there is no {kind} in the request")
    if file_id.startswith(("http://", "https://")):
        raise bad_request_error("failed to get HTTP URL content")
    try:
        stored = state.files.get(file_id)
    except KeyError:
        raise bad_request_error(_WRONG_FILE_ID) from None
    if stored.kind != kind:
        raise bad_request_error(f"can't use file of type {stored.kind.capitalize()} as {kind.capitalize()}")
    return stored.api_object


#: the longest `callback_data`, in bytes
MAX_CALLBACK_DATA_BYTES = 64


def keyboard_content(arguments: Arguments) -> JsonObject:
    """Return the inline keyboard, if any; raises BotApiError for an invalid button."""
    rows = arguments.json_object("reply_markup").get("inline_keyboard") or []
    for row in rows:
        for button in row:
            _check_button(button)
    return {"reply_markup": {"inline_keyboard": rows}} if rows else {}


def _check_button(button: JsonObject) -> None:
    if not button.get("text"):
        raise bad_request_error("can't parse inline keyboard button: Text must be non-empty")
    if len(button) < 2:
        raise bad_request_error("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    data = button.get("callback_data")
    if data is not None and not 1 <= len(data.encode()) <= MAX_CALLBACK_DATA_BYTES:
        raise bad_request_error("BUTTON_DATA_INVALID")


def find_button(message: JsonObject, label_or_data: str) -> JsonObject:
    """Return the button with this label or data; raises LookupError when there is none."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    buttons: list[JsonObject] = [button for row in rows for button in row]
    for button in buttons:
        if label_or_data in {button["text"], button.get("callback_data")}:
            return button
    labels = ", ".join(repr(button["text"]) for button in buttons) or "none"
    raise LookupError(f"no button {label_or_data!r} on message {message['message_id']}; it has {labels}")
