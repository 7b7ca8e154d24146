"""Warnings about the settings at startup."""

from pathlib import Path

import pytest

from bot.app import _check_settings
from bot.settings import Settings
from tests.process_harness import KEY, TOKEN


@pytest.mark.parametrize(("mode", "is_said"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
@pytest.mark.parametrize("name", [".env", "darkroom.db"])
def test_a_file_with_secrets_or_prompts_that_others_can_open_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    mode: int,
    is_said: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).touch(mode=mode)
    Path(name).chmod(mode)
    _check_settings(Settings(_env_file=None, telegram_bot_token=TOKEN, kie_api_key=KEY, database_path="darkroom.db"))
    assert (f"chmod 600 {name}" in caplog.text) is is_said
