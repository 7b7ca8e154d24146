"""The log of a whole edit: when it was ordered, taken, made and answered, and no word of the person's."""

import json
import logging

import pytest

from bot.job import State
from tests.house import House
from tests.logged import entries
from tests.world import a_photo


async def test_an_edit_tells_when_it_was_ordered_taken_made_and_answered(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bot")
    await house.ask(a_photo(), caption="make it snow")
    await house.pass_time(60)
    said = entries(caplog)
    assert [each.get("to", each.get("milestone")) for each in said] == [
        State.QUEUED,
        State.SUBMITTING,
        State.RUNNING,
        State.SUCCEEDED,
        "answered",
    ]
    task = (await house.job()).task_id
    assert [each.get("task") for each in said] == [None, None, task, None, None]
    assert said[3]["credits"] > 0
    assert said[3]["seconds"] >= 20, "since it was ordered"
    assert {each["job"] for each in said} == {1}
    assert "snow" not in json.dumps(said)
