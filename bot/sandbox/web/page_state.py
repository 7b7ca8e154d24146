"""The view: all that the page shows, as small JSON objects by a name each.

Names say what an object is: place/KEY, message/CHAT/ID, sign/CHAT, call/NUMBER,
job/NUMBER, line/NUMBER, trouble/NAME, bot, bench, menu. Files and the details of
calls are asked for apart.
"""

import json
from collections.abc import Iterator
from typing import Any

from bot.sandbox.bot_process import BotLogEntry
from bot.sandbox.fault_injection import FaultKind
from bot.sandbox.kie.recorded_calls import KieCall
from bot.sandbox.telegram.bot_api_server import TelegramCall
from bot.sandbox.telegram.errors import JsonObject
from bot.sandbox.telegram.local_telegram import LocalTelegram
from bot.sandbox.web.session import SandboxSession

PageItem = tuple[str, Any]

#: in which a person's app may speak even where the bot has no menu for it
ENGLISH = "en"


def page_items(scene: SandboxSession) -> dict[str, Any]:
    """Return everything that is to be seen at this moment."""
    parts = (
        _conversation_items,
        _message_items,
        _chat_action_items,
        call_items,
        _job_items,
        _log_line_items,
        _fault_switch_items,
        _state_items,
    )
    return {name: content for part in parts for name, content in part(scene)}


def _conversation_items(scene: SandboxSession) -> Iterator[PageItem]:
    for order, place in enumerate(scene.conversations.values()):
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


def _message_items(scene: SandboxSession) -> Iterator[PageItem]:
    for chat_id in _chat_ids(scene):
        for message in scene.telegram.messages(chat_id):
            yield f"message/{chat_id}/{message['message_id']}", message_item(scene.telegram, chat_id, message)


def _chat_action_items(scene: SandboxSession) -> Iterator[PageItem]:
    for chat_id in _chat_ids(scene):
        for action in scene.telegram.actions(chat_id)[-1:]:
            content = {"chat": chat_id, "thread": action.thread or 0, "action": action.action, "at": action.at}
            yield f"sign/{chat_id}", content


def _chat_ids(scene: SandboxSession) -> list[int]:
    return list(dict.fromkeys(place.chat_id for place in scene.conversations.values()))


def _job_items(scene: SandboxSession) -> Iterator[PageItem]:
    for number, entries in scene.bot_log.jobs.items():
        yield f"job/{number}", {"number": number, "steps": [_log_entry(entry) for entry in entries]}


def _log_line_items(scene: SandboxSession) -> Iterator[PageItem]:
    for number, entry in scene.bot_log.other_entries:
        yield f"line/{number}", {"number": number} | _log_entry(entry)


def _log_entry(entry: BotLogEntry) -> dict[str, Any]:
    return {"at": entry.at, "level": entry.level, "text": entry.text}


def _fault_switch_items(scene: SandboxSession) -> Iterator[PageItem]:
    for order, (trouble, is_on) in enumerate(scene.fault_switches):
        content = {"name": trouble.name, "side": trouble.side, "title": trouble.title, "about": trouble.about}
        yield f"trouble/{trouble.name}", content | {"order": order, "on": is_on}


def _state_items(scene: SandboxSession) -> Iterator[PageItem]:
    yield "bot", {"life": scene.bot.state, "live": scene.uses_real_kie}
    menus = list(_command_menus(scene))
    yield "menu", {kind: commands for language, kind, commands in menus if language == _menu_language(scene, menus)}
    yield (
        "bench",
        {
            "seconds": scene.seconds,
            "privacy": scene.telegram.state.privacy_mode,
            "language": scene.default_person.user["language_code"],
            "languages": sorted({ENGLISH} | {language for language, _, _ in menus if language}),
            "credits": None if scene.kie is None else scene.kie.credits,
        },
    )


def _menu_language(scene: SandboxSession, menus: list[tuple[str, str, Any]]) -> str:
    """The language of the menus that an app shows: the person's, or else the one for everybody."""
    own = str(scene.default_person.user["language_code"])
    return own if any(language == own for language, _, _ in menus) else ""


def _command_menus(scene: SandboxSession) -> Iterator[tuple[str, str, Any]]:
    """The menus of commands that the bot has set: language, kind of chat, commands."""
    kinds = {"all_private_chats": "private", "all_group_chats": "group", "default": "default"}
    for key, commands in scene.telegram.state.profile.items():
        if key[0] == "commands":
            kind = next((kind for scope, kind in kinds.items() if f"'{scope}'" in key[1]), "")
            yield key[2], kind, commands


#: the longest piece of a message that a reply repeats
QUOTE_CHARACTERS = 120


