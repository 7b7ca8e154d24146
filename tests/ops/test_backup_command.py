"""A backup can be made while the bot runs, is intact and private, and never replaces another file."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.job import State
from bot.store.backup import copy_database
from bot.store.database import Database
from tests.process_harness import make_photo, open_process_harness, query_database
from tests.store.sample_requests import NOON, make_request


@pytest.fixture
async def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database that no bot has open, in an environment without secrets."""
    path = tmp_path / "data" / "darkroom.db"
    db = await Database.open(str(path))
    await db.transact(lambda tx: [tx.jobs.add(make_request(number), State.QUEUED, NOON) for number in range(200)])
    await db.close()
    monkeypatch.setenv("DATABASE_PATH", str(path))
    monkeypatch.chdir(tmp_path)
    return path


def _refusal_of_backup(capsys: pytest.CaptureFixture[str], target: Path) -> str:
    """Run a backup that must fail, and return its one line of error message."""
    assert main(["backup", str(target)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    return line


async def test_beside_a_running_bot_it_holds_what_the_bot_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy.db"
    async with open_process_harness(tmp_path / "world") as world:
        await world.create_bot().start_until_ready()
        ada = world.telegram.person()
        ada.send_photo(make_photo(), caption="make it snow")
        await world.wait_for_pictures(ada.id)
        monkeypatch.setenv("DATABASE_PATH", str(world.database))
        assert main(["backup", str(copy)]) == 0
    assert [row["prompt"] for row in query_database(copy, "SELECT prompt FROM jobs")] == ["make it snow"]


async def test_it_is_one_private_file_from_which_a_bot_goes_on(tmp_path: Path, database: Path) -> None:
    copy = tmp_path / "copy.db"
    assert main(["backup", str(copy)]) == 0
    assert [path.name for path in tmp_path.glob("copy*")] == ["copy.db"]
    assert copy.stat().st_mode & 0o077 == 0
    assert query_database(copy, "PRAGMA integrity_check")[0][0] == "ok"
    db = await Database.open(str(copy))
    assert await db.transact(lambda tx: tx.jobs.count_at_kie(0)) == 0
    assert len(await db.transact(lambda tx: tx.jobs.list_in_state(State.QUEUED))) == 200
    await db.close()


async def test_the_database_itself_is_left_as_it_is(tmp_path: Path, database: Path) -> None:
    before = database.read_bytes()
    assert main(["backup", str(tmp_path / "copy.db")]) == 0
    assert database.read_bytes() == before


async def test_it_says_how_far_it_is(tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.store.backup.PAGES_PER_STEP", 10)
    monkeypatch.setattr("bot.store.backup.CHECK_PROGRESS_INTERVAL", 100)
    said: list[str] = []
    copy_database(database, tmp_path / "copy.db", said.append)
    copied = [words.split() for words in said if words.startswith("copied")]
    assert len(copied) > 2
    assert (copied[0][1], copied[-1][1]) == ("10", copied[-1][3])
    assert said[-1] == "checking the copy"


async def test_it_ends_beside_a_bot_that_commits_all_the_time(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.store.backup.PAGES_PER_STEP", 10)
    commits: list[int] = []
    with closing(sqlite3.connect(database, isolation_level=None)) as bot:

        def commit_between_two_steps(_: str) -> None:
            commits.append(bot.execute("UPDATE jobs SET prompt = prompt || '!'").rowcount)
            assert len(commits) < 100, "it begins again and again"

        copy_database(database, tmp_path / "copy.db", commit_between_two_steps)
    assert len(commits) > 2
    [(prompts,)] = query_database(tmp_path / "copy.db", "SELECT count(DISTINCT prompt) FROM jobs")
    assert prompts == 1, "of one moment"


async def test_an_earlier_backup_is_not_overwritten(
    tmp_path: Path, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "copy.db").write_text("precious")
    assert "exists already" in _refusal_of_backup(capsys, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "precious"


@pytest.mark.parametrize(("name", "words"), [("missing.db", "does not exist"), ("other.db", "another program")])
async def test_what_is_no_database_of_ours_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE t (x)")
    other.close()
    monkeypatch.setenv("DATABASE_PATH", str(tmp_path / name))
    said = _refusal_of_backup(capsys, tmp_path / "copy.db")
    assert words in said
    assert said.startswith("DATABASE_PATH")
    assert list(tmp_path.glob("copy*")) == []


async def test_a_damaged_database_gives_no_backup(
    tmp_path: Path, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(database.read_bytes())
    for page in range(4096 * 5, len(content) - 4096, 4096):
        content[page : page + 64] = b"\xff" * 64
    database.write_bytes(content)
    assert "DATABASE_PATH" in _refusal_of_backup(capsys, tmp_path / "copy.db")
    assert list(tmp_path.glob("copy*")) == []


async def test_a_place_that_cannot_be_written_is_said(
    tmp_path: Path, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "full").write_text("a file where a folder should be")
    assert "cannot be written" in _refusal_of_backup(capsys, tmp_path / "full" / "copy.db")
