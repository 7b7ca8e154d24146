"""Simulated users and groups: what they do in their apps reaches the bot as updates."""

import itertools
from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

from bot.sandbox.telegram import photo_sizes
from bot.sandbox.telegram.chats import ChatState, editable_content
from bot.sandbox.telegram.errors import JsonObject
from bot.sandbox.telegram.files import guess_mime_type, make_attachment
from bot.sandbox.telegram.message_content import find_button
from bot.sandbox.telegram.server_state import TelegramState
from bot.sandbox.telegram.text_entities import find_entities

#: ids below this are supergroups; negative ones above it are basic groups
SUPERGROUP_IDS_BELOW = -1_000_000_000_000


def create_group(state: TelegramState, chat_id: int, title: str, is_forum: bool) -> "Group":
    """Create a basic group or a supergroup, according to its id."""
    if chat_id >= 0:
        raise ValueError(f"the id of a group is negative, not {chat_id}")
    api_object: JsonObject = {
        "id": chat_id,
        "type": "supergroup" if chat_id < SUPERGROUP_IDS_BELOW else "group",
        "title": title,
    }
    state.chats[chat_id] = ChatState(api_object | ({"is_forum": True} if is_forum else {}))
    return Group(state, state.chats[chat_id])


class Group:
    """A group; people write in it with `person.send_...(chat=group)`."""

    def __init__(self, state: TelegramState, chat_state: ChatState) -> None:
        self._state = state
        self.chat = chat_state

    @property
    def id(self) -> int:
        """The chat's id."""
        return self.chat.id

    def join(self, user: JsonObject) -> None:
        """Make a user a member."""
        self.chat.members[user["id"]] = user

    def promote(self, user: JsonObject) -> None:
        self.chat.admins.add(user["id"])

    def demote(self, user: JsonObject) -> None:
        self.chat.admins.remove(user["id"])

    def open_topic(self, name: str, by: JsonObject) -> int:
        """Open a forum topic; return its thread id."""
        thread = self.chat.last_message_id + 1
        self.chat.topics[thread] = "open"
        created = {"forum_topic_created": {"name": name, "icon_color": 7322096}}
        self._state.receive_from_person(self.chat, by, created | self.chat.topic_fields(thread))
        return thread

    def close_topic(self, thread: int) -> None:
        """Close a topic, in which the bot then cannot write."""
        self.chat.topics[thread] = "closed"

    def set_bot_status(self, status: str, by: JsonObject) -> None:
        """Set the bot's status to "member", "administrator", "kicked" or "left", as the user `by` would."""
        self._state.set_bot_status(self.chat, by, status)

    def migrate(self, by: JsonObject) -> "Group":
        """Upgrade a basic group to a supergroup and return that; the old id is refused from now on."""
        old = self.chat
        grown = create_group(self._state, SUPERGROUP_IDS_BELOW + old.id, str(old.api_object["title"]), False)
        grown.chat.members.update(old.members)
        grown.chat.admins.update(old.admins)
        grown.chat.bot_status = old.bot_status
        self._state.receive_from_person(old, by, {"migrate_to_chat_id": grown.id})
        self._state.receive_from_person(grown.chat, by, {"migrate_from_chat_id": old.id})
        old.migrated_to = grown.id
        return grown


#: the User of anonymous administrators
ANONYMOUS_ADMIN: JsonObject = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}

#: the User of messages sent in the name of a channel
CHANNEL_USER: JsonObject = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}

_album_numbers = itertools.count(1)


class SendDestination(TypedDict, total=False):
    """Where a message goes; by default to the private chat with the bot."""

    chat: Group | None
    #: the forum topic
    thread: int | None
    #: the media_group_id of one more item of an album
    album: str | None
    #: as an anonymous administrator, in the name of the group
    anonymously: bool
    #: in the name of this channel (a Chat)
    channel: JsonObject | None


class SendDestinationAndReply(SendDestination, total=False):
    """A destination, and the message_id that is replied to."""

    reply_to: int | None


