"""`.env.example`, which an operator copies first, is complete, explained, and in step with the settings."""

import re
from pathlib import Path

import pytest

from bot.settings import Settings
from tests.process_harness import KEY, PROJECT_ROOT, TOKEN

EXAMPLE = (PROJECT_ROOT / ".env.example").read_text(encoding="utf-8")
SECRETS = {"TELEGRAM_BOT_TOKEN": TOKEN, "KIE_API_KEY": KEY}
NAMES = [name.upper() for name in Settings.model_fields]

ASSIGNMENT = re.compile(r"^(#?)([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)
EXPLAINED = re.compile(r"^\n# [A-Z][^\n]+\.\n#?([A-Z][A-Z0-9_]*)=[^\s\"'#]*$", re.MULTILINE)


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def fill_in_secrets(text: str) -> str:
    """Fill in the two secrets, as an operator does."""
    for name, value in SECRETS.items():
        text = text.replace(f"\n{name}=\n", f"\n{name}={value}\n")
    return text


def read_settings(folder: Path, text: str) -> Settings:
    """Return the settings with this text as `.env`."""
    file = folder / ".env"
    file.write_text(text, encoding="utf-8")
    return Settings(_env_file=file)


def default_settings(folder: Path) -> Settings:
    """Return the settings of an operator who sets only the secrets."""
    return read_settings(folder, "".join(f"{name}={value}\n" for name, value in SECRETS.items()))


def test_every_setting_is_listed_once_and_nothing_else() -> None:
    assert sorted(name for _, name, _ in ASSIGNMENT.findall(EXAMPLE)) == sorted(NAMES)


def test_every_setting_has_one_sentence_above_it() -> None:
    assert sorted(EXPLAINED.findall(EXAMPLE)) == sorted(NAMES)


def test_only_the_two_secrets_wait_to_be_filled_in() -> None:
    asked = {name: value for mark, name, value in ASSIGNMENT.findall(EXAMPLE) if not mark}
    assert asked == dict.fromkeys(SECRETS, "")


def test_a_copy_with_the_secrets_filled_in_is_the_default_bot(tmp_path: Path) -> None:
    assert read_settings(tmp_path, fill_in_secrets(EXAMPLE)) == default_settings(tmp_path)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SECRETS])
def test_the_default_that_is_shown_is_the_default(name: str, tmp_path: Path) -> None:
    field = name.lower()
    text = fill_in_secrets(EXAMPLE).replace(f"\n#{name}=", f"\n{name}=")
    assert getattr(read_settings(tmp_path, text), field) == getattr(default_settings(tmp_path), field)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SECRETS])
def test_a_default_is_blank_only_where_there_is_none(name: str) -> None:
    (shown,) = (value for _, listed, value in ASSIGNMENT.findall(EXAMPLE) if listed == name)
    assert (shown == "") == (Settings.model_fields[name.lower()].default in (None, frozenset()))
