"""A misspelt setting is reported with the right name: an error if a limit would not apply, otherwise a warning."""

from pathlib import Path

import pytest

from bot.__main__ import main
from bot.misspelt_settings import LIMIT_SETTINGS, find_misspellings
from bot.ops.config_warnings import find_config_warnings
from bot.settings import CannotRun, Settings, load_settings

KNOWN = list(Settings.model_fields)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only the two secrets are set, and there is no .env."""
    for name in KNOWN:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "1234:" + "obviously-fake")
    monkeypatch.setenv("KIE_API_KEY", "obviously-fake-key")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DAILY_EDIT", "DAILY_EDITS"),
        ("daily_edits_per_users", "DAILY_EDITS_PER_USER"),
        ("DAILY_CREDIT", "DAILY_CREDITS"),
        ("ALLOWED_ID", "ALLOWED_IDS"),
        ("ALLOW_IDS", "ALLOWED_IDS"),
        ("KIE_WEBHOK_KEY", "KIE_WEBHOOK_KEY"),
    ],
)
@pytest.mark.parametrize("is_in_file", [False, True])
def test_a_limit_that_would_not_hold_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, meant: str, *, is_in_file: bool
) -> None:
    if is_in_file:
        (tmp_path / ".env").write_text(f"{name}=3\n")
    else:
        monkeypatch.setenv(name, "3")
    with pytest.raises(CannotRun) as caught:
        load_settings()
    assert str(caught.value) == f"{name.upper()} is not a setting, so it is ignored: write {meant}, or remove it"


@pytest.mark.parametrize(
    ("name", "meant"),
    [("TELEGRM_UPDATES", "TELEGRAM_UPDATES"), ("LOGLEVEL", "LOG_LEVEL"), ("ADMIN_ID", "ADMIN_IDS")],
)
def test_anything_else_is_a_warning(monkeypatch: pytest.MonkeyPatch, name: str, meant: str) -> None:
    monkeypatch.setenv(name, "x")
    [told] = find_config_warnings(load_settings())
    assert told.startswith(f"{name} is not a setting")
    assert f"write {meant}" in told


def test_check_says_the_same(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ALLOWED_ID", "1")
    monkeypatch.setattr("os._exit", _exit)
    with pytest.raises(SystemExit) as left:
        main(["check"])
    assert left.value.code == 1
    assert "failure  settings   ALLOWED_ID is not a setting" in capsys.readouterr().out


def _exit(code: int) -> None:
    raise SystemExit(code)


def test_a_limit_that_is_set_by_its_right_name_holds_whatever_else_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAILY_EDIT", "3")
    monkeypatch.setenv("DAILY_EDITS", "5")
    assert load_settings().daily_edits == 5
    assert "DAILY_EDIT " in "".join(find_config_warnings(load_settings()))


@pytest.mark.parametrize(
    "name", ["HOSTNAME", "POST", "PORTS", "DATABASE_URL", "TELEGRAM_API_ID", "TELEGRAM_API_HASH", "RAILWAY_PUBLIC_URL"]
)
def test_the_variables_of_other_programs_are_none_of_our_business(name: str) -> None:
    assert list(find_misspellings([name], KNOWN)) == []


def test_what_limits_is_a_setting() -> None:
    assert set(KNOWN) >= LIMIT_SETTINGS
