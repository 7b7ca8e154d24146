"""The database is inspected without being changed, even while a bot has it open."""

import fcntl
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.job import State
from bot.ops import checks
from bot.ops.checks import Finding, FindingStatus
from bot.store.database import Database
from bot.store.migrations import newest_schema_version
from bot.store.process_lock import hold_process_lock, is_process_lock_held
from bot.store.read_only_connection import inspect_database
from tests.process_harness import query_database
from tests.store.sample_requests import NOON, make_request

OUR_BOT_ID = 424242


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A database of this bot that no bot has open."""
    path = tmp_path / "data" / "darkroom.db"
    db = await Database.open(str(path))
    await db.transact(lambda tx: tx.bot_identity.claim(OUR_BOT_ID))
    await db.transact(lambda tx: [tx.jobs.add(make_request(number), State.QUEUED, NOON) for number in range(300)])
    await db.close()
    return path


def _check_database(path: Path, **how: object) -> Finding:
    options = {"bot_id": OUR_BOT_ID, "is_running": False} | how
    return checks.check_database(path, **options)[0]  # type: ignore[arg-type] # by name, from a test


def _failed(finding: Finding, *words: str) -> None:
    assert finding.status is FindingStatus.FAILURE
    assert [word for word in words if word not in f"{finding.found}: {finding.remedy}"] == []
    assert finding.remedy


def _file_state(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.parent.iterdir()}


def test_one_that_is_not_there_yet_is_fine_and_not_made(tmp_path: Path) -> None:
    finding = _check_database(tmp_path / "new" / "folder" / "darkroom.db")
    assert (finding.status, finding.found[-39:]) == (FindingStatus.OK, "does not exist yet, and will be created")
    assert list(tmp_path.iterdir()) == []


async def test_a_sound_one_is_left_as_it_is(path: Path) -> None:
    before = _file_state(path)
    finding = _check_database(path)
    assert (finding.status, finding.found) == (FindingStatus.OK, f"{path} is sound; no bot runs on it")
    assert _file_state(path) == before, "nor may there be files beside it that the bot's user could not open"


async def test_beside_a_bot_that_writes_both_go_on(path: Path) -> None:
    with hold_process_lock(str(path)):
        db = await Database.open(str(path))
        await db.transact(lambda tx: tx.jobs.add(make_request(1000), State.QUEUED, NOON))
        assert is_process_lock_held(str(path))
        finding = _check_database(path, is_running=True)
        await db.transact(lambda tx: tx.jobs.add(make_request(1001), State.QUEUED, NOON))
        assert len(await db.transact(lambda tx: tx.jobs.list_in_state(State.QUEUED))) == 302
        await db.close()
    assert (finding.status, finding.found) == (FindingStatus.OK, f"{path} is sound; a bot runs on it")
    assert not is_process_lock_held(str(path))


async def test_what_a_killed_bot_left_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    db = await Database.open(str(path))
    await db.transact(lambda tx: tx.bot_identity.claim(777))
    (tmp_path / "left").mkdir()
    for file in tmp_path.glob("live.db*"):
        shutil.copy(file, tmp_path / "left" / file.name)
    await db.close()
    _failed(_check_database(tmp_path / "left" / "live.db"), "belongs to another bot (id 777, this one is 424242)")


def test_a_bot_that_starts_at_the_moment_of_the_look_is_not_turned_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "darkroom.db")
    with hold_process_lock(path):
        pass
    looking = os.open(f"{path}.lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr(time, "sleep", lambda _: os.close(looking))
    with hold_process_lock(path):
        assert is_process_lock_held(path)


async def test_one_of_a_later_version_is_named(path: Path) -> None:
    _execute(path, f"PRAGMA user_version = {newest_schema_version() + 1}")
    _failed(_check_database(path), "later version of Darkroom", "run that version")


async def test_one_of_an_earlier_version_says_that_it_will_be_brought_on(path: Path) -> None:
    _execute(path, "PRAGMA user_version = 0")
    finding = _check_database(path)
    assert finding.status is FindingStatus.OK
    assert f"from schema 0 to {newest_schema_version()} at the start" in finding.found


async def test_one_of_another_program_is_named(tmp_path: Path) -> None:
    _execute(tmp_path / "other.db", "CREATE TABLE t (x)")
    _failed(_check_database(tmp_path / "other.db"), "database of another program")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("this is no database at all " * 100)
    _failed(_check_database(tmp_path / "notes.txt"), "not a database", "put back a backup")


def test_an_empty_file_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "darkroom.db").touch()
    assert _check_database(tmp_path / "darkroom.db").status is FindingStatus.OK


async def test_a_damaged_one_is_a_failure(path: Path) -> None:
    [(page,)] = query_database(path, "SELECT rootpage FROM sqlite_schema WHERE name = 'jobs'")
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 : (page - 1) * 4096 + 64] = b"\xff" * 64
    path.write_bytes(content)
    _failed(_check_database(path), str(path), "put back a backup")


async def test_one_that_is_too_large_for_the_time_is_a_warning(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute(
            "CREATE TABLE large AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 20000) "
            "SELECT x FROM n"
        )
    db.close()
    assert not inspect_database(path, is_written=False, seconds=-1).is_complete
    finding = _check_database(path, seconds=-1)
    assert finding.status is FindingStatus.WARNING
    assert "too large" in finding.found


@pytest.mark.parametrize("name", [".", ":memory:", "file/darkroom.db"])
def test_a_path_that_can_be_no_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    _failed(_check_database(Path(name)), "DATABASE_PATH")


@pytest.mark.parametrize(("folder", "file"), [(0o700, 0o600), (0o755, 0o666), (0o777, 0o644), (0o777, None)])
async def test_what_belongs_to_another_user_is_named(folder: int, file: int | None) -> None:
    with tempfile.TemporaryDirectory() as name:  # not in a folder of pytest, which no other user can open
        inner = Path(name) / "data"
        inner.mkdir()
        if file is not None:
            await (await Database.open(str(inner / "darkroom.db"))).close()
            (inner / "darkroom.db").chmod(file)
        inner.chmod(folder)
        Path(name).chmod(0o755)
        with _as_unprivileged_user():
            finding = _check_database(inner / "darkroom.db")
    if file is None:
        assert finding.status is FindingStatus.OK
    else:
        _failed(finding, "DATABASE_PATH", "let this user write there")


@contextmanager
def _as_unprivileged_user() -> Iterator[None]:
    """Run the body as a user without privileges."""
    if os.geteuid():
        pytest.skip("only root can become somebody else")
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    ("free", "status"),
    [
        (1 << 40, FindingStatus.OK),
        (200 << 20, FindingStatus.OK),
        (199 << 20, FindingStatus.WARNING),
        (19 << 20, FindingStatus.FAILURE),
    ],
)
def test_a_disk_that_is_nearly_full_is_told(free: int, status: FindingStatus) -> None:
    finding = checks.judge_disk_space(free, Path("/srv"))
    assert finding.status is status
    assert (finding.remedy is None) is (status is FindingStatus.OK)


def _execute(path: Path, sql: str) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(sql)
    db.close()
