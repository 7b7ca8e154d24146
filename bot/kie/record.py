"""Reading a task's record, as leniently as its several vintages ask for.

Between 2025 and 2026 the same fields have been seen as text and as objects, empty, null and absent. A field
that cannot be read counts as absent; only the task's state is insisted on.
"""

import json
import math
from collections.abc import Mapping
from typing import Never

from bot.kie.errors import one_line
from bot.kie.models import Look, Outcome

# "failed" is not documented, but several clients provide for it.
_OUTCOMES = {"success": Outcome.SUCCESS, "fail": Outcome.FAILURE, "failed": Outcome.FAILURE}

#: far beyond any date in milliseconds, and still a 64-bit number
_LATEST = 10**15

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


def number(value: object) -> float | None:
    """Read a finite number, also one in quotes."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        read = float(value)
    except (ValueError, OverflowError):
        return None
    return read if math.isfinite(read) else None


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
    return Look(
        task_id=task_id,
        outcome=outcome,
        status=one_line(state),
        result_url=_result_url(record) if outcome is Outcome.SUCCESS else None,
        fail_code=_words(record.get("failCode")),
        fail_text=_words(record.get("failMsg")),
        credits=_credits(record),
        created_at=_moment(record.get("createTime")),
        completed_at=_moment(record.get("completeTime")),
        callback_url=callback_url,
        image_urls=image_urls,
    )


def _result_url(record: Mapping[str, object]) -> str | None:
    # `response` repeats resultJson, already parsed, in recordings of 2026.
    for name in ("resultJson", "response"):
        urls = mapping(record.get(name)).get("resultUrls")
        for url in urls if isinstance(urls, list) else [urls]:
            if found := web_url(url):
                return found
    return None


def _echo(record: Mapping[str, object]) -> tuple[str | None, tuple[str, ...]]:
    """Read our own order back: its `input` was an object in 2025, and is JSON inside the JSON since 2026."""
    order = mapping(record.get("param")) or mapping(record.get("paramJson"))
    urls = mapping(order.get("input")).get("image_urls")
    image_urls = tuple(url for url in urls if isinstance(url, str)) if isinstance(urls, list) else ()
    return web_url(order.get("callBackUrl")), image_urls


def _credits(record: Mapping[str, object]) -> float | None:
    consumed = number(record.get("creditsConsumed"))
    return number(record.get("consumeCredits")) if consumed is None else consumed


def _moment(value: object) -> int | None:
    read = number(value)
    return int(read) if read is not None and 0 < read < _LATEST else None


def _words(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return one_line(str(value))
