"""The cast: who can speak on the page, and where."""

from dataclasses import dataclass

from bot.sandbox.telegram.groups import Group
from bot.sandbox.telegram.people import Person
from bot.sandbox.telegram.server import LocalTelegram

YOU, GRACE, OPERATOR = 1001, 1002, 1003
_FRIENDS, _CLUB = -1_000_000_000_201, -1_000_000_000_202
_TOPICS = ("Holidays", "Pets")


@dataclass(frozen=True)
class Place:
    """Where one can write: a chat, or a topic of one."""

    title: str
    #: "private", "group", or "topic"
    kind: str
    chat_id: int
    #: the first one speaks unless another is chosen
    speakers: tuple[Person, ...]
    #: a word below the title
    about: str
    group: Group | None = None
    thread: int | None = None

    @property
    def key(self) -> str:
        return f"{self.chat_id}/{self.thread or 0}"


def cast(telegram: LocalTelegram) -> list[Place]:
    """Found the chats of the page, and let its people join them; in the order in which they are shown."""
    you = telegram.person(YOU, "You")
    grace = telegram.person(GRACE, "Grace")
    operator = telegram.person(OPERATOR, "Operator")
    friends = _group(telegram, _FRIENDS, "Friends", you, grace)
    club = _group(telegram, _CLUB, "Photo club", you, grace, is_forum=True)
    both = (you, grace)
    topics = [
        Place(name, "topic", club.id, both, "topic of Photo club", club, club.open_topic(name, grace.user))
        for name in _TOPICS
    ]
    return [
        Place("Darkroom", "private", you.id, (you,), "the bot, in private"),
        Place("Friends", "group", friends.id, both, "group: you, Grace, the bot", friends),
        Place("Photo club", "group", club.id, both, "group with topics", club),
        *topics,
        Place("Operator", "private", operator.id, (operator,), "an admin of the bot, in private"),
    ]


def _group(telegram: LocalTelegram, chat_id: int, title: str, *members: Person, is_forum: bool = False) -> Group:
    group = telegram.group(chat_id, title, members, is_forum)
    group.promote(members[0].user)
    return group
