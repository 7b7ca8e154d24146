"""Parses a task's record leniently: in 2025 and 2026 the same fields have been text, objects, empty, null and missing.

Only the task's state is required; any other field that cannot be read counts as missing.
"""

import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Never

from bot.kie.errors import sanitize_text
from bot.kie.models import TaskOutcome, TaskRecord

# "failed" is not documented, but other clients accept it
_OUTCOMES = {"success": TaskOutcome.SUCCESS, "fail": TaskOutcome.FAILURE, "failed": TaskOutcome.FAILURE}

#: Credits; a hundred times the price of a task with the most expensive model.
_MAX_TASK_CREDITS = 10_000.0

#: Milliseconds since 1970: the year 2100.
_MAX_TIMESTAMP = 4_102_444_800_000.0

#: The numbers in a record, and the largest plausible value of each; the smallest is 0.
_NUMBER_LIMITS = {
    "creditsConsumed": _MAX_TASK_CREDITS,
    "consumeCredits": _MAX_TASK_CREDITS,
    "createTime": _MAX_TIMESTAMP,
    "completeTime": _MAX_TIMESTAMP,
}

#: The fields with results; in recordings of 2026, `response` is the parsed resultJson.
_RESULT_FIELDS = ("resultJson", "response")

#: Kie's copy of our order.
_ECHO_FIELDS = frozenset({"param", "paramJson", "input"})

#: Characters that are kept of a record without a recognised result.
_UNPARSED_LIMIT = 2000

#: Characters.
_TASK_ID_LIMIT = 200

#: Names of fields that have had or may have a result, in lower case without separators, the most likely first.
_RESULT_NAMES = (
    "resulturls", "resulturl", "resultimageurls", "resultimageurl", "outputurls", "outputurl", "imageurl", "urls",
    "url", "images", "image", "results", "result", "outputs", "output",
)  # fmt: skip

#: The rank of a URL without a field name, after all names.
_UNNAMED_RANK = len(_RESULT_NAMES)

#: Names of fields that have no result, or what we sent ourselves (`image_urls` are our source images).
_NOT_RESULTS = re.compile(
    r"^(params?|paramjson|inputs?|inputurls|imageurls|request)$|callback|webhook|thumb|preview|origin"
)

#: Levels of nesting, JSON within JSON included; recordings have two.
_MAX_DEPTH = 10

_SEPARATORS = re.compile(r"[^a-z0-9]")


def _reject_constant(constant: str) -> Never:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_reject_constant)


def parse_json(text: str | bytes) -> object:
    """Return the value of a JSON text; None if it is invalid or too deeply nested, or has NaN or a huge integer."""
    try:
        return json.loads(text, parse_constant=_reject_constant)
    except (ValueError, RecursionError):
        return None


def redact_json(value: object, redact: Callable[[str], str]) -> object:
    """Return a JSON value with all texts in it redacted; None if it is too deeply nested."""
    try:
        return _redact_json(value, redact)
    except RecursionError:
        return None


def _redact_json(value: object, redact: Callable[[str], str]) -> object:
    match value:
        case str():
            return redact(value)
        case list():
            return [_redact_json(each, redact) for each in value]
        case dict():
            return {name: _redact_json(each, redact) for name, each in value.items()}
        case _:
            return value


def read_number(value: object, low: float, high: float) -> float | None:
    """Return a number between `low` and `high`, also from a string; None for anything else."""
    read = _read_any_number(value)
    return read if read is not None and low <= read <= high else None


