"""What is read of a callback: which task it is about, and nothing else.

Its shape has changed twice since 2025 and is not signed, so whatever arrives is taken, and no more of it is used
than a task id that can be asked about.
"""

from bot.kie.record import mapping, opaque_id, parsed

#: where Kie's interfaces put it: this one's first, then those of its sisters
_NAMES = ("taskId", "task_id")


def task_named(body: bytes) -> str | None:
    """Return the id of the task that a callback names; None for a body that names none, whatever it is."""
    payload = mapping(parsed(body))
    data = mapping(payload.get("data"))
    found = (opaque_id(fields.get(name)) for fields in (data, payload) for name in _NAMES)
    return next((each for each in found if each is not None), None)
