"""The view: all that the page shows, as small JSON objects by a name each.

Names say what an object is: place/KEY, message/CHAT/ID, sign/CHAT, call/NUMBER,
job/NUMBER, line/NUMBER, trouble/NAME, bot, bench, menu. Files and the details of
calls are asked for apart.
"""

from collections.abc import Iterator
from typing import Any

from bot.sandbox.page import calls
from bot.sandbox.page.journal import Entry
from bot.sandbox.page.messages import shown
from bot.sandbox.page.scene import Scene

Item = tuple[str, Any]

#: in which a person's app may speak even where the bot has no menu for it
ENGLISH = "en"


def items(scene: Scene) -> dict[str, Any]:
    """Return everything that is to be seen at this moment."""
    parts = (_places, _messages, _signs, calls.items, _jobs, _lines, _troubles, _state)
    return {name: content for part in parts for name, content in part(scene)}


def _places(scene: Scene) -> Iterator[Item]:
    for order, place in enumerate(scene.places.values()):
        yield (
            f"place/{place.key}",
            {
                "key": place.key,
                "order": order,
                "chat": place.chat_id,
                "thread": place.thread or 0,
                "title": place.title,
                "kind": place.kind,
                "about": place.about,
                "speakers": [{"id": person.id, "name": person.user["first_name"]} for person in place.speakers],
            },
        )


def _messages(scene: Scene) -> Iterator[Item]:
    for chat_id in _chats(scene):
        for message in scene.telegram.messages(chat_id):
            yield f"message/{chat_id}/{message['message_id']}", shown(scene.telegram, chat_id, message)


def _signs(scene: Scene) -> Iterator[Item]:
    for chat_id in _chats(scene):
        for action in scene.telegram.actions(chat_id)[-1:]:
            content = {"chat": chat_id, "thread": action.thread or 0, "action": action.action, "at": action.at}
            yield f"sign/{chat_id}", content


def _chats(scene: Scene) -> list[int]:
    return list(dict.fromkeys(place.chat_id for place in scene.places.values()))


def _jobs(scene: Scene) -> Iterator[Item]:
    for number, entries in scene.journal.jobs.items():
        yield f"job/{number}", {"number": number, "steps": [_entry(entry) for entry in entries]}


def _lines(scene: Scene) -> Iterator[Item]:
    for number, entry in scene.journal.others:
        yield f"line/{number}", {"number": number} | _entry(entry)


def _entry(entry: Entry) -> dict[str, Any]:
    return {"at": entry.at, "level": entry.level, "text": entry.text}


def _troubles(scene: Scene) -> Iterator[Item]:
    for order, (trouble, is_on) in enumerate(scene.troubles):
        content = {"name": trouble.name, "side": trouble.side, "title": trouble.title, "about": trouble.about}
        yield f"trouble/{trouble.name}", content | {"order": order, "on": is_on}


def _state(scene: Scene) -> Iterator[Item]:
    yield "bot", {"life": scene.bot.life, "live": scene.is_live}
    menus = list(_menus(scene))
    yield "menu", {kind: commands for language, kind, commands in menus if language == _language(scene, menus)}
    yield (
        "bench",
        {
            "seconds": scene.seconds,
            "privacy": scene.telegram.cloud.privacy_mode,
            "language": scene.you.user["language_code"],
            "languages": sorted({ENGLISH} | {language for language, _, _ in menus if language}),
            "credits": None if scene.kie is None else scene.kie.credits,
        },
    )


def _language(scene: Scene, menus: list[tuple[str, str, Any]]) -> str:
    """The language of the menus that an app shows: the person's, or else the one for everybody."""
    own = str(scene.you.user["language_code"])
    return own if any(language == own for language, _, _ in menus) else ""


def _menus(scene: Scene) -> Iterator[tuple[str, str, Any]]:
    """The menus of commands that the bot has set: language, kind of chat, commands."""
    kinds = {"all_private_chats": "private", "all_group_chats": "group", "default": "default"}
    for key, commands in scene.telegram.cloud.profile.items():
        if key[0] == "commands":
            kind = next((kind for scope, kind in kinds.items() if f"'{scope}'" in key[1]), "")
            yield key[2], kind, commands
