"""The bot's calls to its partners, as a list, and one of them with everything that was said."""

import json
from collections.abc import Iterator
from typing import Any

from bot.sandbox.faults import Kind
from bot.sandbox.kie_calls import Call as KieCall
from bot.sandbox.page.scene import Scene
from bot.sandbox.telegram.door import Call as TelegramCall

#: how many calls to each partner are listed
LISTED = 150
#: the longest piece of a call that is shown, in characters
SHOWN = 20_000
#: parameters that tell best what a call is about, in the order in which they are looked for
_TELLING = ("text", "caption", "action", "message_id", "file_id", "chat_id")


def items(scene: Scene) -> Iterator[tuple[str, Any]]:
    """List the calls; polls that brought nothing are left out."""
    for number, call in _latest(scene.telegram.calls):
        if call.method != "getUpdates" or call.result or call.error:
            yield f"call/telegram/{number}", _telegram(number, call)
    for number, call_to_kie in _latest([] if scene.kie is None else scene.kie.calls):
        yield f"call/kie/{number}", _kie(number, call_to_kie)


def details(scene: Scene, side: str, number: int) -> dict[str, str]:
    """Return what was asked and answered, as text; raise LookupError for an unknown call."""
    if side == "telegram":
        call = scene.telegram.calls[number]
        return {"asked": _text(dict(call.params) | dict(call.files)), "answered": _text(_answer(call))}
    if side == "kie" and scene.kie is not None:
        call_to_kie = scene.kie.calls[number]
        asked = call_to_kie.body if call_to_kie.body is not None else call_to_kie.params
        return {"asked": _text(asked), "answered": _text(_kie_answer(call_to_kie))}
    raise LookupError(f"nothing is known of calls to {side}")


def _answer(call: TelegramCall) -> object:
    if call.fault is not None and call.fault.kind is Kind.ANSWER:
        return call.fault.body.decode(errors="replace")
    return call.error or call.result


def _latest(calls: list[Any]) -> list[tuple[int, Any]]:
    first = max(0, len(calls) - LISTED)
    return list(enumerate(calls))[first:]


def _telegram(number: int, call: TelegramCall) -> dict[str, Any]:
    wrong = call.error or _fault(call)
    state = "failed" if wrong else "open" if call.result is None else "done"
    about = wrong or _telling(call)
    return {"side": "telegram", "number": number, "name": call.method, "at": call.at, "state": state, "about": about}


def _fault(call: TelegramCall) -> str:
    if call.fault is None:
        return ""
    return f"HTTP {call.fault.status}" if call.fault.kind is Kind.ANSWER else str(call.fault.kind).replace("_", " ")


def _telling(call: TelegramCall) -> str:
    if call.method == "getUpdates" and isinstance(call.result, list):
        kinds = [name for update in call.result for name in update if name != "update_id"]
        return ", ".join(kinds)
    if call.method == "setMessageReaction":
        return " ".join(str(one.get("emoji")) for one in _listed(call.params.get("reaction")))
    if call.method == "setMyCommands":
        return " ".join(f"/{one.get('command')}" for one in _listed(call.params.get("commands")))
    found = next((call.params[name] for name in _TELLING if name in call.params), "")
    return str(found)[:100]


def _listed(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _kie(number: int, call: KieCall) -> dict[str, Any]:
    is_cut = not call.status and call.answer is not None
    state = "failed" if is_cut or _failed(call) else "done" if call.status else "open"
    about = "cut after it was executed" if is_cut else _kie_about(call)
    return {"side": "kie", "number": number, "name": call.name, "at": call.at, "state": state, "about": about}


def _failed(call: KieCall) -> bool:
    code = call.answer.get("code", 200) if isinstance(call.answer, dict) else 200
    return call.status >= 400 or code != 200


def _kie_about(call: KieCall) -> str:
    if isinstance(call.answer, dict) and call.answer.get("code") != 200:
        return str(call.answer.get("msg", ""))
    if call.name == "recordInfo" and isinstance(call.answer, dict):
        return str((call.answer.get("data") or {}).get("state", ""))
    if call.name == "createTask" and isinstance(call.body, dict):
        return str(call.body.get("input", {}).get("prompt", ""))[:100]
    return f"HTTP {call.status}" if call.status >= 400 else ""


def _kie_answer(call: KieCall) -> object:
    return f"HTTP {call.status}" if call.answer is None else call.answer


def _text(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, default=_briefly)[:SHOWN]


def _briefly(thing: object) -> str:
    """Stand for what is no JSON: files."""
    content = getattr(thing, "content", getattr(thing, "data", b""))
    return f"a file of {len(content)} bytes"
