"""Gestures: what people do in the chats of the page, with what an app would not let them do."""

import secrets
from dataclasses import dataclass
from typing import Any

from bot.sandbox.page.cast import Place
from bot.sandbox.page.scene import Scene
from bot.sandbox.telegram.people import Person, Where

#: the most pictures of an album
ALBUM = 10
#: how long the bot may take to answer a press, in seconds
TOAST_SECONDS = 15.0


class Impossible(Exception):
    """What an app would not let anybody do; the text says why."""


@dataclass(frozen=True)
class Draft:
    """What is to be sent: pictures with names, or only words."""

    place: str
    speaker: int
    text: str = ""
    reply_to: int | None = None
    as_files: bool = False
    pictures: tuple[tuple[str, bytes], ...] = ()


async def send(scene: Scene, draft: Draft) -> None:
    """Send a draft; raises `Impossible`."""
    place, person = _who(scene, draft.place, draft.speaker)
    where: Where = {"chat": place.group, "thread": place.thread, "reply_to": draft.reply_to}
    try:
        _send(person, draft, where)
    except (OSError, SyntaxError) as error:
        raise Impossible("This is no picture that an app could send as a photo: send it as a file.") from error
    except ValueError as error:
        raise Impossible(str(error)) from error


def _send(person: Person, draft: Draft, where: Where) -> None:
    if len(draft.pictures) > ALBUM:
        raise Impossible(f"An album has at most {ALBUM} pictures.")
    if not draft.pictures:
        if not draft.text.strip():
            raise Impossible("There is nothing to send.")
        person.send_text(draft.text, **where)
    elif draft.as_files:
        _send_files(person, draft, where)
    elif len(draft.pictures) > 1:
        person.send_album([data for _, data in draft.pictures], {0: draft.text}, **where)
    else:
        person.send_photo(draft.pictures[0][1], draft.text, **where)


def _send_files(person: Person, draft: Draft, where: Where) -> None:
    if len(draft.pictures) > 1:
        where["album"] = f"3{secrets.randbelow(10**16):016d}"
    for position, (name, data) in enumerate(draft.pictures):
        person.send_document(data, name, caption=draft.text if position == 0 else None, **where)


async def edit(scene: Scene, wanted: dict[str, Any]) -> None:
    """Change the words of a message that was sent; raises `Impossible`."""
    place, person = _who(scene, str(wanted["place"]), int(wanted["speaker"]))
    text = str(wanted["text"])
    message = scene.telegram.cloud.chats[place.chat_id].messages.get(int(wanted["message"]))
    if message is None or message["from"]["id"] != person.id:
        raise Impossible("Only one's own messages can be edited.")
    if "text" not in message:
        person.edit_caption(message["message_id"], text, place.group)
    elif text.strip():
        person.edit_text(message["message_id"], text, place.group)
    else:
        raise Impossible("A message cannot become empty.")


async def press(scene: Scene, wanted: dict[str, Any]) -> dict[str, Any]:
    """Press a button and return what the bot says to it; raises `Impossible`."""
    place, person = _who(scene, str(wanted["place"]), int(wanted["speaker"]))
    try:
        query = person.press(int(wanted["message"]), str(wanted["label"]), place.group)
    except LookupError as error:
        raise Impossible("This button is gone.") from error
    try:
        await scene.telegram.wait_for(lambda _: person.answer_to(query) is not None or None, TOAST_SECONDS)
    except TimeoutError as error:
        raise Impossible("The bot has not answered the press yet.") from error
    answer = person.answer_to(query) or {}  # most of them have no text
    return {"toast": answer.get("text", ""), "alert": bool(answer.get("show_alert"))}


def _who(scene: Scene, key: str, speaker: int) -> tuple[Place, Person]:
    place = scene.places.get(key)
    person = next((each for each in (place.speakers if place else ()) if each.id == speaker), None)
    if place is None or person is None:
        raise Impossible("Nobody can do this here.")
    return place, person
