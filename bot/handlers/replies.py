"""Replies to one message of a user, as rows of the outbox, with a throttle.

Only edits are always answered. Other replies are dropped while many are pending for the chat, since they leave at one a
second; and a notice that the bot cannot use a message is sent once a minute in each chat.
"""

from bot.handlers.update_types import UpdateContext
from bot.i18n import Sentence, SentenceList
from bot.store.menus import Menu
from bot.store.outbox import EPHEMERAL_KEY_PREFIX, MessageDraft, MessageKind

#: The reaction to an edited caption or text that takes effect.
EDIT_NOTED_REACTION = "✍"

#: Milliseconds within which a notice is sent once in each chat.
REPEAT_WINDOW_MS = 60_000


def draft_reply(
    ctx: UpdateContext, key: str, body: str, kind: MessageKind = MessageKind.TEXT, job_id: int | None = None
) -> MessageDraft:
    """Return a message that replies to the one being handled."""
    origin = ctx.origin
    return MessageDraft(
        key=key,
        kind=kind,
        chat_id=origin.chat_id,
        thread_id=origin.thread_id,
        reply_to=origin.message_id,
        body=body,
        job_id=job_id,
    )


def reply(
    ctx: UpdateContext, text: Sentence | SentenceList, *, once: str | None = None, job_id: int | None = None
) -> None:
    """Reply to a message, unless too many replies are pending for the chat.

    `once` is a deduplication key, if several messages may cause the same reply. When a user replies to a message with a
    `job_id`, that is about the job's images.
    """
    if not ctx.tx.outbox.has_max_pending(ctx.origin.chat_id, MessageKind.TEXT):
        key = once or f"reply:{ctx.origin.chat_id}:{ctx.origin.message_id}"
        ctx.tx.outbox.add(draft_reply(ctx, key, text.translate(ctx.origin.language), job_id=job_id), ctx.now)


def reply_once(ctx: UpdateContext, text: Sentence | SentenceList, *, about: str, job_id: int | None = None) -> None:
    """Reply to a message, unless a reply `about` the same was written in this chat within the last minute."""
    key, window = f"{about}:{ctx.origin.chat_id}", ctx.now // REPEAT_WINDOW_MS
    since = ctx.now - REPEAT_WINDOW_MS
    if not any(ctx.tx.outbox.was_written_since(f"{key}:{each}", since) for each in (window, window - 1)):
        reply(ctx, text, once=f"{key}:{window}", job_id=job_id)


def react_to_edit(ctx: UpdateContext) -> None:
    """React to an edited message; not in groups, where the only reactions are those about the request."""
    if ctx.origin.is_group or ctx.tx.outbox.has_max_pending(ctx.origin.chat_id, MessageKind.REACTION):
        return
    draft = MessageDraft(
        key=f"noted:{ctx.update_id}",
        kind=MessageKind.REACTION,
        chat_id=ctx.origin.chat_id,
        reply_to=ctx.origin.message_id,
        body=EDIT_NOTED_REACTION,
    )
    ctx.tx.outbox.add(draft, ctx.now)


def answer_button_press(ctx: UpdateContext, press_id: str, text: Sentence | None) -> None:
    """Answer a button press, unless too many answers are pending; `text` is None where the effect is visible."""
    if ctx.tx.outbox.has_max_pending(ctx.origin.chat_id, MessageKind.CALLBACK_ANSWER):
        return
    draft = MessageDraft(
        key=f"{EPHEMERAL_KEY_PREFIX}press:{press_id}",
        kind=MessageKind.CALLBACK_ANSWER,
        chat_id=ctx.origin.chat_id,
        body="" if text is None else text.translate(ctx.origin.language),
        callback_query_id=press_id,
    )
    ctx.tx.outbox.add(draft, ctx.now)


def open_menu(ctx: UpdateContext, key_prefix: str, menu: Menu) -> None:
    """Reply with a menu, which replaces the previous one of the chat."""
    key = f"{key_prefix}{ctx.origin.chat_id}:{ctx.origin.message_id}"
    ctx.tx.menus.open(draft_reply(ctx, key, menu.serialize(), MessageKind.MENU), ctx.now)
