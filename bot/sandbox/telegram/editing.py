"""What the bot can do to messages that exist: edit, delete, react."""

from bot.sandbox.telegram.arguments import Arguments
from bot.sandbox.telegram.chats import Chat, content_of
from bot.sandbox.telegram.cloud import Cloud
from bot.sandbox.telegram.contents import caption_of, text_of
from bot.sandbox.telegram.markup import keyboard
from bot.sandbox.telegram.refusals import Json, bad
from bot.sandbox.telegram.sending import media_item

_EMOJI = (
    "❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 "
    "❤\u200d🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨\u200d💻 👀 🎃 🙈 "
    "😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷\u200d♂ 🤷 🤷\u200d♀ "
    "😡 "
)
#: The emoji that anybody can react with (Bot API 10.0, ReactionTypeEmoji).
REACTIONS = frozenset(_EMOJI.split())
#: How many messages deleteMessages takes at once.
DELETIONS = range(1, 101)
#: A bot cannot delete messages older than this, in seconds.
DELETABLE = 48 * 3600
_SAME = (
    "message is not modified: specified new message content and reply markup are exactly the same"
    " as a current content and reply markup of the message"
)


def edit_message_text(cloud: Cloud, arguments: Arguments) -> Json:
    """editMessageText."""
    chat, message = _mine(cloud, arguments)
    if "text" not in message:
        raise bad("there is no text in the message to edit")
    return _replace(cloud, chat, message, text_of(arguments) | keyboard(arguments))


def edit_message_caption(cloud: Cloud, arguments: Arguments) -> Json:
    """editMessageCaption."""
    chat, message = _mine(cloud, arguments)
    if "text" in message:
        raise bad("there is no caption in the message to edit")
    media = {name: message[name] for name in ("photo", "document") if name in message}
    return _replace(cloud, chat, message, media | caption_of(arguments.params) | keyboard(arguments))


def edit_message_media(cloud: Cloud, arguments: Arguments) -> Json:
    """editMessageMedia; a text message becomes the picture."""
    chat, message = _mine(cloud, arguments)
    item = arguments.mapping("media")
    return _replace(cloud, chat, message, media_item(cloud, arguments, item) | keyboard(arguments))


def edit_message_reply_markup(cloud: Cloud, arguments: Arguments) -> Json:
    """editMessageReplyMarkup."""
    chat, message = _mine(cloud, arguments)
    content = content_of(message)
    content.pop("reply_markup", None)
    return _replace(cloud, chat, message, content | keyboard(arguments))


def delete_message(cloud: Cloud, arguments: Arguments) -> bool:
    """deleteMessage."""
    chat = cloud.chat(arguments)
    message = chat.messages.get(arguments.number("message_id") or 0)
    if message is None:
        raise bad("message to delete not found")
    if not _may_delete(cloud, chat, message):
        raise bad("message can't be deleted")
    return _delete(cloud, chat, [message])


def delete_messages(cloud: Cloud, arguments: Arguments) -> bool:
    """deleteMessages; what is not there is skipped."""
    chat = cloud.chat(arguments)
    ids = arguments.listing("message_ids")
    if len(ids) not in DELETIONS:
        raise bad("message identifiers must be 1 to 100")
    found = [chat.messages[one] for one in ids if one in chat.messages]
    return _delete(cloud, chat, [message for message in found if _may_delete(cloud, chat, message)])


def set_message_reaction(cloud: Cloud, arguments: Arguments) -> bool:
    """setMessageReaction; a bot has one reaction per message."""
    chat = cloud.chat(arguments)
    message_id = arguments.number("message_id") or 0
    if message_id not in chat.messages:
        raise bad("message to react not found")
    reactions = arguments.listing("reaction")
    if len(reactions) > 1:
        raise bad("REACTIONS_TOO_MANY")
    if any(one.get("emoji") not in REACTIONS for one in reactions):
        raise bad("REACTION_INVALID")
    chat.reactions[message_id] = reactions
    cloud.changes.notify()
    return True


def _mine(cloud: Cloud, arguments: Arguments) -> tuple[Chat, Json]:
    chat = cloud.chat(arguments)
    message = chat.messages.get(arguments.number("message_id") or 0)
    if message is None:
        raise bad("message to edit not found")
    if not cloud.is_mine(message):
        raise bad("message can't be edited")
    return chat, message


def _replace(cloud: Cloud, chat: Chat, message: Json, content: Json) -> Json:
    if content == content_of(message):
        raise bad(_SAME)
    edited = chat.replace(message, content, cloud.date)
    cloud.changes.notify()
    return edited


def _may_delete(cloud: Cloud, chat: Chat, message: Json) -> bool:
    if cloud.clock() - message["date"] > DELETABLE:
        return False
    return cloud.is_mine(message) or chat.is_private or chat.standing == "administrator"


def _delete(cloud: Cloud, chat: Chat, messages: list[Json]) -> bool:
    for message in messages:
        del chat.messages[message["message_id"]]
    cloud.changes.notify()
    return True
