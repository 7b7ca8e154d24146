"""Who may use the bot, and who may decide about what: the one place where that is decided."""

from dataclasses import dataclass

from bot.chat.buttons import Action
from bot.job import Job
from bot.talk.reading import ButtonPressed, CommandGiven, Meaning, Origin

#: Seconds for which it is believed who administers a group.
ADMINS_BELIEVED = 60.0

#: Presses that anybody may make who can see the button.
FOR_ALL = frozenset({Action.ORIGINAL, Action.VARIATION})

#: Presses that are for a group's administrators as well as for the one who asked.
FOR_ADMINS = frozenset({Action.DELETE})

#: Presses that are about a chat and not about a job.
OF_CHAT = frozenset({Action.PAGE, Action.CHOOSE})


@dataclass(frozen=True)
class Access:
    """The ids of people and chats; an empty allow-list admits everyone, admins always come in."""

    allowed: frozenset[int]
    admins: frozenset[int]

    def admits(self, user_id: int, *chat_ids: int | None) -> bool:
        """Say whether this person may use the bot in this chat, by any of the ids that it has had."""
        return not self.allowed or not {user_id, *chat_ids}.isdisjoint(self.allowed | self.admins)


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
