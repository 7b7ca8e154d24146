"""The methods that a bot can call here, by their names in the Bot API."""

from collections.abc import Callable, Mapping

from bot.sandbox.telegram import account, editing, receiving, sending
from bot.sandbox.telegram.arguments import Arguments
from bot.sandbox.telegram.cloud import Cloud

Method = Callable[[Cloud, Arguments], object]

#: Every method but getUpdates, which waits and so is called on its own.
METHODS: Mapping[str, Method] = {
    "answerCallbackQuery": account.answer_callback_query,
    "deleteMessage": editing.delete_message,
    "deleteMessages": editing.delete_messages,
    "deleteMyCommands": account.delete_my_commands,
    "deleteWebhook": receiving.delete_webhook,
    "editMessageCaption": editing.edit_message_caption,
    "editMessageMedia": editing.edit_message_media,
    "editMessageReplyMarkup": editing.edit_message_reply_markup,
    "editMessageText": editing.edit_message_text,
    "getChat": account.get_chat,
    "getChatAdministrators": account.get_chat_administrators,
    "getChatMember": account.get_chat_member,
    "getFile": account.get_file,
    "getMe": account.get_me,
    "getMyCommands": account.get_my_commands,
    "getMyDescription": account.get_my_description,
    "getMyShortDescription": account.get_my_short_description,
    "getWebhookInfo": receiving.get_webhook_info,
    "sendChatAction": sending.send_chat_action,
    "sendDocument": sending.send_document,
    "sendMediaGroup": sending.send_media_group,
    "sendMessage": sending.send_message,
    "sendPhoto": sending.send_photo,
    "setMessageReaction": editing.set_message_reaction,
    "setMyCommands": account.set_my_commands,
    "setMyDescription": account.set_my_description,
    "setMyShortDescription": account.set_my_short_description,
    "setWebhook": receiving.set_webhook,
}

#: Methods that put messages into a chat and so count for flood control.
COUNTED = frozenset({"sendDocument", "sendMediaGroup", "sendMessage", "sendPhoto"})

#: Telegram takes method names in any case.
NAMES = {name.lower(): name for name in (*METHODS, "getUpdates")}


def execute(cloud: Cloud, name: str, arguments: Arguments) -> object:
    """Carry out a call and return its result; raise Refused as Telegram would."""
    if cloud.enforce_limits and name in COUNTED:
        cloud.floods.admit(arguments.number("chat_id") or 0, cloud.clock())
    return METHODS[name](cloud, arguments)
