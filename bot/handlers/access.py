"""Who may use the bot, and who may decide about what: the one place where that is decided."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.handlers.update_types import ButtonPressed, CommandGiven, UpdateContent, UpdateOrigin
from bot.job import ANONYMOUS_SENDER_ID, Job
from bot.store.access_rules import AccessRule
from bot.store.outbox import MessageKind, MessageSubject
from bot.store.transaction import Transaction
from bot.telegram.buttons import ButtonAction

#: Seconds for which it is believed who administers a group.
GROUP_ADMINS_TTL = 60.0

#: Presses that anybody may make who can see the button.
ANYONE_ACTIONS = frozenset({ButtonAction.SEND_ORIGINAL, ButtonAction.VARIATION, ButtonAction.FETCH_RESULT})

#: Presses that are for a group's administrators as well as for the one who asked.
GROUP_ADMIN_ACTIONS = frozenset({ButtonAction.DELETE_ANSWER})

#: Presses that are about a chat and not about a job.
SETTINGS_ACTIONS = frozenset({ButtonAction.SETTINGS_PAGE, ButtonAction.SETTINGS_CHOICE})

#: The presses that our messages about a job are made for, by what they are.
ACTIONS_BY_MESSAGE_KIND: Mapping[MessageKind, frozenset[ButtonAction]] = {
    MessageKind.PROGRESS_MESSAGE: frozenset(
        {ButtonAction.CANCEL, ButtonAction.ORDER_AGAIN, ButtonAction.LEAVE_UNCERTAIN, ButtonAction.USE_SUGGESTION}
    ),
    MessageKind.IMAGE: frozenset({ButtonAction.SEND_ORIGINAL, ButtonAction.VARIATION, ButtonAction.DELETE_ANSWER}),
}

#: The same for a text in place of a picture or a file that did not come.
ACTIONS_BY_REPLACED_KIND: Mapping[MessageKind, frozenset[ButtonAction]] = {
    MessageKind.IMAGE: frozenset({ButtonAction.FETCH_RESULT}),
    MessageKind.FILE: frozenset({ButtonAction.SEND_ORIGINAL}),
}


class AccessDecision(StrEnum):
    """Whether somebody may use the bot."""

    ALLOWED = "welcome"
    #: no, and they may be told so
    NOT_ALLOWED = "stranger"
    #: no, and an admin wants them to get no answer
    BLOCKED = "blocked"


@dataclass(frozen=True)
class AccessPolicy:
    """The ids of people and chats in the settings; an empty allow-list admits everyone.

    Admins always come in. What they decided about somebody goes before the list,
    and what holds for a person before what holds for the chat.
    """

    allowed_ids: frozenset[int]
    admin_ids: frozenset[int]

    def decide(self, tx: Transaction, user_id: int, chat_id: int) -> AccessDecision:
        """Say whether a person, a group or a channel may use the bot in a chat."""
        if self.is_exempt(tx, user_id, chat_id):
            return AccessDecision.ALLOWED
        former_id, charged_to = tx.chats.get_former_id(chat_id), self.charged_to(tx, user_id, chat_id)
        decided = {principal: tx.access_rules.get(principal) for principal in (charged_to, user_id, chat_id)}
        if AccessRule.BLOCKED in decided.values():
            return AccessDecision.BLOCKED
        if charged_to > 0 and decided[charged_to] is AccessRule.DENIED:
            return AccessDecision.NOT_ALLOWED
        for principal, ids in ((user_id, {user_id}), (chat_id, {chat_id, former_id})):
            if decided[principal] is AccessRule.DENIED:
                return AccessDecision.NOT_ALLOWED
            if decided[principal] is AccessRule.ALLOWED or not self.allowed_ids.isdisjoint(ids):
                return AccessDecision.ALLOWED
        return AccessDecision.NOT_ALLOWED if self.allowed_ids else AccessDecision.ALLOWED

    def charged_to(self, tx: Transaction, user_id: int, chat_id: int) -> int:
        """Return whose limits count for what somebody asks for in a chat, and who is shut out with them.

        Persons answer for themselves. Groups and channels can be had for nothing, so who speaks in the name of one is
        taken for the one who added the bot to the chat, and where nobody knows who that was, all of them for one.
        Where it was an admin, who has no limits, the chat has those of a person.
        """
        if user_id > 0:
            return user_id
        placed_by = tx.chats.get_added_by(chat_id)
        if placed_by is None:
            return ANONYMOUS_SENDER_ID
        return chat_id if placed_by in self.admin_ids else placed_by

    def is_admin(self, principal: int) -> bool:
        """Say whether a person, a group or a channel is an admin."""
        return principal in self.admin_ids

    def is_exempt(self, tx: Transaction, user_id: int, chat_id: int) -> bool:
        """Say whether no limit or decision holds for a person in a chat: an admin, or anybody in an admins' group."""
        return not self.admin_ids.isdisjoint((user_id, chat_id, tx.chats.get_former_id(chat_id)))


def requires_group_admin(origin: UpdateOrigin, meaning: UpdateContent, job: Job | None) -> bool:
    """Say whether something is only allowed if the speaker administers the group; `job` is what a press is about."""
    if not origin.is_group or origin.user_id == origin.chat_id:
        return False  # whoever speaks in a group's name is an administrator
    if isinstance(meaning, CommandGiven):
        return meaning.name == "settings"
    if not isinstance(meaning, ButtonPressed) or meaning.button is None:
        return False
    action = meaning.button.action
    if action in SETTINGS_ACTIONS:
        return True
    if job is None or action in ANYONE_ACTIONS or job.request.user_id == origin.user_id:
        return False
    # nobody knows who it was that asked in a group's or a channel's name
    return action in GROUP_ADMIN_ACTIONS or job.request.user_id < 0


def is_press_allowed(origin: UpdateOrigin, action: ButtonAction, job: Job, admins: frozenset[int]) -> bool:
    """Say whether somebody may decide about a job in this way; `admins` are those of the group."""
    asker = job.request.user_id
    if action in ANYONE_ACTIONS or origin.user_id == asker:
        return True
    return origin.is_group and (action in GROUP_ADMIN_ACTIONS or asker < 0) and origin.user_id in admins


def is_button_of_message(
    tx: Transaction, origin: UpdateOrigin, press: ButtonPressed, action: ButtonAction, job: Job
) -> bool:
    """Say whether the message that was pressed is one of ours about a job, and made for such a press.

    What stands behind a button can be made up, for any message of ours; what the message is cannot. One that is not
    known (yet) to have arrived, because Telegram's answer to its sending is late or lost, is ours where Telegram shows
    that it has this button, and about this job if it is newer than the request: after the return of an older database
    its number may be another job's.
    """
    about = tx.outbox.list_subjects(origin.chat_id, origin.message_id)
    if any(each.job_id != job.id for each in about):
        return False
    if any(action in _offered_actions(each) for each in about):
        return True
    return press.is_offered and origin.message_id > (job.request.message_id or 0)


def _offered_actions(message: MessageSubject) -> frozenset[ButtonAction]:
    if message.replaces is not None:
        return ACTIONS_BY_REPLACED_KIND.get(message.replaces, frozenset())
    return ACTIONS_BY_MESSAGE_KIND.get(message.kind, frozenset())
