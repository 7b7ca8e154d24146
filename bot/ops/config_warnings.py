"""Warnings about usable but unwise settings, and refusals of unusable ones; `run` logs them, `check` shows them."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from bot.http_client import find_proxy_problem
from bot.kie.models import KNOWN_MODELS
from bot.settings import CannotRun, Settings, find_misspelt_settings


def refuse_unknown_model(settings: Settings) -> None:
    """Raise CannotRun for a model whose input names are unknown: Kie ignores wrong names and still charges."""
    if settings.kie_model not in KNOWN_MODELS:
        known = ", ".join(sorted(KNOWN_MODELS))
        raise CannotRun(f"KIE_MODEL {settings.kie_model} is not one whose input names are known: use {known}")


def find_config_warnings(settings: Settings) -> Iterator[str]:
    """Yield each warning as the problem, a colon and the remedy."""
    if settings.image_transport == "direct":
        yield ("IMAGE_TRANSPORT=direct hands the bot token to Kie in every image URL: IMAGE_TRANSPORT=upload does not")
    yield from map(str, find_misspelt_settings())
    for path in (Path(".env"), Path(settings.database_path)):
        if _is_open_to_others(path):
            yield f"{path} can be opened by other users of this machine: chmod 600 {path}"
    if settings.kie_webhook_key is not None and settings.public_url is None:
        yield "KIE_WEBHOOK_KEY has no effect without callbacks from Kie: set PUBLIC_URL, or remove it"


def _is_open_to_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError:  # it does not exist, or this user may not look into its folder
        return False


def refuse_unusable_proxies() -> None:
    """Raise CannotRun for proxy variables of the environment that the HTTP library cannot use."""
    problem = find_proxy_problem(os.environ)
    if problem is not None:
        raise CannotRun(problem)