def _read_any_number(value: object) -> float | None:
    """Return a number as a float; infinity if it is too large for one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:
        return math.inf


def read_mapping(value: object) -> Mapping[str, object]:
    """Return a JSON object, also from a string; an empty one for anything else."""
    if isinstance(value, str):
        value = parse_json(value)
    return value if isinstance(value, dict) else {}


def read_web_url(value: object) -> str | None:
    """Return an http or https URL; None for anything else."""
    if isinstance(value, str) and value.isprintable() and value.startswith(("https://", "http://")):
        return value
    return None


def read_task_id(value: object) -> str | None:
    """Return a task id, an opaque text (in recordings 32 hex digits, never `task_…` as in Kie's examples), or None."""
    if not isinstance(value, str) or not value.isprintable():
        return None
    return value if value.strip() and len(value) <= _TASK_ID_LIMIT else None


def read_task_record(record: Mapping[str, object], task_id: str) -> TaskRecord | None:
    """Parse the `data` of recordInfo; None if it has no `state`."""
    state = record.get("state")
    if not isinstance(state, str):
        return None
    outcome = _OUTCOMES.get(state.strip().lower(), TaskOutcome.PENDING)
    callback_url, image_urls = _read_order_echo(record)
    result_url = (
        _find_result_url_in_record(record, {callback_url or "", *image_urls})
        if outcome is TaskOutcome.SUCCESS
        else None
    )
    return TaskRecord(
        task_id=task_id,
        outcome=outcome,
        status=sanitize_text(state),
        result_url=result_url,
        unparsed=_render_unparsed(record) if outcome is TaskOutcome.SUCCESS and result_url is None else "",
        fail_code=_read_text(record.get("failCode")),
        fail_text=_read_text(record.get("failMsg")),
        credits=_read_credits(record),
        created_at=_read_timestamp(record, "createTime"),
        completed_at=_read_timestamp(record, "completeTime"),
        callback_url=callback_url,
        image_urls=image_urls,
        out_of_range=_find_out_of_range(record),
    )


def _find_result_url_in_record(record: Mapping[str, object], ours: Collection[str]) -> str | None:
    """Find the result in its usual fields, else in a field with a likely name anywhere in the record."""
    results = [record.get(name) for name in _RESULT_FIELDS]
    return _find_result_url(results, ours) or _find_result_url([{**record}], ours)


def _render_unparsed(record: Mapping[str, object]) -> str:
    """Return the record for the operator, the fields with results first, because it may be truncated."""
    names = sorted(record.keys() - _ECHO_FIELDS, key=lambda name: (name not in _RESULT_FIELDS, name))
    fields = {name: record[name] for name in names}
    return sanitize_text(json.dumps(fields, ensure_ascii=False, default=str), _UNPARSED_LIMIT)


def _read_order_echo(record: Mapping[str, object]) -> tuple[str | None, tuple[str, ...]]:
    """Return the callback URL and the image URLs of our order, whose `input` is JSON within JSON since 2026."""
    order = read_mapping(record.get("param")) or read_mapping(record.get("paramJson"))
    urls = read_mapping(order.get("input")).get("image_urls")
    image_urls = tuple(url for url in urls if isinstance(url, str)) if isinstance(urls, list) else ()
    return read_web_url(order.get("callBackUrl")), image_urls


def _read_limited_number(record: Mapping[str, object], name: str) -> float | None:
    return read_number(record.get(name), 0.0, _NUMBER_LIMITS[name])


def _read_credits(record: Mapping[str, object]) -> float | None:
    consumed = _read_limited_number(record, "creditsConsumed")
    return _read_limited_number(record, "consumeCredits") if consumed is None else consumed


def _read_timestamp(record: Mapping[str, object], name: str) -> int | None:
    return int(_read_limited_number(record, name) or 0) or None


def _find_out_of_range(record: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(
        name
        for name in _NUMBER_LIMITS
        if _read_any_number(record.get(name)) is not None and _read_limited_number(record, name) is None
    )


def _read_text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return sanitize_text(str(value))


def _find_result_url(values: Collection[object], ours: Collection[str]) -> str | None:
    """Return the first URL under the most likely name in these JSON values, never one of `ours`."""
    found = [each for value in values for each in _find_urls(value, _UNNAMED_RANK, _MAX_DEPTH)]
    usable = [(rank, url) for rank, url in found if read_web_url(url) and url not in ours]
    return min(usable, key=lambda each: each[0])[1] if usable else None


def _find_urls(value: object, rank: int | None, depth: int) -> Iterator[tuple[int, str]]:
    """Yield possible URLs with the rank of their field's name; `rank` is None below a field with an unknown name."""
    if depth == 0:
        return
    match value:
        case str():
            yield from _find_urls_in_text(value.strip(), rank, depth)
        case list():
            for each in value:
                yield from _find_urls(each, rank, depth - 1)
        case dict():
            for name, each in value.items():
                yield from _find_urls_under(name, each, rank, depth)


def _find_urls_under(name: str, value: object, rank: int | None, depth: int) -> Iterator[tuple[int, str]]:
    plain = _SEPARATORS.sub("", name.lower())
    if _NOT_RESULTS.search(plain):
        return
    own = _RESULT_NAMES.index(plain) if plain in _RESULT_NAMES else None
    # an object in a list of results has its URL in a field of its own
    best = own if own is None or rank is None else min(own, rank)
    yield from _find_urls(value, best, depth - 1)


def _find_urls_in_text(text: str, rank: int | None, depth: int) -> Iterator[tuple[int, str]]:
    """Search a text, which is either JSON, perhaps with something after it, or a URL."""
    if text[:1] in ("{", "[", '"'):
        try:
            value, _ = _DECODER.raw_decode(text)
        except (ValueError, RecursionError):
            return
        yield from _find_urls(value, rank, depth - 1)
    elif rank is not None and text:
        yield rank, text.split(maxsplit=1)[0]
