"""Who may use the bot, and who may decide about what: the one place where that is decided."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.chat.buttons import Action
from bot.job import NAMELESS, Job
from bot.store.outbox import About, Kind
from bot.store.standings import Standing
from bot.store.transaction import Transaction
from bot.talk.meanings import ButtonPressed, CommandGiven, Meaning, Origin

#: Seconds for which it is believed who administers a group.
ADMINS_BELIEVED = 60.0

#: Presses that anybody may make who can see the button.
FOR_ALL = frozenset({Action.ORIGINAL, Action.VARIATION, Action.FETCH})

#: Presses that are for a group's administrators as well as for the one who asked.
FOR_ADMINS = frozenset({Action.DELETE})

#: Presses that are about a chat and not about a job.
OF_CHAT = frozenset({Action.PAGE, Action.CHOOSE})

#: The presses that our messages about a job are made for, by what they are.
OFFERED_BY: Mapping[Kind, frozenset[Action]] = {
    Kind.STATUS: frozenset({Action.CANCEL, Action.AGAIN, Action.LEAVE, Action.IDEA}),
    Kind.PICTURE: frozenset({Action.ORIGINAL, Action.VARIATION, Action.DELETE}),
}

#: The same for a text in place of a picture or a file that did not come.
OFFERED_INSTEAD_OF: Mapping[Kind, frozenset[Action]] = {
    Kind.PICTURE: frozenset({Action.FETCH}),
    Kind.FILE: frozenset({Action.ORIGINAL}),
}


class Verdict(StrEnum):
    """Whether somebody may use the bot."""

    WELCOME = "welcome"
    #: no, and they may be told so
    STRANGER = "stranger"
    #: no, and an admin wants them to get no answer
    BLOCKED = "blocked"


@dataclass(frozen=True)
class Access:
    """The ids of people and chats in the settings; an empty allow-list admits everyone.

    Admins always come in. What they decided about somebody goes before the list,
    and what holds for a person before what holds for the chat.
    """

    allowed: frozenset[int]
    admins: frozenset[int]

    def verdict(self, tx: Transaction, user_id: int, chat_id: int) -> Verdict:
        """Say whether a person, a group or a channel may use the bot in a chat."""
        if self.is_above_all(tx, user_id, chat_id):
            return Verdict.WELCOME
        former_id, charged_to = tx.chats.former_id(chat_id), self.charged_to(tx, user_id, chat_id)
        decided = {principal: tx.standings.of(principal) for principal in (charged_to, user_id, chat_id)}
        if Standing.BLOCKED in decided.values():
            return Verdict.BLOCKED
        if charged_to > 0 and decided[charged_to] is Standing.DENIED:
            return Verdict.STRANGER
        for principal, ids in ((user_id, {user_id}), (chat_id, {chat_id, former_id})):
            if decided[principal] is Standing.DENIED:
                return Verdict.STRANGER
            if decided[principal] is Standing.ALLOWED or not self.allowed.isdisjoint(ids):
                return Verdict.WELCOME
        return Verdict.STRANGER if self.allowed else Verdict.WELCOME

    def charged_to(self, tx: Transaction, user_id: int, chat_id: int) -> int:
        """Return whose limits count for what somebody asks for in a chat, and who is shut out with them.

        Persons answer for themselves. Groups and channels can be had for nothing, so who speaks in the name of one is
        taken for the one who added the bot to the chat, and where nobody knows who that was, all of them for one.
        Where it was an admin, who has no limits, the chat has those of a person.
        """
        if user_id > 0:
            return user_id
        placed_by = tx.chats.placed_by(chat_id)
        if placed_by is None:
            return NAMELESS
        return chat_id if placed_by in self.admins else placed_by

    def is_admin(self, principal: int) -> bool:
        """Say whether a person, a group or a channel is an admin."""
        return principal in self.admins

    def is_above_all(self, tx: Transaction, user_id: int, chat_id: int) -> bool:
        """Say whether no limit or decision holds for a person in a chat: an admin, or anybody in an admins' group."""
        return not self.admins.isdisjoint((user_id, chat_id, tx.chats.former_id(chat_id)))


def depends_on_admins(origin: Origin, meaning: Meaning, job: Job | None) -> bool:
    """Say whether something is only allowed if the speaker administers the group; `job` is what a press is about."""
    if not origin.is_group or origin.user_id == origin.chat_id:
        return False  # whoever speaks in a group's name is an administrator
    if isinstance(meaning, CommandGiven):
        return meaning.name == "settings"
    if not isinstance(meaning, ButtonPressed) or meaning.pressed is None:
        return False
    action = meaning.pressed.action
    if action in OF_CHAT:
        return True
    if job is None or action in FOR_ALL or job.request.user_id == origin.user_id:
        return False
    # nobody knows who it was that asked in a group's or a channel's name
    return action in FOR_ADMINS or job.request.user_id < 0


def may(origin: Origin, action: Action, job: Job, admins: frozenset[int]) -> bool:
    """Say whether somebody may decide about a job in this way; `admins` are those of the group."""
    asker = job.request.user_id
    if action in FOR_ALL or origin.user_id == asker:
        return True
    return origin.is_group and (action in FOR_ADMINS or asker < 0) and origin.user_id in admins


def is_under(tx: Transaction, origin: Origin, press: ButtonPressed, action: Action, job: Job) -> bool:
    """Say whether the message that was pressed is one of ours about a job, and made for such a press.

    What stands behind a button can be made up, for any message of ours; what the message is cannot. One that is not
    known (yet) to have arrived, because Telegram's answer to its sending is late or lost, is ours where Telegram shows
    that it has this button, and about this job if it is newer than the request: after the return of an older database
    its number may be another job's.
    """
    about = tx.outbox.about(origin.chat_id, origin.message_id)
    if any(each.job_id != job.id for each in about):
        return False
    if any(action in _offered_by(each) for each in about):
        return True
    return press.is_offered and origin.message_id > (job.request.message_id or 0)


def _offered_by(message: About) -> frozenset[Action]:
    if message.instead_of is not None:
        return OFFERED_INSTEAD_OF.get(message.instead_of, frozenset())
    return OFFERED_BY.get(message.kind, frozenset())
