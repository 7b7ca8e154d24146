"""/privacy says what is so: its figures are those that the code goes by."""

import re
from importlib.resources import files

import pytest

from bot import texts
from bot.jobs.watch import LAST_QUESTION
from bot.kie.keeping import RECORDS_KEPT, RESULTS_KEPT, UPLOADS_KEPT
from bot.operate.privacy import privacy
from bot.operate.retention import DAY, remembered_days
from bot.settings import Settings
from bot.texts import languages
from tests.world import KEY, TOKEN

#: Sentences about what is kept.
ABOUT_KEEPING = ("privacy", "delete-question", "deleted")


def _settings(**changes: object) -> Settings:
    values: dict[str, object] = {"telegram_bot_token": TOKEN, "kie_api_key": KEY}
    return Settings(_env_file=None, **(values | changes))  # type: ignore[arg-type]  # checked by pydantic


def test_its_figures_are_those_of_the_settings_and_of_the_code() -> None:
    said = privacy(_settings(keep_days=7)).into("en")
    for words in (
        "keep for 7 days whose it was",
        f"what else I said, for {remembered_days(7):g} days",
        f"uploads for {UPLOADS_KEPT} days, finished pictures for {RESULTS_KEPT} days",
        f"with your words, for {RECORDS_KEPT} months",
    ):
        assert words in said
    assert LAST_QUESTION == RESULTS_KEPT * DAY


def test_nothing_is_remembered_for_longer_than_the_operator_wants() -> None:
    said = privacy(_settings(keep_days=1)).into("en")
    assert "keep for a day whose it was" in said
    assert "what else I said, for a day." in said


@pytest.mark.parametrize("language", languages())
def test_no_figure_about_keeping_is_written_into_a_sentence(language: str) -> None:
    source = files(texts).joinpath(f"{language}.ftl").read_text(encoding="utf-8")
    for name in ABOUT_KEEPING:
        found = re.search(rf"^{name} =(.*\n(?: .*\n|\n)*)", source, re.MULTILINE)
        assert found is not None
        assert re.findall(r"\d", found[1].replace("[0]", "")) == []


@pytest.mark.parametrize("language", languages())
def test_the_other_transport_is_told_of_honestly(language: str) -> None:
    upload = privacy(_settings()).into(language)
    direct = privacy(_settings(image_transport="direct", allow_token_in_urls=True)).into(language)
    assert upload != direct
    assert all("Telegram" in each and "Kie.ai" in each and "/delete" in each for each in (upload, direct))


def test_directly_means_that_kie_gets_the_key() -> None:
    direct = privacy(_settings(image_transport="direct", allow_token_in_urls=True)).into("en")
    assert "contains my key to Telegram" in direct
