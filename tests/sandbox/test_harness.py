"""The harness reports what the bot does, and knows when it is idle."""

import sys

import pytest

from bot.sandbox.bot_process import BotStopped
from bot.sandbox.harness import PERSON_ID, SandboxHarness, open_harness
from bot.sandbox.kie.local_kie import LocalKie
from bot.sandbox.telegram.local_telegram import LocalTelegram


async def test_a_bot_that_does_not_start_is_reported_with_its_last_words() -> None:
    reported: list[str] = []
    with pytest.raises(BotStopped, match="no luck"):
        async with open_harness(0.1, reported.append, [sys.executable, "-c", "raise SystemExit('no luck')"]):
            pass
    assert reported == ["   log: no luck"]


async def test_a_stage_without_a_bot_has_no_news() -> None:
    harness = SandboxHarness(LocalTelegram(token="1:x"), LocalKie(key="x"), print)
    with pytest.raises(BotStopped):
        harness.report_new_messages()


async def test_it_is_not_over_right_after_something_was_sent() -> None:
    reported: list[str] = []
    harness = SandboxHarness(LocalTelegram(token="1:x"), LocalKie(key="x"), reported.append)
    harness.report_sent("hello")
    assert not harness.is_idle
    assert (reported, harness.telegram.messages(PERSON_ID)) == (["you sent hello"], [])
