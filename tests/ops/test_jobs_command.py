"""`jobs`: the unfinished jobs and the history of one, read while the bot runs, without any user's text."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.__main__ import run_backup
from bot.logs import REDACTED
from bot.ops.jobs_command import format_duration, format_timestamp, run_jobs_command
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.kie.tasks import ScriptedOutcome, failure
from tests.bot_harness import BotHarness, open_bot_harness
from tests.process_harness import KEY, TOKEN, make_photo, query_database
from tests.stateful.fault_catalogue import POLICY_TEXT


class OperatorTerminal:
    """An operator at the terminal of a machine on which a bot runs."""

    def __init__(self, house: BotHarness, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.harness = house
        self.path = path
        self._capsys = capsys

    def run_jobs_command(self, job_id: int | None = None, code: int = 0) -> list[str]:
        """Return the lines that `jobs` prints, or those of its error message."""
        self._capsys.readouterr()
        assert run_jobs_command(job_id, self.harness.clock.instant()) == code
        printed = self._capsys.readouterr()
        return (printed.err if code else printed.out).splitlines()


@pytest.fixture
async def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[OperatorTerminal]:
    """An operator next to a running bot."""
    path = tmp_path / "darkroom.db"
    monkeypatch.setenv("DATABASE_PATH", str(path))
    monkeypatch.chdir(tmp_path)
    async with open_bot_harness(tmp_path) as house:
        yield OperatorTerminal(house, path, capsys)


async def test_without_anything_open_it_says_so(desk: OperatorTerminal) -> None:
    assert desk.run_jobs_command() == ["Nothing is under way."]


async def test_each_open_job_has_a_line_that_says_what_it_waits_for(desk: OperatorTerminal) -> None:
    house = desk.harness
    await house.request_edit(make_photo())
    await house.request_edit(make_photo("red"), caption="")
    for _ in range(3):
        house.kie.refuse_next_create(455, "maintenance")
    await house.request_edit(make_photo("blue"))
    [head, *lines] = desk.run_jobs_command()
    assert head.split() == ["job", "state", "age", "waits", "for", "tries", "next"]
    assert [line.split()[:2] for line in lines] == [["1", "running"], ["2", "gathering"], ["3", "queued"]]
    assert ["Kie's image" in lines[0], "a prompt" in lines[1], "nothing is ordered" in lines[2]] == [True] * 3
    assert all("snow" not in line for line in lines)


async def test_an_answer_that_cannot_be_sent_is_open_with_its_tries(desk: OperatorTerminal) -> None:
    for call in ("sendPhoto", "getMe"):
        desk.harness.telegram.faults.always(call, Fault(FaultKind.RESPOND, status=500, body=b"{}"))
    await desk.harness.request_edit(make_photo())
    await desk.harness.advance_time(60)
    [_, line] = desk.run_jobs_command()
    assert line.split()[:2] == ["1", "succeeded"]
    assert "its answer to be sent" in line
    assert int(line.split("sent")[1].split()[0]) > 1, "tries"


async def test_the_life_of_an_edit_tells_its_milestones_its_order_and_what_was_said(desk: OperatorTerminal) -> None:
    await desk.harness.request_edit(make_photo())
    await desk.harness.advance_time(60)
    lines = desk.run_jobs_command(1)
    job = await desk.harness.read_job()
    assert lines[0] == "job 1: succeeded"
    names = [line.split()[0] for line in lines if "2027-01-15" in line]
    assert names[:6] == ["received", "queued", "submitted", "finished", "answering", "answered"]
    assert sum("+" in line for line in lines) == 5, "the time between them"
    assert [line for line in lines if "order 1" in line and f", task {job.task_id}" in line and "accepted" in line]
    assert [line for line in lines if "image, the answer: sent after" in line]


async def test_a_life_holds_the_reason_and_no_words_or_secrets(desk: OperatorTerminal) -> None:
    desk.harness.kie.script_outcomes(failure(POLICY_TEXT))
    await desk.harness.request_edit(make_photo(), caption="something forbidden")
    await desk.harness.advance_time(60)
    told = "\n".join(desk.run_jobs_command(1))
    assert told.startswith("job 1: failed, refused")
    [attempt] = query_database(desk.path, "SELECT reference FROM attempts")
    [source] = query_database(desk.path, "SELECT file_id, upload_url FROM source_images")
    for secret in ("forbidden", attempt["reference"], source["file_id"], source["upload_url"], POLICY_TEXT):
        assert str(secret) not in told


async def test_what_kie_said_of_a_picture_that_was_not_found_is_shown_with_its_task(desk: OperatorTerminal) -> None:
    said = '{"a new place": "https://results.example/nano/one.png", "\\u001b[31m": 1}'
    desk.harness.kie.script_outcomes(ScriptedOutcome(raw_result_json=said))
    await desk.harness.request_edit(make_photo())
    await desk.harness.advance_time(60)
    lines = desk.run_jobs_command(1)
    [shown] = [line for line in lines if line.split()[:2] == ["Kie", "said"]]
    job = await desk.harness.read_job()
    assert "a new place" in shown
    assert "https://results.example/nano/one.png" in shown
    assert shown.isprintable()
    assert "snow" not in shown, "what was ordered is the person's"
    assert any(line.split() == ["task", job.task_id] for line in lines)


async def test_what_is_not_there_is_said_with_exit_code_2(
    desk: OperatorTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    [line] = desk.run_jobs_command(7, code=2)
    assert "no job 7" in line
    [line] = desk.run_jobs_command(10**30, code=2)
    assert "no job 1000" in line
    monkeypatch.setenv("DATABASE_PATH", "missing.db")
    [line] = desk.run_jobs_command(code=2)
    assert "missing.db does not exist" in line


async def test_no_secret_is_printed_that_was_put_in_the_wrong_place(
    desk: OperatorTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for secret, variable in ((TOKEN, "TELEGRAM_BOT_TOKEN"), (KEY, "KIE_API_KEY"), ("987654:" + "x" * 35, "PATH")):
        monkeypatch.setenv(variable, secret)
        monkeypatch.setenv("DATABASE_PATH", f"data/{secret}.db")
        [line] = desk.run_jobs_command(code=2)
        assert f"data/{REDACTED}.db does not exist" in line
        assert run_backup(Path("copy.db")) == 2


@pytest.mark.parametrize(
    ("pragma", "words"), [("application_id = 7", "another program"), ("user_version = 0", "an earlier version")]
)
async def test_a_database_that_is_not_this_versions_is_refused(desk: OperatorTerminal, pragma: str, words: str) -> None:
    await desk.harness.close()
    db = sqlite3.connect(desk.path)
    db.execute(f"PRAGMA {pragma}")
    db.close()
    [line] = desk.run_jobs_command(code=2)
    assert words in line


async def test_a_database_that_no_bot_has_open_is_left_as_it_is(desk: OperatorTerminal) -> None:
    await desk.harness.request_edit(make_photo())
    await desk.harness.close()
    before = {each.name: each.read_bytes() for each in desk.path.parent.glob("darkroom.db*")}
    assert "running" in desk.run_jobs_command()[1]
    assert {each.name: each.read_bytes() for each in desk.path.parent.glob("darkroom.db*")} == before


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (59.9, "59.9 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (7260, "2 h 1 min"),
        (90_000, "1 d 1 h"),
        (-90, "-1 min 30 s"),
    ],
)
def test_it_is_written_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert format_duration(5_000, 5_000 + round(seconds * 1000)) == words


def test_a_moment_is_written_with_its_milliseconds() -> None:
    assert format_timestamp(1_800_000_000_000) == "2027-01-15 08:00:00.000"
