"""Groups: where several people speak, and where the bot is a guest."""

from bot.sandbox.telegram.chats import Chat
from bot.sandbox.telegram.cloud import Cloud
from bot.sandbox.telegram.refusals import Json

#: Ids below this belong to supergroups, the negative ones above it to basic groups.
SUPERGROUPS = -1_000_000_000_000


def new_group(cloud: Cloud, chat_id: int, title: str, is_forum: bool) -> "Group":
    """Found a group; its id says whether it is a basic group or a supergroup."""
    if chat_id >= 0:
        raise ValueError(f"the id of a group is negative, not {chat_id}")
    shown: Json = {"id": chat_id, "type": "supergroup" if chat_id < SUPERGROUPS else "group", "title": title}
    cloud.chats[chat_id] = Chat(shown | ({"is_forum": True} if is_forum else {}))
    return Group(cloud, cloud.chats[chat_id])


class Group:
    """A group as its members see it; people speak in it with `person.send_...(chat=group)`."""

    def __init__(self, cloud: Cloud, room: Chat) -> None:
        self._cloud = cloud
        self.room = room

    @property
    def id(self) -> int:
        """The chat's id."""
        return self.room.id

    def join(self, user: Json) -> None:
        """Make a person (a User) a member."""
        self.room.members[user["id"]] = user

    def promote(self, user: Json) -> None:
        """Make a member an administrator."""
        self.room.admins.add(user["id"])

    def demote(self, user: Json) -> None:
        """Make an administrator a plain member again."""
        self.room.admins.remove(user["id"])

    def open_topic(self, name: str, by: Json) -> int:
        """Open a topic in a forum; return its thread id."""
        thread = self.room.last_id + 1
        self.room.topics[thread] = "open"
        created = {"forum_topic_created": {"name": name, "icon_color": 7322096}}
        self._cloud.hear(self.room, by, created | self.room.place(thread))
        return thread

    def close_topic(self, thread: int) -> None:
        """Close a topic: the bot cannot write there any more."""
        self.room.topics[thread] = "closed"

    def set_bot(self, standing: str, by: Json) -> None:
        """Make the bot "member", "administrator", "kicked" or "left", as `by` (a User) does."""
        self._cloud.move(self.room, by, standing)

    def migrate(self, by: Json) -> "Group":
        """Turn a basic group into a supergroup; return that. The old id is refused from here on."""
        old = self.room
        grown = new_group(self._cloud, SUPERGROUPS + old.id, str(old.shown["title"]), False)
        grown.room.members.update(old.members)
        grown.room.admins.update(old.admins)
        grown.room.standing = old.standing
        self._cloud.hear(old, by, {"migrate_to_chat_id": grown.id})
        self._cloud.hear(grown.room, by, {"migrate_from_chat_id": old.id})
        old.migrated_to = grown.id
        return grown
