"""Finding the address of the picture in what Kie says of a finished task.

The documentation, and every recording so far (2025, 2026), has `{"resultUrls": ["https://…"]}`. Clients of Kie provide
for more: other names, JSON within JSON, words behind it, objects in place of addresses. An address that is not found
is a paid picture that nobody gets; a wrong one is somebody else's picture. So names that are known for results are
looked for wherever they stand, the documented one first, and nothing is taken from under the names of our own order.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator
from typing import Never

#: Names under which results have been seen, or provided for, without case and separators; the best first.
_NAMES = (
    "resulturls", "resulturl", "resultimageurls", "resultimageurl", "outputurls", "outputurl", "imageurl", "urls",
    "url", "images", "image", "results", "result", "outputs", "output",
)  # fmt: skip

#: Names of what we sent ourselves (`image_urls` is that of our pictures), and of what is no result.
_NOT_RESULTS = re.compile(
    r"^(params?|paramjson|inputs?|inputurls|imageurls|request)$|callback|webhook|thumb|preview|origin"
)

#: Nesting, JSON within JSON included; recordings have two levels.
_DEEPEST = 10

#: Behind all names: an address that stands for itself.
_NAMELESS = len(_NAMES)

_SEPARATORS = re.compile(r"[^a-z0-9]")


def _no_json(constant: str) -> Never:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_json)


def find_result_url(said: Collection[object], is_url: Callable[[str], bool], ours: Collection[str]) -> str | None:
    """Return the address with the best name in what Kie said, the first of several; never one of `ours`."""
    found = [each for value in said for each in _addresses(value, _NAMELESS, _DEEPEST)]
    usable = [(rank, url) for rank, url in found if is_url(url) and url not in ours]
    return min(usable, key=lambda each: each[0])[1] if usable else None


def _addresses(value: object, rank: int | None, depth: int) -> Iterator[tuple[int, str]]:
    """Yield what may be an address, with the rank of its name; None is the rank of a name that is not known."""
    if depth == 0:
        return
    match value:
        case str():
            yield from _in_text(value.strip(), rank, depth)
        case list():
            for each in value:
                yield from _addresses(each, rank, depth - 1)
        case dict():
            for name, each in value.items():
                yield from _addresses_under(name, each, rank, depth)


def _addresses_under(name: str, value: object, rank: int | None, depth: int) -> Iterator[tuple[int, str]]:
    plain = _SEPARATORS.sub("", name.lower())
    if _NOT_RESULTS.search(plain):
        return
    own = _NAMES.index(plain) if plain in _NAMES else None
    # an object in a list of results has its address under a name of its own
    best = own if own is None or rank is None else min(own, rank)
    yield from _addresses(value, best, depth - 1)


def _in_text(text: str, rank: int | None, depth: int) -> Iterator[tuple[int, str]]:
    """Look into a text: it is JSON again, with or without something behind it, or an address."""
    if text[:1] in ("{", "[", '"'):
        try:
            value, _ = _DECODER.raw_decode(text)
        except (ValueError, RecursionError):
            return
        yield from _addresses(value, rank, depth - 1)
    elif rank is not None and text:
        yield rank, text.split(maxsplit=1)[0]
