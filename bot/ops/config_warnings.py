"""Cautions: what the operator is told about the settings before anything starts; `run` logs it, `check` shows it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from bot.http_client import find_proxy_problem
from bot.kie.models import KNOWN_MODELS
from bot.settings import CannotRun, Settings, find_misspelt_settings

#: What the group and everybody else may do with a file.
GROUP_AND_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def refuse_unknown_model(settings: Settings) -> None:
    """Raise CannotRun for a model whose input names are not known: Kie ignores wrong ones, and takes the money."""
    if settings.kie_model not in KNOWN_MODELS:
        known = ", ".join(sorted(KNOWN_MODELS))
        raise CannotRun(f"KIE_MODEL {settings.kie_model} is not one whose input names are known: use {known}")


def find_config_warnings(settings: Settings) -> Iterator[str]:
    """Name what the bot can run with, and better would not: what it is, a colon, and the remedy."""
    if settings.image_transport == "direct":
        yield (
            "IMAGE_TRANSPORT=direct hands the bot token to Kie in every picture's address: "
            "IMAGE_TRANSPORT=upload does not"
        )
    yield from map(str, find_misspelt_settings())
    for path in (Path(".env"), Path(settings.database_path)):
        if _is_open_to_others(path):
            yield f"{path} can be opened by other users of this machine: chmod 600 {path}"
    if settings.kie_webhook_key is not None and settings.public_url is None:
        yield "KIE_WEBHOOK_KEY is of no use, as Kie is not asked to call back: set PUBLIC_URL, or remove it"


def _is_open_to_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & GROUP_AND_OTHERS)
    except OSError:  # it is not there, or in a folder that even we cannot look into
        return False


def refuse_unusable_proxies() -> None:
    """Raise CannotRun for what the HTTP library reads from the environment by itself, and cannot use."""
    problem = find_proxy_problem(os.environ)
    if problem is not None:
        raise CannotRun(problem)