def message_item(telegram: LocalTelegram, chat_id: int, message: JsonObject) -> dict[str, Any]:
    """Return what the page needs to draw a message."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return {
        "chat": chat_id,
        "id": message["message_id"],
        "thread": message.get("message_thread_id", 0),
        "from": _sender(message),
        "mine": telegram.state.is_from_bot(message),
        "at": message["date"],
        "edited": "edit_date" in message,
        "text": message.get("text", message.get("caption", "")),
        "entities": message.get("entities", message.get("caption_entities", [])),
        "album": message.get("media_group_id", ""),
        "picture": _photo(message),
        "file": _document(message),
        "reply": _quote(message),
        "buttons": [[button["text"] for button in row] for row in rows],
        "signs": telegram.reactions(chat_id, message["message_id"]),
        "service": _service_text(message),
    }


def _sender(message: JsonObject) -> dict[str, Any]:
    return {"id": message["from"]["id"], "name": message["from"]["first_name"]}


def _photo(message: JsonObject) -> dict[str, Any] | None:
    if "photo" not in message:
        return None
    largest = max(message["photo"], key=lambda size: int(size["width"] * size["height"]))
    return {"id": largest["file_id"], "width": largest["width"], "height": largest["height"]}


def _document(message: JsonObject) -> dict[str, Any] | None:
    document = message.get("document")
    if document is None:
        return None
    return {"id": document["file_id"], "name": document.get("file_name", "file"), "bytes": document["file_size"]}


def _quote(message: JsonObject) -> dict[str, Any] | None:
    target = message.get("reply_to_message")
    if target is None or "forum_topic_created" in target:
        return None
    words = target.get("text") or target.get("caption") or ("Picture" if "photo" in target else "File")
    return {"id": target["message_id"], "name": _sender(target)["name"], "text": words[:QUOTE_CHARACTERS]}


def _service_text(message: JsonObject) -> str:
    created = message.get("forum_topic_created")
    return f"{message['from']['first_name']} opened the topic {created['name']}" if created else ""


#: how many calls to each partner are listed
MAX_LISTED_CALLS = 150
#: the longest piece of a call that is shown, in characters
MAX_SHOWN_CHARACTERS = 20_000
#: parameters that tell best what a call is about, in the order in which they are looked for
_INFORMATIVE_PARAMETERS = ("text", "caption", "action", "message_id", "file_id", "chat_id")


def call_items(scene: SandboxSession) -> Iterator[tuple[str, Any]]:
    """List the calls; polls that brought nothing are left out."""
    for number, call in _latest_calls(scene.telegram.calls):
        if call.method != "getUpdates" or call.result or call.error:
            yield f"call/telegram/{number}", _telegram_item(number, call)
    for number, call_to_kie in _latest_calls([] if scene.kie is None else scene.kie.calls):
        yield f"call/kie/{number}", _kie_item(number, call_to_kie)


def call_details(scene: SandboxSession, side: str, number: int) -> dict[str, str]:
    """Return what was asked and answered, as text; raise LookupError for an unknown call."""
    if side == "telegram":
        call = scene.telegram.calls[number]
        return {
            "asked": _to_json_text(dict(call.params) | dict(call.files)),
            "answered": _to_json_text(_telegram_answer(call)),
        }
    if side == "kie" and scene.kie is not None:
        call_to_kie = scene.kie.calls[number]
        asked = call_to_kie.body if call_to_kie.body is not None else call_to_kie.params
        return {"asked": _to_json_text(asked), "answered": _to_json_text(_kie_answer(call_to_kie))}
    raise LookupError(f"nothing is known of calls to {side}")


def _telegram_answer(call: TelegramCall) -> object:
    if call.fault is not None and call.fault.kind is FaultKind.ANSWER:
        return call.fault.body.decode(errors="replace")
    return call.error or call.result


def _latest_calls(calls: list[Any]) -> list[tuple[int, Any]]:
    first = max(0, len(calls) - MAX_LISTED_CALLS)
    return list(enumerate(calls))[first:]


def _telegram_item(number: int, call: TelegramCall) -> dict[str, Any]:
    wrong = call.error or _describe_fault(call)
    state = "failed" if wrong else "open" if call.result is None else "done"
    about = wrong or _describe_telegram_call(call)
    return {"side": "telegram", "number": number, "name": call.method, "at": call.at, "state": state, "about": about}


def _describe_fault(call: TelegramCall) -> str:
    if call.fault is None:
        return ""
    return (
        f"HTTP {call.fault.status}" if call.fault.kind is FaultKind.ANSWER else str(call.fault.kind).replace("_", " ")
    )


def _describe_telegram_call(call: TelegramCall) -> str:
    if call.method == "getUpdates" and isinstance(call.result, list):
        kinds = [name for update in call.result for name in update if name != "update_id"]
        return ", ".join(kinds)
    if call.method == "setMessageReaction":
        return " ".join(str(one.get("emoji")) for one in _dicts_in(call.params.get("reaction")))
    if call.method == "setMyCommands":
        return " ".join(f"/{one.get('command')}" for one in _dicts_in(call.params.get("commands")))
    found = next((call.params[name] for name in _INFORMATIVE_PARAMETERS if name in call.params), "")
    return str(found)[:100]


def _dicts_in(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _kie_item(number: int, call: KieCall) -> dict[str, Any]:
    is_cut = not call.status and call.answer is not None
    state = "failed" if is_cut or _is_failed(call) else "done" if call.status else "open"
    about = "cut after it was executed" if is_cut else _describe_kie_call(call)
    return {"side": "kie", "number": number, "name": call.name, "at": call.at, "state": state, "about": about}


def _is_failed(call: KieCall) -> bool:
    code = call.answer.get("code", 200) if isinstance(call.answer, dict) else 200
    return call.status >= 400 or code != 200


def _describe_kie_call(call: KieCall) -> str:
    if isinstance(call.answer, dict) and call.answer.get("code") != 200:
        return str(call.answer.get("msg", ""))
    if call.name == "recordInfo" and isinstance(call.answer, dict):
        return str((call.answer.get("data") or {}).get("state", ""))
    if call.name == "createTask" and isinstance(call.body, dict):
        return str(call.body.get("input", {}).get("prompt", ""))[:100]
    return f"HTTP {call.status}" if call.status >= 400 else ""


def _kie_answer(call: KieCall) -> object:
    return f"HTTP {call.status}" if call.answer is None else call.answer


def _to_json_text(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, default=_describe_file)[:MAX_SHOWN_CHARACTERS]


def _describe_file(thing: object) -> str:
    """Stand for what is no JSON: files."""
    content = getattr(thing, "content", getattr(thing, "data", b""))
    return f"a file of {len(content)} bytes"
