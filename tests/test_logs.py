"""Whatever is logged, and however, no secret appears in the log."""

import json
import logging
import sys
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import logs
from bot.logs import Redaction

TOKEN = "555555:" + "canary" * 6
KEY = "canary-key/+with=signs"


pytestmark = pytest.mark.usefixtures("restored_logging")


@given(st.text(max_size=50), st.text(max_size=50), st.sampled_from([TOKEN, KEY]))
def test_a_secret_is_gone_from_any_text(before: str, after: str, secret: str) -> None:
    assert secret not in Redaction([TOKEN, KEY])(before + secret + after)


def test_a_secret_is_gone_in_the_form_it_has_in_addresses() -> None:
    redact = Redaction([KEY])
    assert "canary" not in redact("https://x/?key=canary-key%2F%2Bwith%3Dsigns")


def test_a_token_that_is_not_ours_to_know_is_gone_too() -> None:
    assert "stranger" not in Redaction([])("https://api/bot987654:" + "stranger" * 5 + "/getMe")


@pytest.mark.parametrize("form", ["text", "json"])
def test_arguments_tracebacks_and_warnings_are_redacted(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    warnings.simplefilter("always")
    logs.configure_logging("DEBUG", form, [TOKEN, KEY])
    try:
        raise ValueError(f"calling https://api/bot{TOKEN}/getMe")
    except ValueError:
        logging.getLogger("any.library").exception("failed with %s", KEY)
    warnings.warn(f"beware of {TOKEN}", UserWarning, stacklevel=1)
    sys.excepthook(ValueError, ValueError(KEY), None)
    said = capsys.readouterr().err
    assert "canary" not in said
    assert said.count("[secret]") >= 4


def test_a_job_line_in_json_names_the_job(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure_logging("INFO", "json", [])
    logging.getLogger("bot.x").info("job %d: queued", 12, extra={"job": 12})
    entry = json.loads(capsys.readouterr().err)
    assert (entry["message"], entry["job"], entry["level"]) == ("job 12: queued", 12, "INFO")


def test_the_libraries_that_log_addresses_are_quiet_even_at_debug(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure_logging("DEBUG", "text", [])
    logging.getLogger("httpx").info("HTTP Request: POST https://api/...")
    logging.getLogger("telegram.Bot").debug("parameters of a private message")
    assert capsys.readouterr().err == ""


def test_a_log_call_with_wrong_arguments_tells_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure_logging("INFO", "text", [KEY])
    careless = logging.getLogger("any.library").info
    careless("no place for it", KEY)
    assert KEY not in capsys.readouterr().err


def test_an_error_can_be_logged_without_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure_logging("INFO", "text", [])
    try:
        int("words of somebody")
    except ValueError as error:
        logging.getLogger("bot.x").error("set aside", exc_info=logs.hide_message(error))
    said = capsys.readouterr().err
    assert "words of somebody'" not in said
    assert "ValueError" in said
    assert "test_logs.py" in said, "the way is still told"
