"""Reading a task's record, as leniently as its several vintages ask for.

Between 2025 and 2026 the same fields have been seen as text and as objects, empty, null and absent. A field
that cannot be read counts as absent; only the task's state is insisted on.
"""

import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Never

from bot.kie.errors import sanitize_text
from bot.kie.models import TaskOutcome, TaskRecord

# "failed" is not documented, but several clients provide for it.
_OUTCOMES = {"success": TaskOutcome.SUCCESS, "fail": TaskOutcome.FAILURE, "failed": TaskOutcome.FAILURE}

#: credits of one task: a hundred times what the dearest model takes
_MAX_TASK_CREDITS = 10_000.0

#: milliseconds since 1970: the year 2100
_MAX_TIMESTAMP = 4_102_444_800_000.0

#: the figures of a record and the most that each can be, from zero on
_NUMBER_LIMITS = {
    "creditsConsumed": _MAX_TASK_CREDITS,
    "consumeCredits": _MAX_TASK_CREDITS,
    "createTime": _MAX_TIMESTAMP,
    "completeTime": _MAX_TIMESTAMP,
}

#: where results stand; `response` repeats resultJson, already parsed, in recordings of 2026
_RESULT_FIELDS = ("resultJson", "response")

#: our own order, as Kie repeats it
_ECHO_FIELDS = frozenset({"param", "paramJson", "input"})

#: characters of a record that are kept where no picture was found in it
_UNPARSED_LIMIT = 2000

#: characters of a task id
_TASK_ID_LIMIT = 200


def parse_json(text: str | bytes) -> object:
    """Return the value of a JSON text, or None where it is none (too deep, not UTF, NaN, an endless number)."""
    try:
        return json.loads(text, parse_constant=_reject_constant)
    except (ValueError, RecursionError):
        return None


def _reject_constant(constant: str) -> Never:
    raise ValueError(f"{constant} is not JSON")


def redact_json(value: object, redact: Callable[[str], str]) -> object:
    """Return a value of JSON with each text in it redacted; one that is nested too deep is None."""
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


def read_number(value: object, least: float, most: float) -> float | None:
    """Read a number within bounds, also one in quotes."""
    read = _read_any_number(value)
    return read if read is not None and least <= read <= most else None


def _read_any_number(value: object) -> float | None:
    """Read any number; one that is too large for a float is infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:
        return math.inf


def read_mapping(value: object) -> Mapping[str, object]:
    """Read an object, also one that is written as JSON inside a string; anything else is an empty one."""
    if isinstance(value, str):
        value = parse_json(value)
    return value if isinstance(value, dict) else {}


def read_web_url(value: object) -> str | None:
    """Read an http(s) URL."""
    if isinstance(value, str) and value.isprintable() and value.startswith(("https://", "http://")):
        return value
    return None


def read_task_id(value: object) -> str | None:
    """Read a task's id, an opaque text (32 hex digits in recordings, never the `task_…` of the examples)."""
    if not isinstance(value, str) or not value.isprintable():
        return None
    return value if value.strip() and len(value) <= _TASK_ID_LIMIT else None


def read_task_record(record: Mapping[str, object], task_id: str) -> TaskRecord | None:
    """Read recordInfo's `data` for the task that was asked for; None if it has no `state` to go by."""
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
    """Find the picture where results stand, else under a name for results anywhere in the record."""
    said = [record.get(name) for name in _RESULT_FIELDS]
    return find_result_url(said, _is_web_url, ours) or find_result_url([{**record}], _is_web_url, ours)


def _is_web_url(text: str) -> bool:
    return read_web_url(text) is not None


def _render_unparsed(record: Mapping[str, object]) -> str:
    """Return what a person may find a picture in: the places of results first, because the end may be cut off."""
    names = sorted(record.keys() - _ECHO_FIELDS, key=lambda name: (name not in _RESULT_FIELDS, name))
    said = {name: record[name] for name in names}
    return sanitize_text(json.dumps(said, ensure_ascii=False, default=str), _UNPARSED_LIMIT)


def _read_order_echo(record: Mapping[str, object]) -> tuple[str | None, tuple[str, ...]]:
    """Read our own order back: its `input` was an object in 2025, and is JSON inside the JSON since 2026."""
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
    """Name the figures that are numbers, and cannot be."""
    return tuple(
        name
        for name in _NUMBER_LIMITS
        if _read_any_number(record.get(name)) is not None and _read_limited_number(record, name) is None
    )


def _read_text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return sanitize_text(str(value))


#: Names under which results have been seen, or provided for, without case and separators; the best first.
_RESULT_NAMES = (
    "resulturls", "resulturl", "resultimageurls", "resultimageurl", "outputurls", "outputurl", "imageurl", "urls",
    "url", "images", "image", "results", "result", "outputs", "output",
)  # fmt: skip

#: Names of what we sent ourselves (`image_urls` is that of our pictures), and of what is no result.
_NOT_RESULTS = re.compile(
    r"^(params?|paramjson|inputs?|inputurls|imageurls|request)$|callback|webhook|thumb|preview|origin"
)

#: Nesting, JSON within JSON included; recordings have two levels.
_MAX_DEPTH = 10

#: Behind all names: an address that stands for itself.
_UNNAMED_RANK = len(_RESULT_NAMES)

_SEPARATORS = re.compile(r"[^a-z0-9]")


def _reject_json_constant(constant: str) -> Never:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_reject_json_constant)


def find_result_url(said: Collection[object], is_url: Callable[[str], bool], ours: Collection[str]) -> str | None:
    """Return the address with the best name in what Kie said, the first of several; never one of `ours`."""
    found = [each for value in said for each in _find_urls(value, _UNNAMED_RANK, _MAX_DEPTH)]
    usable = [(rank, url) for rank, url in found if is_url(url) and url not in ours]
    return min(usable, key=lambda each: each[0])[1] if usable else None


def _find_urls(value: object, rank: int | None, depth: int) -> Iterator[tuple[int, str]]:
    """Yield what may be an address, with the rank of its name; None is the rank of a name that is not known."""
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
    # an object in a list of results has its address under a name of its own
    best = own if own is None or rank is None else min(own, rank)
    yield from _find_urls(value, best, depth - 1)


def _find_urls_in_text(text: str, rank: int | None, depth: int) -> Iterator[tuple[int, str]]:
    """Look into a text: it is JSON again, with or without something behind it, or an address."""
    if text[:1] in ("{", "[", '"'):
        try:
            value, _ = _DECODER.raw_decode(text)
        except (ValueError, RecursionError):
            return
        yield from _find_urls(value, rank, depth - 1)
    elif rank is not None and text:
        yield rank, text.split(maxsplit=1)[0]
