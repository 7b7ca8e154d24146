"""/delete: shows users what is stored about them, from all chats, and deletes it when they confirm.

Only in the private chat, because others read a group.
"""

from bot import job_operations
from bot.handlers.replies import open_menu
from bot.handlers.update_types import ButtonPressed, CommandGiven, UpdateContent, UpdateContext, UpdateOrigin
from bot.i18n import Sentence, sentence
from bot.kie.models import RECORD_RETENTION_MONTHS, RESULT_RETENTION_DAYS, UPLOAD_RETENTION_DAYS
from bot.store.database import Transaction
from bot.store.erasure import StoredPersonalData
from bot.store.menus import Menu
from bot.store.outbox import EPHEMERAL_KEY_PREFIX, MessageDraft, MessageKind, OutboxMessage
from bot.telegram.buttons import Button, ButtonAction

#: Commands about one's own data (Telegram's terms for bots, sections 4 and 4.2).
OWN_DATA_COMMANDS = (CommandGiven("privacy"), CommandGiven("delete"))

CONFIRMATION_ACTIONS = frozenset({ButtonAction.DELETE_MY_DATA, ButtonAction.KEEP_MY_DATA})

#: Prefix of the outbox key of the question whether to delete everything.
CONFIRMATION_KEY_PREFIX = "erase:"


def is_about_own_data(content: UpdateContent) -> bool:
    """Return whether a user asks about their own data or decides about it, which everybody may do."""
    return content in OWN_DATA_COMMANDS or _confirmation_action(content) is not None


def is_deletion_confirmed(tx: Transaction, origin: UpdateOrigin, content: UpdateContent) -> bool:
    """Return whether a user confirms that everything stored about them is to be deleted."""
    if not isinstance(content, ButtonPressed) or _confirmation_action(content) is not ButtonAction.DELETE_MY_DATA:
        return False
    return _find_confirmation_menu(tx, origin, content) is not None


def _confirmation_action(content: UpdateContent) -> ButtonAction | None:
    button = content.button if isinstance(content, ButtonPressed) else None
    return button.action if button is not None and button.action in CONFIRMATION_ACTIONS else None


def ask_to_delete(ctx: UpdateContext) -> Sentence | None:
    """Show users what is stored about them, and offer to delete it; return the reply in a group."""
    tx, origin = ctx.tx, ctx.origin
    if origin.is_group:
        return sentence("delete-in-private")
    if tx.menus.has_pending(origin.chat_id, CONFIRMATION_KEY_PREFIX):
        return None
    data = tx.erasure.count_stored_data(origin.user_id)
    if not data.is_empty:
        open_menu(ctx, CONFIRMATION_KEY_PREFIX, _confirmation_menu(data, origin.language))
    elif not tx.outbox.has_max_pending(origin.chat_id, MessageKind.TEXT):
        _send_unrecorded(ctx, sentence("nothing-to-delete"), f"nothing:{origin.message_id}")
    return None


def handle_deletion_press(ctx: UpdateContext, press: ButtonPressed) -> Sentence | None:
    """Delete what is stored about the user who pressed, or keep it; return the answer to the press, if any."""
    menu = _find_confirmation_menu(ctx.tx, ctx.origin, press)
    if menu is None:
        return sentence("toast-old")
    ctx.tx.menus.queue_deletion(menu, ctx.now)
    if _confirmation_action(press) is ButtonAction.KEEP_MY_DATA:
        return sentence("toast-kept")
    job_operations.erase_user(ctx.tx, ctx.origin.user_id, ctx.now)
    _send_unrecorded(ctx, sentence("deleted", records=RECORD_RETENTION_MONTHS), f"erased:{ctx.origin.message_id}")
    return None


def _find_confirmation_menu(tx: Transaction, origin: UpdateOrigin, press: ButtonPressed) -> OutboxMessage | None:
    """Return the confirmation question whose button was pressed, if it was asked of this user."""
    menu = tx.menus.get(origin.chat_id, origin.message_id, is_offered=press.is_offered)
    is_question = menu is not None and menu.draft.key.startswith(CONFIRMATION_KEY_PREFIX)
    return menu if is_question and origin.chat_id == origin.user_id else None


def _send_unrecorded(ctx: UpdateContext, text: Sentence, what: str) -> None:
    """Send a message whose outbox row is deleted afterwards."""
    draft = MessageDraft(
        key=f"{EPHEMERAL_KEY_PREFIX}{ctx.origin.chat_id}:{what}",
        chat_id=ctx.origin.chat_id,
        thread_id=ctx.origin.thread_id,
        body=text.translate(ctx.origin.language),
    )
    ctx.tx.outbox.add(draft, ctx.now)


def _confirmation_menu(data: StoredPersonalData, language: str) -> Menu:
    more = "+" if data.is_truncated else ""
    counts = {"edits": data.edits, "texts": data.texts, "pictures": data.images, "messages": data.messages}
    text = sentence(
        "delete-question",
        **{name: f"{count}{more}" if more else count for name, count in counts.items()},
        waiting=data.unordered,
        ordered=data.ordered,
        settings="some" if data.has_settings else "none",
        groups=data.groups,
        uploads=UPLOAD_RETENTION_DAYS,
        results=RESULT_RETENTION_DAYS,
        records=RECORD_RETENTION_MONTHS,
    )
    buttons = (
        Button(sentence("button-erase").translate(language), ButtonAction.DELETE_MY_DATA, 0),
        Button(sentence("button-keep").translate(language), ButtonAction.KEEP_MY_DATA, 0),
    )
    return Menu(text.translate(language), [(each.label, each.callback_data) for each in buttons])
