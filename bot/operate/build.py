"""Build: what runs here, for whoever compares machines or times."""

import platform
import sqlite3
from importlib.metadata import PackageNotFoundError, version

#: In the place of a version, where the bot runs from its source and is not installed.
SOURCE = "source"


def build(model: str) -> dict[str, str]:
    """Return the versions of the bot, of Python and of SQLite, and the model that edits."""
    try:
        own = version("darkroom-bot")
    except PackageNotFoundError:
        own = SOURCE
    return {"version": own, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "model": model}
