"""/privacy is true: its numbers are those in the code and the settings."""

import re
from importlib.resources import files

import pytest

from bot import i18n
from bot.i18n import languages
from bot.kie.models import RECORD_RETENTION_MONTHS, RESULT_RETENTION_DAYS, UPLOAD_RETENTION_DAYS
from bot.ops.retention import DAY_SECONDS, build_privacy_notice, message_retention_days
from bot.pipeline.poll_task import GIVE_UP_POLLING_AFTER
from bot.settings import Settings
from tests.process_harness import KEY, TOKEN

#: Texts about how long data are kept.
ABOUT_KEEPING = ("privacy", "delete-question", "deleted")


def _settings(**changes: object) -> Settings:
    values: dict[str, object] = {"telegram_bot_token": TOKEN, "kie_api_key": KEY}
    return Settings(_env_file=None, **(values | changes))  # type: ignore[arg-type]  # checked by pydantic


def test_its_figures_are_those_of_the_settings_and_of_the_code() -> None:
    said = build_privacy_notice(_settings(keep_days=7)).translate("en")
    for words in (
        "keep for 7 days whose it was",
        f"what else I said, for {message_retention_days(7):g} days",
        f"uploads for {UPLOAD_RETENTION_DAYS} days, finished pictures for {RESULT_RETENTION_DAYS} days",
        f"with your words, for {RECORD_RETENTION_MONTHS} months",
    ):
        assert words in said
    assert GIVE_UP_POLLING_AFTER == RESULT_RETENTION_DAYS * DAY_SECONDS


def test_nothing_is_remembered_for_longer_than_the_operator_wants() -> None:
    said = build_privacy_notice(_settings(keep_days=1)).translate("en")
    assert "keep for a day whose it was" in said
    assert "what else I said, for a day." in said


@pytest.mark.parametrize("language", languages())
def test_no_figure_about_keeping_is_written_into_a_sentence(language: str) -> None:
    source = files(i18n).joinpath(f"{language}.ftl").read_text(encoding="utf-8")
    for name in ABOUT_KEEPING:
        found = re.search(rf"^{name} =(.*\n(?: .*\n|\n)*)", source, re.MULTILINE)
        assert found is not None
        assert re.findall(r"\d", found[1].replace("[0]", "")) == []


@pytest.mark.parametrize("language", languages())
def test_the_other_transport_is_told_of_honestly(language: str) -> None:
    upload = build_privacy_notice(_settings()).translate(language)
    direct = build_privacy_notice(_settings(image_transport="direct", allow_token_in_urls=True)).translate(language)
    assert upload != direct
    assert all("Telegram" in each and "Kie.ai" in each and "/delete" in each for each in (upload, direct))


def test_directly_means_that_kie_gets_the_key() -> None:
    direct = build_privacy_notice(_settings(image_transport="direct", allow_token_in_urls=True)).translate("en")
    assert "contains my key to Telegram" in direct