class Person:
    """A user with a Telegram app."""

    def __init__(self, state: TelegramState, user: JsonObject, chat_state: ChatState) -> None:
        self._state = state
        self._private_chat = chat_state
        #: the Bot API's User
        self.user = user

    @property
    def id(self) -> int:
        """The user's id, which is also the id of the private chat with the bot."""
        return int(self.user["id"])

    def send(self, content: JsonObject, **destination: Unpack[SendDestinationAndReply]) -> int:
        """Send a message with any content in the form of the Bot API; return the message_id."""
        chat_state = self._chat_state(destination.get("chat"))
        if chat_state.is_private and chat_state.bot_status == "kicked":
            raise ValueError(f"{self.user['first_name']} has blocked the bot and cannot write to it")
        album = destination.get("album")
        frame = chat_state.topic_fields(destination.get("thread")) | chat_state.reply_fields(
            destination.get("reply_to")
        )
        frame |= {} if album is None else {"media_group_id": album}
        sender, channel = self.user, destination.get("channel")
        if destination.get("anonymously"):
            sender, frame = ANONYMOUS_ADMIN, frame | {"sender_chat": chat_state.api_object}
        elif channel is not None:
            sender, frame = CHANNEL_USER, frame | {"sender_chat": channel}
        return int(self._state.receive_from_person(chat_state, sender, frame | content)["message_id"])

    def send_text(self, text: str, reply_to: int | None = None, **destination: Unpack[SendDestination]) -> int:
        """Send a text; return the message_id."""
        return self.send(_text_content(text), reply_to=reply_to, **destination)

    def send_photo(
        self,
        data: bytes,
        caption: str | None = None,
        recompress: bool = True,
        **destination: Unpack[SendDestinationAndReply],
    ) -> int:
        """Send a photo; return the message_id.

        Apps recompress photos: upright, longest edge 1280 pixels, JPEG without
        metadata. Without `recompress` the bytes stay as they are.
        """
        versions = photo_sizes.compress_photo(data) if recompress else photo_sizes.keep_photo(data)
        return self.send({"photo": self._state.files.add_photo(versions)} | _caption_content(caption), **destination)

    def send_document(
        self,
        data: bytes,
        file_name: str | None = None,
        mime_type: str | None = None,
        caption: str | None = None,
        **destination: Unpack[SendDestinationAndReply],
    ) -> int:
        """Send a file, byte for byte; return the message_id. By default the MIME type is guessed from the name."""
        claimed = mime_type or guess_mime_type(file_name)
        document = self._state.files.add("document", data, file_name, mime_type=claimed)
        return self.send({"document": document} | _caption_content(caption), **destination)

    def send_album(
        self,
        items: Sequence[bytes],
        captions: Mapping[int, str] | None = None,
        as_documents: bool = False,
        **destination: Unpack[SendDestinationAndReply],
    ) -> list[int]:
        """Send pictures as one album, with captions by position from 0; return the message_ids."""
        captions = captions or {}
        shared_fields: SendDestinationAndReply = {"album": f"2{next(_album_numbers):016d}"}
        shared_fields |= destination
        if as_documents:
            return [
                self.send_document(item, f"picture{position}.jpg", caption=captions.get(position), **shared_fields)
                for position, item in enumerate(items)
            ]
        return [self.send_photo(item, captions.get(position), **shared_fields) for position, item in enumerate(items)]

    def send_attachment(
        self,
        kind: str,
        data: bytes = b"no picture",
        caption: str | None = None,
        **destination: Unpack[SendDestinationAndReply],
    ) -> int:
        """Send an attachment of one of ATTACHMENT_KINDS; return the message_id. Raises KeyError for another kind."""
        chat_state = self._chat_state(destination.get("chat"))
        return self.send(
            make_attachment(self._state.files, kind, data, chat_state.api_object) | _caption_content(caption),
            **destination,
        )

    def edit_text(self, message_id: int, text: str, chat: Group | None = None) -> None:
        """Edit a sent text."""
        chat_state = self._chat_state(chat)
        self._state.edit_by_person(chat_state, chat_state.messages[message_id], _text_content(text))

    def edit_caption(self, message_id: int, caption: str, chat: Group | None = None) -> None:
        """Edit the caption of a sent picture; an empty one removes it."""
        chat_state = self._chat_state(chat)
        message = chat_state.messages[message_id]
        kept = {
            name: value
            for name, value in editable_content(message).items()
            if name not in {"caption", "caption_entities"}
        }
        self._state.edit_by_person(chat_state, message, kept | _caption_content(caption))

    def delete(self, message_id: int, chat: Group | None = None) -> None:
        """Delete a message for everybody; Telegram sends bots no update about it."""
        del self._chat_state(chat).messages[message_id]
        self._state.changes.notify()

    def press_button(self, message_id: int, label_or_data: str, chat: Group | None = None) -> str:
        """Press a button, given its label or data (on a deleted message: its data); return the callback query's id.

        Raises LookupError when the message has no such button.
        """
        message = self._chat_state(chat).messages.get(message_id)
        data = label_or_data if message is None else find_button(message, label_or_data)["callback_data"]
        return self.press_with_data(message_id, data, chat)

    def press_with_data(self, message_id: int, data: str, chat: Group | None = None) -> str:
        """Send a callback query with any data, as a modified client can; return its id.

        Telegram does not check whether the message has such a button.
        """
        chat_state = self._chat_state(chat)
        message = chat_state.messages.get(message_id)
        gone: JsonObject = {"chat": chat_state.api_object, "message_id": message_id, "date": 0}
        query_id = f"9{len(self._state.callback_answers) + 1:017d}"
        self._state.callback_answers[query_id] = None
        query = {"id": query_id, "from": self.user, "message": message or gone, "chat_instance": f"{chat_state.id}"}
        self._state.updates.offer("callback_query", query | {"data": data})
        return query_id

    def callback_answer(self, query_id: str) -> JsonObject | None:
        """Return the parameters of answerCallbackQuery, None before it was called."""
        return self._state.callback_answers[query_id]

    def block(self) -> None:
        """Block the bot, which then cannot write to this user."""
        self._state.set_bot_status(self._private_chat, self.user, "kicked")

    def unblock(self) -> None:
        """Unblock the bot."""
        self._state.set_bot_status(self._private_chat, self.user, "member")

    def _chat_state(self, chat: Group | None) -> ChatState:
        return self._private_chat if chat is None else chat.chat


def _text_content(text: str) -> JsonObject:
    entities = find_entities(text)
    return {"text": text} | ({"entities": entities} if entities else {})


def _caption_content(caption: str | None) -> JsonObject:
    if not caption:
        return {}
    entities = find_entities(caption)
    return {"caption": caption} | ({"caption_entities": entities} if entities else {})
