"""What the page can do: actions of people in the chats, within the limits of Telegram's apps, and the workbench's."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bot.sandbox.telegram.people_and_groups import Person, SendDestinationAndReply
from bot.sandbox.web.session import Conversation, SandboxSession

MAX_ALBUM_PICTURES = 10
#: seconds that the bot may take to answer a button press
CALLBACK_ANSWER_SECONDS = 15.0
#: the longest duration of an edit that can be set, in seconds
MAX_TASK_SECONDS = 120.0


class ActionImpossible(Exception):
    """An app would not allow this; the text says why."""


@dataclass(frozen=True)
class ComposedMessage:
    """A message to send: a text, or pictures (name and content) with a caption."""

    conversation: str
    speaker: int
    text: str = ""
    reply_to: int | None = None
    as_files: bool = False
    pictures: tuple[tuple[str, bytes], ...] = ()


async def send_message(session: SandboxSession, message: ComposedMessage) -> None:
    """Send a composed message; raises `ActionImpossible`."""
    conversation, person = _find_speaker(session, message.conversation, message.speaker)
    destination: SendDestinationAndReply = {
        "chat": conversation.group,
        "thread": conversation.thread,
        "reply_to": message.reply_to,
    }
    try:
        _send_as(person, message, destination)
    except (OSError, SyntaxError) as error:
        raise ActionImpossible("This is no picture that an app could send as a photo: send it as a file.") from error
    except ValueError as error:
        raise ActionImpossible(str(error)) from error


def _send_as(person: Person, message: ComposedMessage, destination: SendDestinationAndReply) -> None:
    if len(message.pictures) > MAX_ALBUM_PICTURES:
        raise ActionImpossible(f"An album has at most {MAX_ALBUM_PICTURES} pictures.")
    if not message.pictures:
        if not message.text.strip():
            raise ActionImpossible("There is nothing to send.")
        person.send_text(message.text, **destination)
    elif message.as_files:
        if len(message.pictures) > 1:
            destination["album"] = f"3{secrets.randbelow(10**16):016d}"
        for position, (name, data) in enumerate(message.pictures):
            person.send_document(data, name, caption=message.text if position == 0 else None, **destination)
    elif len(message.pictures) > 1:
        person.send_album([data for _, data in message.pictures], {0: message.text}, **destination)
    else:
        person.send_photo(message.pictures[0][1], message.text, **destination)


async def edit_message(session: SandboxSession, params: dict[str, Any]) -> None:
    """Edit the text or caption of a sent message; raises `ActionImpossible`."""
    conversation, person = _find_speaker(session, str(params["conversation"]), int(params["speaker"]))
    text = str(params["text"])
    message = session.telegram.state.chats[conversation.chat_id].messages.get(int(params["message"]))
    if message is None or message["from"]["id"] != person.id:
        raise ActionImpossible("Only one's own messages can be edited.")
    if "text" not in message:
        person.edit_caption(message["message_id"], text, conversation.group)
    elif text.strip():
        person.edit_text(message["message_id"], text, conversation.group)
    else:
        raise ActionImpossible("A message cannot become empty.")


async def press_button(session: SandboxSession, params: dict[str, Any]) -> dict[str, Any]:
    """Press a button and return the bot's callback answer; raises `ActionImpossible`."""
    conversation, person = _find_speaker(session, str(params["conversation"]), int(params["speaker"]))
    try:
        query = person.press_button(int(params["message"]), str(params["label"]), conversation.group)
    except LookupError as error:
        raise ActionImpossible("This button is gone.") from error
    try:
        await session.telegram.wait_for(
            lambda _: person.callback_answer(query) is not None or None, CALLBACK_ANSWER_SECONDS
        )
    except TimeoutError as error:
        raise ActionImpossible("The bot has not answered the button press yet.") from error
    answer = person.callback_answer(query) or {}  # most answers have no text
    return {"answer": answer.get("text", ""), "show_alert": bool(answer.get("show_alert"))}


def _find_speaker(session: SandboxSession, key: str, speaker: int) -> tuple[Conversation, Person]:
    conversation = session.conversations.get(key)
    speakers = conversation.speakers if conversation else ()
    person = next((each for each in speakers if each.id == speaker), None)
    if conversation is None or person is None:
        raise ActionImpossible("Nobody can do this here.")
    return conversation, person


WorkbenchAction = Callable[[SandboxSession, dict[str, Any]], Awaitable[None]]


async def kill(session: SandboxSession, _: dict[str, Any]) -> None:
    """Kill the bot with SIGKILL."""
    await session.bot.kill()
    session.bot_log.add_entry("the bot was killed (kill -9)", "WARNING")


async def start(session: SandboxSession, _: dict[str, Any]) -> None:
    """Start the bot again, with its previous database."""
    await session.bot.start()


async def restart(session: SandboxSession, _: dict[str, Any]) -> None:
    """Stop the bot with SIGTERM and start it again."""
    await session.bot.restart()


async def fault(session: SandboxSession, params: dict[str, Any]) -> None:
    """Switch a fault on or off."""
    session.fault_switches.switch(str(params["name"]), on=params["on"] is True)


async def adjust(session: SandboxSession, params: dict[str, Any]) -> None:
    """Set the duration of edits (seconds), Group Privacy, or the language of the default person's app."""
    if "seconds" in params:
        session.seconds = min(max(float(params["seconds"]), 0.0), MAX_TASK_SECONDS)
    if "privacy" in params:
        session.telegram.state.privacy_mode = params["privacy"] is True
    if "language" in params:
        session.default_person.user["language_code"] = str(params["language"])[:10]


async def forge(session: SandboxSession, _: dict[str, Any]) -> None:
    """Send a forged success to the callback URL of the latest order."""
    if session.kie is None:
        raise ActionImpossible("With the real Kie nothing can be forged.")
    task = next((task for task in reversed(session.kie.tasks.values()) if task.call_back_url), None)
    if task is None:
        raise ActionImpossible("Order an edit first: there is no callback URL yet.")
    body = {"code": 200, "msg": "Playground task completed successfully.", "data": {"taskId": "0" * 32}}
    status = await session.kie.send_callback(task.call_back_url or "", body)
    session.bot_log.add_entry(f"a forged callback was answered with HTTP {status}")


#: by their names in the page's requests
WORKBENCH_ACTIONS: dict[str, WorkbenchAction] = {
    each.__name__: each for each in (kill, start, restart, fault, adjust, forge)
}
