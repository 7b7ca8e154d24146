"""/delete: shows a person what is stored about them, from all chats, and deletes it when they say so.

It is for the private chat only: what is stored concerns nobody else, and in a group others read along.
"""

from bot import job_actions
from bot.clock import Instant
from bot.handlers.update_types import ButtonPressed, CommandGiven, UpdateContent, UpdateOrigin
from bot.i18n import Sentence, sentence
from bot.kie.models import RECORD_RETENTION_MONTHS, RESULT_RETENTION_DAYS, UPLOAD_RETENTION_DAYS
from bot.store.erasure import StoredPersonalData
from bot.store.menus import Menu
from bot.store.outbox import EPHEMERAL_KEY_PREFIX, MessageDraft, MessageKind, OutboxMessage
from bot.store.transaction import Transaction
from bot.telegram.buttons import Button, ButtonAction

#: Commands about what is known of oneself (Telegram's terms, sections 4 and 4.2).
OWN_DATA_COMMANDS = (CommandGiven("privacy"), CommandGiven("delete"))

#: Presses that decide about it.
CONFIRMATION_ACTIONS = frozenset({ButtonAction.DELETE_MY_DATA, ButtonAction.KEEP_MY_DATA})

#: Begins the key of the question whether everything is to be deleted.
CONFIRMATION_KEY_PREFIX = "erase:"


def is_about_own_data(meaning: UpdateContent) -> bool:
    """Say whether somebody asks what is known of them, or decides about it: nobody is too strange for that."""
    return meaning in OWN_DATA_COMMANDS or _confirmation_action(meaning) is not None


def is_deletion_confirmed(tx: Transaction, origin: UpdateOrigin, meaning: UpdateContent) -> bool:
    """Say whether somebody who was asked wants everything deleted that is stored about them."""
    if not isinstance(meaning, ButtonPressed) or _confirmation_action(meaning) is not ButtonAction.DELETE_MY_DATA:
        return False
    return _find_confirmation_menu(tx, origin, meaning) is not None


def _confirmation_action(meaning: UpdateContent) -> ButtonAction | None:
    pressed = meaning.button if isinstance(meaning, ButtonPressed) else None
    return pressed.action if pressed is not None and pressed.action in CONFIRMATION_ACTIONS else None


def ask_to_delete(tx: Transaction, origin: UpdateOrigin, now: Instant) -> Sentence | None:
    """Show a person what is stored about them, and offer to delete it; return what is said instead, if anything."""
    if origin.is_group:
        return sentence("delete-in-private")
    if tx.menus.has_pending(origin.chat_id, "erase"):
        return None
    held = tx.erasure.count_stored_data(origin.user_id)
    if held.is_empty and tx.outbox.has_max_pending(origin.chat_id, MessageKind.TEXT):
        return None
    if held.is_empty:
        _send_unrecorded(tx, origin, sentence("nothing-to-delete"), f"nothing:{origin.message_id}", now)
    else:
        say = MessageDraft(
            key=f"{CONFIRMATION_KEY_PREFIX}{origin.chat_id}:{origin.message_id}",
            kind=MessageKind.MENU,
            chat_id=origin.chat_id,
            thread_id=origin.thread_id,
            reply_to=origin.message_id,
            body=_confirmation_menu(origin, held).serialize(),
        )
        tx.menus.open(say, now)
    return None


def handle_deletion_press(tx: Transaction, origin: UpdateOrigin, press: ButtonPressed, now: Instant) -> Sentence | None:
    """Delete what is stored about the one who pressed, or leave it; return what to say about the press, if anything."""
    question = _find_confirmation_menu(tx, origin, press)
    if question is None:
        return sentence("toast-old")
    tx.menus.queue_deletion(question, now)
    if _confirmation_action(press) is ButtonAction.KEEP_MY_DATA:
        return sentence("toast-kept")
    job_actions.erase_user(tx, origin.user_id, now)
    _send_unrecorded(
        tx, origin, sentence("deleted", records=RECORD_RETENTION_MONTHS), f"erased:{origin.message_id}", now
    )
    return None


def _find_confirmation_menu(tx: Transaction, origin: UpdateOrigin, press: ButtonPressed) -> OutboxMessage | None:
    """Return the question that was pressed, if it is one that the person was asked."""
    menu = tx.menus.get(origin.chat_id, origin.message_id, is_offered=press.is_offered)
    is_asked = (
        menu is not None and menu.draft.key.startswith(CONFIRMATION_KEY_PREFIX) and origin.chat_id == origin.user_id
    )
    return menu if is_asked else None


def _send_unrecorded(tx: Transaction, origin: UpdateOrigin, told: Sentence, what: str, now: Instant) -> None:
    """Say something of which nothing is remembered, not even that it was said."""
    words = told.translate(origin.language)
    tx.outbox.add(
        MessageDraft(
            key=f"{EPHEMERAL_KEY_PREFIX}{origin.chat_id}:{what}",
            chat_id=origin.chat_id,
            thread_id=origin.thread_id,
            body=words,
        ),
        now,
    )


def _confirmation_menu(origin: UpdateOrigin, held: StoredPersonalData) -> Menu:
    told = sentence(
        "delete-question",
        edits=_format_count(held, held.edits),
        texts=_format_count(held, held.texts),
        pictures=_format_count(held, held.images),
        messages=_format_count(held, held.messages),
        waiting=held.unordered,
        ordered=held.ordered,
        settings="some" if held.has_settings else "none",
        groups=held.groups,
        uploads=UPLOAD_RETENTION_DAYS,
        results=RESULT_RETENTION_DAYS,
        records=RECORD_RETENTION_MONTHS,
    )
    buttons = (
        Button(sentence("button-erase").translate(origin.language), ButtonAction.DELETE_MY_DATA, 0),
        Button(sentence("button-keep").translate(origin.language), ButtonAction.KEEP_MY_DATA, 0),
    )
    return Menu(told.translate(origin.language), [(each.label, each.callback_data) for each in buttons])


def _format_count(held: StoredPersonalData, number: int) -> int | str:
    """Return a number as it is shown."""
    return f"{number}+" if held.is_truncated else number
