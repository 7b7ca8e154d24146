"""The page's state as small JSON objects by name, and the server-sent events that report its changes.

Names say what an object is: conversation/KEY, message/CHAT/ID, chat_action/CHAT,
call/SERVICE/NUMBER, job/NUMBER, log_line/NUMBER, fault/NAME, bot, menu, settings.
Files and the details of calls are fetched separately.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from aiohttp import web

from bot.sandbox.bot_process import BotLogEntry
from bot.sandbox.fault_injection import FaultKind
from bot.sandbox.kie.local_kie import KieCall
from bot.sandbox.telegram import LocalTelegram, TelegramCall
from bot.sandbox.telegram.errors import JsonObject
from bot.sandbox.web.session import SandboxSession, SessionManager

PageItem = tuple[str, Any]


def page_items(session: SandboxSession) -> dict[str, Any]:
    """Return everything that the page shows at this moment."""
    parts = (
        _conversation_items,
        _message_items,
        _chat_action_items,
        call_items,
        _log_items,
        _fault_switch_items,
        _state_items,
    )
    return {name: content for part in parts for name, content in part(session)}


class EventEncoder:
    """Encodes the state as events for one browser: the first is a snapshot, the others hold what changed since.

    So a browser that reconnects is up to date at once.
    """

    def __init__(self) -> None:
        self._sent: dict[str, str] | None = None

    def next_event(self, current: Mapping[str, object]) -> bytes:
        """Return the event that brings the browser up to date; empty if it is."""
        sent, self._sent = self._sent, {name: json.dumps(item, ensure_ascii=False) for name, item in current.items()}
        if sent == self._sent:
            return b""
        before = sent or {}
        changed = ",".join(
            f"{json.dumps(name)}:{item}" for name, item in self._sent.items() if before.get(name) != item
        )
        removed = json.dumps([name for name in before if name not in self._sent])
        snapshot = json.dumps(sent is None)
        return f'data: {{"snapshot":{snapshot},"set":{{{changed}}},"removed":{removed}}}\n\n'.encode()


async def stream_events(sessions: SessionManager, request: web.Request) -> web.StreamResponse:
    """Send events until the browser disconnects or the sandbox closes."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    encoder = EventEncoder()
    while not sessions.closing.is_set() and request.transport is not None and not request.transport.is_closing():
        try:
            current = page_items(sessions.session)
        except LookupError:
            current = {"bot": {"state": "starting", "uses_real_kie": False}}
        if event := encoder.next_event(current):
            await response.write(event)
        await sessions.wait_for_change()
    return response


def _conversation_items(session: SandboxSession) -> Iterator[PageItem]:
    for order, conversation in enumerate(session.conversations.values()):
        yield (
            f"conversation/{conversation.key}",
            {
                "key": conversation.key,
                "order": order,
                "chat": conversation.chat_id,
                "thread": conversation.thread or 0,
                "title": conversation.title,
                "kind": conversation.kind,
                "about": conversation.about,
                "speakers": [{"id": person.id, "name": person.user["first_name"]} for person in conversation.speakers],
            },
        )


def _message_items(session: SandboxSession) -> Iterator[PageItem]:
    for chat_id in _chat_ids(session):
        for message in session.telegram.messages(chat_id):
            yield f"message/{chat_id}/{message['message_id']}", message_item(session.telegram, chat_id, message)


def _chat_action_items(session: SandboxSession) -> Iterator[PageItem]:
    for chat_id in _chat_ids(session):
        for action in session.telegram.actions(chat_id)[-1:]:
            content = {"chat": chat_id, "thread": action.thread or 0, "action": action.action, "at": action.at}
            yield f"chat_action/{chat_id}", content


def _chat_ids(session: SandboxSession) -> list[int]:
    return list(dict.fromkeys(conversation.chat_id for conversation in session.conversations.values()))


def _log_items(session: SandboxSession) -> Iterator[PageItem]:
    for number, entries in session.bot_log.jobs.items():
        yield f"job/{number}", {"number": number, "steps": [_log_entry(entry) for entry in entries]}
    for number, entry in session.bot_log.other_entries:
        yield f"log_line/{number}", {"number": number} | _log_entry(entry)


def _log_entry(entry: BotLogEntry) -> dict[str, Any]:
    return {"at": entry.at, "level": entry.level, "text": entry.text}


def _fault_switch_items(session: SandboxSession) -> Iterator[PageItem]:
    for order, (switch, is_on) in enumerate(session.fault_switches):
        content = {"name": switch.name, "group": switch.group, "title": switch.title, "about": switch.about}
        yield f"fault/{switch.name}", content | {"order": order, "on": is_on}


def _state_items(session: SandboxSession) -> Iterator[PageItem]:
    yield "bot", {"state": session.bot.state, "uses_real_kie": session.uses_real_kie}
    menus = list(_command_menus(session))
    own_language = str(session.default_person.user["language_code"])
    # an app shows the menu in its own language, or else the one for all languages
    shown = own_language if any(language == own_language for language, _, _ in menus) else ""
    yield "menu", {kind: commands for language, kind, commands in menus if language == shown}
    yield (
        "settings",
        {
            "seconds": session.seconds,
            "privacy": session.telegram.state.privacy_mode,
            "language": own_language,
            "languages": sorted({"en"} | {language for language, _, _ in menus if language}),
            "credits": None if session.kie is None else session.kie.credits,
        },
    )


