"""Gestures: what people do in the chats of the page, with what an app would not let them do."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bot.sandbox.telegram.people_and_groups import Person, SendDestinationAndReply
from bot.sandbox.web.session import Conversation, SandboxSession

#: the most pictures of an album
MAX_ALBUM_PICTURES = 10
#: how long the bot may take to answer a press, in seconds
CALLBACK_ANSWER_SECONDS = 15.0


class ActionImpossible(Exception):
    """What an app would not let anybody do; the text says why."""


@dataclass(frozen=True)
class ComposedMessage:
    """What is to be sent: pictures with names, or only words."""

    conversation: str
    speaker: int
    text: str = ""
    reply_to: int | None = None
    as_files: bool = False
    pictures: tuple[tuple[str, bytes], ...] = ()


async def send_message(scene: SandboxSession, draft: ComposedMessage) -> None:
    """Send a draft; raises `Impossible`."""
    place, person = _find_speaker(scene, draft.conversation, draft.speaker)
    where: SendDestinationAndReply = {"chat": place.group, "thread": place.thread, "reply_to": draft.reply_to}
    try:
        _send_as(person, draft, where)
    except (OSError, SyntaxError) as error:
        raise ActionImpossible("This is no picture that an app could send as a photo: send it as a file.") from error
    except ValueError as error:
        raise ActionImpossible(str(error)) from error


def _send_as(person: Person, draft: ComposedMessage, where: SendDestinationAndReply) -> None:
    if len(draft.pictures) > MAX_ALBUM_PICTURES:
        raise ActionImpossible(f"An album has at most {MAX_ALBUM_PICTURES} pictures.")
    if not draft.pictures:
        if not draft.text.strip():
            raise ActionImpossible("There is nothing to send.")
        person.send_text(draft.text, **where)
    elif draft.as_files:
        _send_files(person, draft, where)
    elif len(draft.pictures) > 1:
        person.send_album([data for _, data in draft.pictures], {0: draft.text}, **where)
    else:
        person.send_photo(draft.pictures[0][1], draft.text, **where)


def _send_files(person: Person, draft: ComposedMessage, where: SendDestinationAndReply) -> None:
    if len(draft.pictures) > 1:
        where["album"] = f"3{secrets.randbelow(10**16):016d}"
    for position, (name, data) in enumerate(draft.pictures):
        person.send_document(data, name, caption=draft.text if position == 0 else None, **where)


async def edit_message(scene: SandboxSession, wanted: dict[str, Any]) -> None:
    """Change the words of a message that was sent; raises `Impossible`."""
    place, person = _find_speaker(scene, str(wanted["place"]), int(wanted["speaker"]))
    text = str(wanted["text"])
    message = scene.telegram.state.chats[place.chat_id].messages.get(int(wanted["message"]))
    if message is None or message["from"]["id"] != person.id:
        raise ActionImpossible("Only one's own messages can be edited.")
    if "text" not in message:
        person.edit_caption(message["message_id"], text, place.group)
    elif text.strip():
        person.edit_text(message["message_id"], text, place.group)
    else:
        raise ActionImpossible("A message cannot become empty.")


async def press_button(scene: SandboxSession, wanted: dict[str, Any]) -> dict[str, Any]:
    """Press a button and return what the bot says to it; raises `Impossible`."""
    place, person = _find_speaker(scene, str(wanted["place"]), int(wanted["speaker"]))
    try:
        query = person.press_button(int(wanted["message"]), str(wanted["label"]), place.group)
    except LookupError as error:
        raise ActionImpossible("This button is gone.") from error
    try:
        await scene.telegram.wait_for(
            lambda _: person.callback_answer(query) is not None or None, CALLBACK_ANSWER_SECONDS
        )
    except TimeoutError as error:
        raise ActionImpossible("The bot has not answered the press yet.") from error
    answer = person.callback_answer(query) or {}  # most of them have no text
    return {"toast": answer.get("text", ""), "alert": bool(answer.get("show_alert"))}


def _find_speaker(scene: SandboxSession, key: str, speaker: int) -> tuple[Conversation, Person]:
    place = scene.conversations.get(key)
    person = next((each for each in (place.speakers if place else ()) if each.id == speaker), None)
    if place is None or person is None:
        raise ActionImpossible("Nobody can do this here.")
    return place, person


WorkbenchAction = Callable[[SandboxSession, dict[str, Any]], Awaitable[None]]

#: the longest time that an edit can be made to take, in seconds
MAX_TASK_SECONDS = 120.0


async def kill(scene: SandboxSession, _: dict[str, Any]) -> None:
    """kill -9."""
    await scene.bot.kill()
    scene.bot_log.add_entry("the bot was killed (kill -9)", "WARNING")


async def start(scene: SandboxSession, _: dict[str, Any]) -> None:
    """Start the bot again, on the database that it left."""
    await scene.bot.start()


async def restart(scene: SandboxSession, _: dict[str, Any]) -> None:
    """SIGTERM, and another start."""
    await scene.bot.restart()


async def trouble(scene: SandboxSession, wanted: dict[str, Any]) -> None:
    """Switch a trouble on or off."""
    scene.fault_switches.switch(str(wanted["name"]), on=wanted["on"] is True)


async def adjust(scene: SandboxSession, wanted: dict[str, Any]) -> None:
    """Set how long edits take (seconds), Group Privacy, and the language of your app."""
    if "seconds" in wanted:
        scene.seconds = min(max(float(wanted["seconds"]), 0.0), MAX_TASK_SECONDS)
    if "privacy" in wanted:
        scene.telegram.state.privacy_mode = wanted["privacy"] is True
    if "language" in wanted:
        scene.default_person.user["language_code"] = str(wanted["language"])[:10]


async def forge(scene: SandboxSession, _: dict[str, Any]) -> None:
    """Call the bot back as Kie would about the latest order, with a success that is none."""
    if scene.kie is None:
        raise ActionImpossible("With the real Kie nothing can be forged.")
    task = next((task for task in reversed(scene.kie.tasks.values()) if task.call_back_url), None)
    if task is None:
        raise ActionImpossible("Order an edit first: there is no callback address yet.")
    body = {"code": 200, "msg": "Playground task completed successfully.", "data": {"taskId": "0" * 32}}
    status = await scene.kie.send_callback(task.call_back_url or "", body)
    scene.bot_log.add_entry(f"a forged callback was answered with HTTP {status}")


#: by the names that the page uses
WORKBENCH_ACTIONS: dict[str, WorkbenchAction] = {
    each.__name__: each for each in (kill, start, restart, trouble, adjust, forge)
}
