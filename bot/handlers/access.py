"""Who may use the bot and who may press which button."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.handlers.update_types import ButtonPressed, CommandGiven, UpdateContent, UpdateContext, UpdateOrigin
from bot.job import ANONYMOUS_SENDER_ID, Job
from bot.store.database import Transaction
from bot.store.outbox import MessageKind, MessageSubject
from bot.store.users import AccessRule
from bot.telegram.buttons import ButtonAction

#: Seconds for which the cached list of a group's admins is valid.
GROUP_ADMINS_TTL = 60.0

#: Actions for everybody who sees the button.
ANYONE_ACTIONS = frozenset({ButtonAction.SEND_ORIGINAL, ButtonAction.VARIATION, ButtonAction.FETCH_RESULT})

#: Actions for a group's admins as well as for the user who asked.
GROUP_ADMIN_ACTIONS = frozenset({ButtonAction.DELETE_ANSWER})

#: Actions about a chat and not about a job.
SETTINGS_ACTIONS = frozenset({ButtonAction.SETTINGS_PAGE, ButtonAction.SETTINGS_CHOICE})

#: The actions that messages about a job offer, by the kind of message.
ACTIONS_BY_MESSAGE_KIND: Mapping[MessageKind, frozenset[ButtonAction]] = {
    MessageKind.PROGRESS_MESSAGE: frozenset(
        {ButtonAction.CANCEL, ButtonAction.ORDER_AGAIN, ButtonAction.LEAVE_UNCERTAIN, ButtonAction.USE_SUGGESTION}
    ),
    MessageKind.IMAGE: frozenset({ButtonAction.SEND_ORIGINAL, ButtonAction.VARIATION, ButtonAction.DELETE_ANSWER}),
}

#: The same for a text that replaces an image or a file that could not be sent.
ACTIONS_BY_REPLACED_KIND: Mapping[MessageKind, frozenset[ButtonAction]] = {
    MessageKind.IMAGE: frozenset({ButtonAction.FETCH_RESULT}),
    MessageKind.FILE: frozenset({ButtonAction.SEND_ORIGINAL}),
}


class AccessDecision(StrEnum):
    """Whether somebody may use the bot."""

    ALLOWED = "welcome"
    #: no, and a reply says so
    NOT_ALLOWED = "stranger"
    #: no, and they get no answer
    BLOCKED = "blocked"


@dataclass(frozen=True)
class AccessPolicy:
    """The access rules of the settings; an empty list of allowed ids allows everybody.

    Admins are always allowed. For others a block always wins; otherwise a stored rule overrides the list, and a user's
    rule overrides that of a chat.
    """

    allowed_ids: frozenset[int]
    admin_ids: frozenset[int]

    def decide(self, tx: Transaction, user_id: int, chat_id: int) -> AccessDecision:
        """Return whether a user, a group or a channel may use the bot in a chat."""
        if self.is_exempt(tx, user_id, chat_id):
            return AccessDecision.ALLOWED
        former_id, charged_to = tx.chats.get_former_id(chat_id), self.charged_to(tx, user_id, chat_id)
        rules = {principal: tx.access_rules.get(principal) for principal in (charged_to, user_id, chat_id)}
        if AccessRule.BLOCKED in rules.values():
            return AccessDecision.BLOCKED
        if charged_to > 0 and rules[charged_to] is AccessRule.DENIED:
            return AccessDecision.NOT_ALLOWED
        for principal, ids in ((user_id, {user_id}), (chat_id, {chat_id, former_id})):
            if rules[principal] is AccessRule.DENIED:
                return AccessDecision.NOT_ALLOWED
            if rules[principal] is AccessRule.ALLOWED or not self.allowed_ids.isdisjoint(ids):
                return AccessDecision.ALLOWED
        return AccessDecision.NOT_ALLOWED if self.allowed_ids else AccessDecision.ALLOWED

    def charged_to(self, tx: Transaction, user_id: int, chat_id: int) -> int:
        """Return the id whose limits a request in a chat counts for, and whose access rules apply as well.

        Anybody can create groups and channels, so a message in the name of one counts for the user who added the bot to
        the chat or, if that user is unknown, for one id that all such senders share. If an admin added the bot, who has
        no limits, it counts for the chat, which then has the limits of a user.
        """
        if user_id > 0:
            return user_id
        added_by = tx.chats.get_added_by(chat_id)
        if added_by is None:
            return ANONYMOUS_SENDER_ID
        return chat_id if added_by in self.admin_ids else added_by

    def is_admin(self, principal: int) -> bool:
        """Return whether a user, a group or a channel is an admin."""
        return principal in self.admin_ids

    def is_exempt(self, tx: Transaction, user_id: int, chat_id: int) -> bool:
        """Return whether no limit or rule applies: to an admin, and to everybody in a group that is listed as one."""
        return not self.admin_ids.isdisjoint((user_id, chat_id, tx.chats.get_former_id(chat_id)))


def requires_group_admin(origin: UpdateOrigin, content: UpdateContent, job: Job | None) -> bool:
    """Return whether only the group's admins may do something; `job` is what a button press is about."""
    if not origin.is_group or origin.user_id == origin.chat_id:
        return False  # only admins write in the name of their group
    if isinstance(content, CommandGiven):
        return content.name == "settings"
    if not isinstance(content, ButtonPressed) or content.button is None:
        return False
    action = content.button.action
    if action in SETTINGS_ACTIONS:
        return True
    if job is None or action in ANYONE_ACTIONS or job.request.user_id == origin.user_id:
        return False
    # it is unknown which user asked in the name of a group or channel
    return action in GROUP_ADMIN_ACTIONS or job.request.user_id < 0


def is_press_allowed(origin: UpdateOrigin, action: ButtonAction, job: Job, admins: frozenset[int]) -> bool:
    """Return whether a user may press a button about a job; `admins` are those of the group."""
    asker = job.request.user_id
    if action in ANYONE_ACTIONS or origin.user_id == asker:
        return True
    return origin.is_group and (action in GROUP_ADMIN_ACTIONS or asker < 0) and origin.user_id in admins


def is_button_of_message(ctx: UpdateContext, press: ButtonPressed, action: ButtonAction, job: Job) -> bool:
    """Return whether the pressed message is one of the bot's about a job, and offers this action.

    A modified client can send any callback data for any message of the bot, but it cannot invent a message. The bot may
    not know a message yet, because Telegram's response to sending it is late or lost: such a message counts if Telegram
    shows it with this button and it is newer than the request. An older one does not, because after the restore of a
    backup the number in the button may be that of another job.
    """
    subjects = ctx.tx.outbox.list_subjects(ctx.origin.chat_id, ctx.origin.message_id)
    if any(each.job_id != job.id for each in subjects):
        return False
    if any(action in _offered_actions(each) for each in subjects):
        return True
    return press.is_offered and ctx.origin.message_id > (job.request.message_id or 0)


def _offered_actions(message: MessageSubject) -> frozenset[ButtonAction]:
    if message.replaces is not None:
        return ACTIONS_BY_REPLACED_KIND.get(message.replaces, frozenset())
    return ACTIONS_BY_MESSAGE_KIND.get(message.kind, frozenset())
