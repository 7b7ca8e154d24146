"""Reading a task's record, as leniently as its several vintages ask for.

Between 2025 and 2026 the same fields have been seen as text and as objects, empty, null and absent. A field
that cannot be read counts as absent; only the task's state is insisted on.
"""

import json
import math
from collections.abc import Callable, Collection, Mapping
from typing import Never

from bot.kie.errors import one_line
from bot.kie.models import Look, Outcome
from bot.kie.result_urls import find_result_url

# "failed" is not documented, but several clients provide for it.
_OUTCOMES = {"success": Outcome.SUCCESS, "fail": Outcome.FAILURE, "failed": Outcome.FAILURE}

#: credits of one task: a hundred times what the dearest model takes
_MOST_CREDITS = 10_000.0

#: milliseconds since 1970: the year 2100
_LATEST = 4_102_444_800_000.0

#: the figures of a record and the most that each can be, from zero on
_FIGURES = {
    "creditsConsumed": _MOST_CREDITS,
    "consumeCredits": _MOST_CREDITS,
    "createTime": _LATEST,
    "completeTime": _LATEST,
}

#: where results stand; `response` repeats resultJson, already parsed, in recordings of 2026
_RESULTS = ("resultJson", "response")

#: our own order, as Kie repeats it
_ECHOES = frozenset({"param", "paramJson", "input"})

#: characters of a record that are kept where no picture was found in it
_UNREAD_LIMIT = 2000

#: characters of a task id
_TASK_ID_LIMIT = 200


def parsed(text: str | bytes) -> object:
    """Return the value of a JSON text, or None where it is none (too deep, not UTF, NaN, an endless number)."""
    try:
        return json.loads(text, parse_constant=_no_json)
    except (ValueError, RecursionError):
        return None


def _no_json(constant: str) -> Never:
    raise ValueError(f"{constant} is not JSON")


def redacted(value: object, redact: Callable[[str], str]) -> object:
    """Return a value of JSON with each text in it redacted; one that is nested too deep is None."""
    try:
        return _redacted(value, redact)
    except RecursionError:
        return None


def _redacted(value: object, redact: Callable[[str], str]) -> object:
    match value:
        case str():
            return redact(value)
        case list():
            return [_redacted(each, redact) for each in value]
        case dict():
            return {name: _redacted(each, redact) for name, each in value.items()}
        case _:
            return value


def number(value: object, least: float, most: float) -> float | None:
    """Read a number within bounds, also one in quotes."""
    read = _number(value)
    return read if read is not None and least <= read <= most else None


def _number(value: object) -> float | None:
    """Read any number; one that is too large for a float is infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:
        return math.inf


def mapping(value: object) -> Mapping[str, object]:
    """Read an object, also one that is written as JSON inside a string; anything else is an empty one."""
    if isinstance(value, str):
        value = parsed(value)
    return value if isinstance(value, dict) else {}


def web_url(value: object) -> str | None:
    """Read an http(s) URL."""
    if isinstance(value, str) and value.isprintable() and value.startswith(("https://", "http://")):
        return value
    return None


def opaque_id(value: object) -> str | None:
    """Read a task's id, an opaque text (32 hex digits in recordings, never the `task_…` of the examples)."""
    if not isinstance(value, str) or not value.isprintable():
        return None
    return value if value.strip() and len(value) <= _TASK_ID_LIMIT else None


def read_record(record: Mapping[str, object], task_id: str) -> Look | None:
    """Read recordInfo's `data` for the task that was asked for; None if it has no `state` to go by."""
    state = record.get("state")
    if not isinstance(state, str):
        return None
    outcome = _OUTCOMES.get(state.strip().lower(), Outcome.PENDING)
    callback_url, image_urls = _echo(record)
    result_url = _result_url(record, {callback_url or "", *image_urls}) if outcome is Outcome.SUCCESS else None
    return Look(
        task_id=task_id,
        outcome=outcome,
        status=one_line(state),
        result_url=result_url,
        unread=_unread(record) if outcome is Outcome.SUCCESS and result_url is None else "",
        fail_code=_words(record.get("failCode")),
        fail_text=_words(record.get("failMsg")),
        credits=_credits(record),
        created_at=_moment(record, "createTime"),
        completed_at=_moment(record, "completeTime"),
        callback_url=callback_url,
        image_urls=image_urls,
        absurd=_absurd(record),
    )


def _result_url(record: Mapping[str, object], ours: Collection[str]) -> str | None:
    """Find the picture where results stand, else under a name for results anywhere in the record."""
    said = [record.get(name) for name in _RESULTS]
    return find_result_url(said, _is_web_url, ours) or find_result_url([{**record}], _is_web_url, ours)


def _is_web_url(text: str) -> bool:
    return web_url(text) is not None


def _unread(record: Mapping[str, object]) -> str:
    """Return what a person may find a picture in: the places of results first, because the end may be cut off."""
    names = sorted(record.keys() - _ECHOES, key=lambda name: (name not in _RESULTS, name))
    said = {name: record[name] for name in names}
    return one_line(json.dumps(said, ensure_ascii=False, default=str), _UNREAD_LIMIT)


def _echo(record: Mapping[str, object]) -> tuple[str | None, tuple[str, ...]]:
    """Read our own order back: its `input` was an object in 2025, and is JSON inside the JSON since 2026."""
    order = mapping(record.get("param")) or mapping(record.get("paramJson"))
    urls = mapping(order.get("input")).get("image_urls")
    image_urls = tuple(url for url in urls if isinstance(url, str)) if isinstance(urls, list) else ()
    return web_url(order.get("callBackUrl")), image_urls


def _figure(record: Mapping[str, object], name: str) -> float | None:
    return number(record.get(name), 0.0, _FIGURES[name])


def _credits(record: Mapping[str, object]) -> float | None:
    consumed = _figure(record, "creditsConsumed")
    return _figure(record, "consumeCredits") if consumed is None else consumed


def _moment(record: Mapping[str, object], name: str) -> int | None:
    return int(_figure(record, name) or 0) or None


def _absurd(record: Mapping[str, object]) -> tuple[str, ...]:
    """Name the figures that are numbers, and cannot be."""
    return tuple(name for name in _FIGURES if _number(record.get(name)) is not None and _figure(record, name) is None)


def _words(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return one_line(str(value))
