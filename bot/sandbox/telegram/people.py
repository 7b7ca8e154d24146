"""People: what somebody does in an app, and the update that the bot gets from it."""

import itertools
from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

from bot.sandbox.telegram import pictures
from bot.sandbox.telegram.attachments import attachment
from bot.sandbox.telegram.chats import Chat, content_of
from bot.sandbox.telegram.cloud import Cloud
from bot.sandbox.telegram.files import mime_of
from bot.sandbox.telegram.groups import Group
from bot.sandbox.telegram.markup import pressed
from bot.sandbox.telegram.refusals import Json
from bot.sandbox.telegram.words import entities_in

#: The User that stands for every anonymous administrator.
ANONYMOUS: Json = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}

#: The User that stands for everybody who writes in a channel's name.
CHANNEL: Json = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}

_albums = itertools.count(1)


class Place(TypedDict, total=False):
    """Where a message goes; by default into the person's private chat with the bot."""

    chat: Group | None
    #: the topic of a forum
    thread: int | None
    #: the media_group_id, to send one more item of an album
    album: str | None
    #: as an administrator who remains anonymous: the group itself seems to speak
    anonymously: bool
    #: in the name of a channel of theirs, as the Bot API shows it as a Chat
    channel: Json | None


class Where(Place, total=False):
    """A place, and the message_id there that it replies to."""

    reply_to: int | None