def _command_menus(session: SandboxSession) -> Iterator[tuple[str, str, Any]]:
    """Yield the bot's command menus: language, kind of chat, commands."""
    kinds = {"all_private_chats": "private", "all_group_chats": "group", "default": "default"}
    for key, commands in session.telegram.state.profile.items():
        if key[0] == "commands":
            kind = next((kind for scope, kind in kinds.items() if f"'{scope}'" in key[1]), "")
            yield key[2], kind, commands


#: how much of a message a reply quotes, in characters
QUOTE_CHARACTERS = 120


def message_item(telegram: LocalTelegram, chat_id: int, message: JsonObject) -> dict[str, Any]:
    """Return what the page needs to draw a message."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return {
        "chat": chat_id,
        "id": message["message_id"],
        "thread": message.get("message_thread_id", 0),
        "from": _sender(message),
        "from_bot": telegram.state.is_from_bot(message),
        "at": message["date"],
        "edited": "edit_date" in message,
        "text": message.get("text", message.get("caption", "")),
        "entities": message.get("entities", message.get("caption_entities", [])),
        "album": message.get("media_group_id", ""),
        "photo": _photo(message),
        "file": _document(message),
        "reply": _quote(message),
        "buttons": [[button["text"] for button in row] for row in rows],
        "reactions": telegram.reactions(chat_id, message["message_id"]),
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
    text = target.get("text") or target.get("caption") or ("Picture" if "photo" in target else "File")
    return {"id": target["message_id"], "name": _sender(target)["name"], "text": text[:QUOTE_CHARACTERS]}


def _service_text(message: JsonObject) -> str:
    created = message.get("forum_topic_created")
    return f"{message['from']['first_name']} opened the topic {created['name']}" if created else ""


#: how many calls per service are listed
MAX_LISTED_CALLS = 150
#: how much of a request or response is shown, in characters
MAX_SHOWN_CHARACTERS = 20_000
#: parameters that best summarise a call, in order of preference
_INFORMATIVE_PARAMETERS = ("text", "caption", "action", "message_id", "file_id", "chat_id")


def call_items(session: SandboxSession) -> Iterator[PageItem]:
    """List the calls, without the polls that returned no updates."""
    for number, call in _latest_calls(session.telegram.calls):
        if call.method != "getUpdates" or call.result or call.error:
            yield f"call/telegram/{number}", _telegram_item(number, call)
    for number, kie_call in _latest_calls([] if session.kie is None else session.kie.calls):
        yield f"call/kie/{number}", _kie_item(number, kie_call)


def call_details(session: SandboxSession, service: str, number: int) -> dict[str, str]:
    """Return the request and response of a call as text; raises LookupError for an unknown call."""
    request: object
    response: object
    if service == "telegram":
        call = session.telegram.calls[number]
        request, response = dict(call.params) | dict(call.files), call.error or call.result
        if call.fault is not None and call.fault.kind is FaultKind.RESPOND:
            response = call.fault.body.decode(errors="replace")
    elif service == "kie" and session.kie is not None:
        kie_call = session.kie.calls[number]
        request = kie_call.body if kie_call.body is not None else kie_call.params
        response = f"HTTP {kie_call.status}" if kie_call.answer is None else kie_call.answer
    else:
        raise LookupError(f"there are no calls to {service}")
    return {"request": _to_json_text(request), "response": _to_json_text(response)}


def _latest_calls(calls: list[Any]) -> list[tuple[int, Any]]:
    return list(enumerate(calls))[-MAX_LISTED_CALLS:]


def _telegram_item(number: int, call: TelegramCall) -> dict[str, Any]:
    error = call.error or _describe_fault(call)
    state = "failed" if error else "open" if call.result is None else "done"
    about = error or _describe_telegram_call(call)
    return {"service": "telegram", "number": number, "name": call.method, "at": call.at, "state": state, "about": about}


def _describe_fault(call: TelegramCall) -> str:
    if call.fault is None:
        return ""
    is_response = call.fault.kind is FaultKind.RESPOND
    return f"HTTP {call.fault.status}" if is_response else call.fault.kind.replace("_", " ")


def _describe_telegram_call(call: TelegramCall) -> str:
    if call.method == "getUpdates" and isinstance(call.result, list):
        return ", ".join(name for update in call.result for name in update if name != "update_id")
    if call.method == "setMessageReaction":
        return " ".join(str(reaction.get("emoji")) for reaction in _dicts_in(call.params.get("reaction")))
    if call.method == "setMyCommands":
        return " ".join(f"/{command.get('command')}" for command in _dicts_in(call.params.get("commands")))
    return str(next((call.params[name] for name in _INFORMATIVE_PARAMETERS if name in call.params), ""))[:100]


def _dicts_in(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _kie_item(number: int, call: KieCall) -> dict[str, Any]:
    is_cut = not call.status and call.answer is not None
    state = "failed" if is_cut or _is_failed(call) else "done" if call.status else "open"
    about = "disconnected after it was executed" if is_cut else _describe_kie_call(call)
    return {"service": "kie", "number": number, "name": call.name, "at": call.at, "state": state, "about": about}


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


def _to_json_text(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, default=_describe_file)[:MAX_SHOWN_CHARACTERS]


def _describe_file(file: object) -> str:
    return f"a file of {len(getattr(file, 'content', getattr(file, 'data', b'')))} bytes"