class Person:
    """Somebody with a Telegram app; every method returns once the server has it."""

    def __init__(self, cloud: Cloud, user: Json, room: Chat) -> None:
        self._cloud = cloud
        self._room = room
        #: the person as the Bot API shows a User
        self.user = user

    @property
    def id(self) -> int:
        """The person's id, which is also the id of the private chat with the bot."""
        return int(self.user["id"])

    def send(self, content: Json, **where: Unpack[Where]) -> int:
        """Send any content, as the Bot API would show it; return the message_id."""
        room = self._room_of(where.get("chat"))
        if room.is_private and room.standing == "kicked":
            raise ValueError(f"{self.user['first_name']} has blocked the bot and cannot write to it")
        album = where.get("album")
        frame = room.place(where.get("thread")) | room.quoted(where.get("reply_to"))
        frame |= {} if album is None else {"media_group_id": album}
        sender, channel = self.user, where.get("channel")
        if where.get("anonymously"):
            sender, frame = ANONYMOUS, frame | {"sender_chat": room.shown}
        elif channel is not None:
            sender, frame = CHANNEL, frame | {"sender_chat": channel}
        return int(self._cloud.hear(room, sender, frame | content)["message_id"])

    def send_text(self, text: str, reply_to: int | None = None, **place: Unpack[Place]) -> int:
        """Send a text; return the message_id."""
        return self.send(_text(text), reply_to=reply_to, **place)

    def send_photo(
        self,
        data: bytes,
        caption: str | None = None,
        as_the_client_does: bool = True,
        **where: Unpack[Where],
    ) -> int:
        """Send a photo; return the message_id.

        Apps recompress photos: upright, longest edge 1280 pixels, JPEG without
        metadata. Without `as_the_client_does` the bytes stay as they are.
        """
        versions = pictures.shrunk(data) if as_the_client_does else pictures.untouched(data)
        return self.send({"photo": self._cloud.files.add_photo(versions)} | _caption(caption), **where)

    def send_document(
        self,
        data: bytes,
        file_name: str | None = None,
        mime_type: str | None = None,
        caption: str | None = None,
        **where: Unpack[Where],
    ) -> int:
        """Send a file, byte for byte; return the message_id.

        The type is guessed from the name, as apps do, unless `mime_type` claims one.
        """
        claimed = mime_type or mime_of(file_name)
        document = self._cloud.files.add("document", data, file_name, mime_type=claimed)
        return self.send({"document": document} | _caption(caption), **where)

    def send_album(
        self,
        items: Sequence[bytes],
        captions: Mapping[int, str] | None = None,
        as_documents: bool = False,
        **where: Unpack[Where],
    ) -> list[int]:
        """Send several pictures as one album; return their message_ids.

        `captions` are by position, counted from 0.
        """
        words = captions or {}
        together: Where = {"album": f"2{next(_albums):016d}"}
        together |= where
        if as_documents:
            return [
                self.send_document(item, f"picture{position}.jpg", caption=words.get(position), **together)
                for position, item in enumerate(items)
            ]
        return [self.send_photo(item, words.get(position), **together) for position, item in enumerate(items)]

    def send_other(
        self, kind: str, data: bytes = b"no picture", caption: str | None = None, **where: Unpack[Where]
    ) -> int:
        """Send a video, voice, sticker, animation, location and the like; return the message_id.

        Raises KeyError for a kind that is not in `attachments.KINDS`.
        """
        room = self._room_of(where.get("chat"))
        return self.send(attachment(self._cloud.files, kind, data, room.shown) | _caption(caption), **where)

    def edit_text(self, message_id: int, text: str, chat: Group | None = None) -> None:
        """Change a text that was sent."""
        room = self._room_of(chat)
        self._cloud.rephrase(room, room.messages[message_id], _text(text))

    def edit_caption(self, message_id: int, caption: str, chat: Group | None = None) -> None:
        """Change the caption of a picture that was sent; an empty one removes it."""
        room = self._room_of(chat)
        message = room.messages[message_id]
        kept = {
            name: value for name, value in content_of(message).items() if name not in {"caption", "caption_entities"}
        }
        self._cloud.rephrase(room, message, kept | _caption(caption))

    def delete(self, message_id: int, chat: Group | None = None) -> None:
        """Delete a message for everybody; Telegram tells bots nothing about it."""
        del self._room_of(chat).messages[message_id]
        self._cloud.changes.notify()

    def press(self, message_id: int, label_or_data: str, chat: Group | None = None) -> str:
        """Press a button, named by its label or its data; return the callback query's id.

        Raises LookupError when the message has no such button. On a message that
        was deleted meanwhile `label_or_data` is the data.
        """
        message = self._room_of(chat).messages.get(message_id)
        data = label_or_data if message is None else pressed(message, label_or_data)["callback_data"]
        return self.press_made_up(message_id, data, chat)

    def press_made_up(self, message_id: int, data: str, chat: Group | None = None) -> str:
        """Press with any data on any message, as a client of one's own can; return the callback query's id.

        Telegram hands it on as it is, whether or not the message has such a button.
        """
        room = self._room_of(chat)
        message = room.messages.get(message_id)
        gone: Json = {"chat": room.shown, "message_id": message_id, "date": 0}
        query_id = f"9{len(self._cloud.presses) + 1:017d}"
        self._cloud.presses[query_id] = None
        query = {"id": query_id, "from": self.user, "message": message or gone, "chat_instance": f"{room.id}"}
        self._cloud.updates.offer("callback_query", query | {"data": data})
        return query_id

    def answer_to(self, query_id: str) -> Json | None:
        """Return what answerCallbackQuery said to a press, None while it said nothing."""
        return self._cloud.presses[query_id]

    def block(self) -> None:
        """Block the bot: it cannot write to this person any more."""
        self._cloud.move(self._room, self.user, "kicked")

    def unblock(self) -> None:
        """Let the bot write again."""
        self._cloud.move(self._room, self.user, "member")

    def _room_of(self, chat: Group | None) -> Chat:
        return self._room if chat is None else chat.room


def _text(text: str) -> Json:
    entities = entities_in(text)
    return {"text": text} | ({"entities": entities} if entities else {})


def _caption(caption: str | None) -> Json:
    if not caption:
        return {}
    entities = entities_in(caption)
    return {"caption": caption} | ({"caption_entities": entities} if entities else {})
