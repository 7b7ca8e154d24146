"""If the database file or one beside it is lost, the running bot exits with a remedy, after rescuing what it can."""

import asyncio
import os
import shutil
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

import pytest

from bot.__main__ import _log_fatal_error
from bot.app import wire
from bot.clock import Clocks
from bot.ops import watchdog
from bot.ops.checks import FindingStatus, check_database
from bot.ops.watchdog import Watchdog
from bot.settings import CannotRun, MustRestart
from bot.store import database, secure_delete
from bot.store.backup import DatabaseFileLost, copy_database, list_rescued_files
from bot.store.database import Database
from bot.store.process_lock import hold_process_lock
from tests.bot_harness import BotHarness, open_bot_harness
from tests.process_harness import make_photo

#: Seconds that a check of the files may take.
TIMEOUT_SECONDS = 20.0

DamageFile = Callable[[Path], None]


@asynccontextmanager
async def _open_harness(folder: Path) -> AsyncIterator[BotHarness]:
    """Open a harness that may leave its database connection open, as is necessary for a lost file."""
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(open_bot_harness(folder))
        first = house.bot.db
        try:
            yield house
        finally:
            await stack.aclose()
            await _close_connection(first)


async def _close_connection(db: Database) -> None:
    """Close the connection as the end of the process would."""
    if db._connection._running:
        await db._connection.close()
        db._file.close()


def _older_copy_path(path: Path) -> Path:
    return path.with_name("older.db")


def _make_older_copy(path: Path) -> None:
    copy_database(path, _older_copy_path(path), lambda _: None)


def _replace(path: Path) -> None:
    _older_copy_path(path).replace(path)


def _overwrite(path: Path) -> None:
    shutil.copyfile(_older_copy_path(path), path)


def _damage_beside(suffix: str, harm: DamageFile) -> DamageFile:
    return lambda path: harm(path.with_name(f"{path.name}{suffix}"))


def _replace_with_another_database(path: Path) -> None:
    path.with_name("another").write_bytes(b"")
    path.with_name("another").replace(path)


async def _start_order(house: BotHarness) -> Path:
    path = Path(house.bot.settings.database_path)
    _make_older_copy(path)
    await house.request_edit(make_photo())
    assert len(house.kie.tasks) == 1
    assert house.pictures() == []
    await house.bot.watchdog.check_files(TIMEOUT_SECONDS)
    return path


@pytest.mark.parametrize(
    ("harm", "error"),
    [
        (Path.unlink, "was deleted or moved away"),
        (lambda path: path.rename(path.with_name("elsewhere.db")), "was deleted or moved away"),
        (_replace, "was replaced by another file"),
    ],
)
@pytest.mark.parametrize("is_wal_left", [True, False])
async def test_what_a_lost_file_held_is_saved_and_goes_on(
    tmp_path: Path, harm: DamageFile, error: str, is_wal_left: bool
) -> None:
    async with _open_harness(tmp_path) as house:
        path = await _start_order(house)
        harm(path)
        if not is_wal_left:
            _damage_beside("-wal", Path.unlink)(path)
        with pytest.raises(CannotRun, match=error):
            await house.bot.watchdog.check_files(TIMEOUT_SECONDS)
        with pytest.raises(DatabaseFileLost, match=error) as ended:
            await house.close()
        [saved] = list_rescued_files(str(path))
        assert str(saved) in str(ended.value)
        assert stat.S_IMODE(saved.stat().st_mode) == 0o600
        assert [each.name for each in tmp_path.glob("darkroom.db-*")] == [], (
            "nothing that would not belong to a new file"
        )
        saved.replace(path)
        await house.open()
        await house.bot.worker.recover()
        await house.advance_time(60)
        assert len(house.pictures()) == 1
        assert len(house.kie.tasks) == 1


async def test_what_cannot_be_saved_is_saved_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder, away = tmp_path / "data", tmp_path / "away"
    folder.mkdir()
    monkeypatch.setattr(database, "RESCUE_RETRY_DELAY", 0.001)
    async with _open_harness(folder) as house:
        path = await _start_order(house)
        path.unlink()
        folder.rename(away)
        ending = asyncio.ensure_future(house.close())
        done, _ = await asyncio.wait([ending], timeout=0.1)
        assert not done
        assert "is lost with the end of this process, and cannot be saved" in caplog.text
        away.rename(folder)
        with pytest.raises(DatabaseFileLost, match="what it held is saved"):
            await ending
        assert len(list_rescued_files(str(path))) == 1


async def test_a_bot_does_not_begin_anew_where_a_saved_file_waits(tmp_path: Path) -> None:
    async with _open_harness(tmp_path) as house:
        path = await _start_order(house)
        path.unlink()
        with pytest.raises(DatabaseFileLost):
            await house.close()
    with pytest.raises(
        CannotRun, match=r"was deleted while the bot ran.*: rename that to .*, or delete it to begin anew"
    ):
        await Database.open(str(path))
    [finding, _] = check_database(path, bot_id=None, is_running=False)
    assert (finding.status, "rename that to" in (finding.remedy or "")) == (FindingStatus.FAILURE, True)
    for each in list_rescued_files(str(path)):
        each.unlink()
    await (await Database.open(str(path))).close()


async def test_nothing_of_ours_is_written_into_a_file_that_was_overwritten(tmp_path: Path) -> None:
    async with _open_harness(tmp_path) as house:
        path = await _start_order(house)
        await house.advance_time(60)
        assert await house.bot.db.scrub()
        _overwrite(path)
        with pytest.raises(CannotRun, match="was overwritten"):
            await house.bot.watchdog.check_files(TIMEOUT_SECONDS)
        await house.bot.db.transact(lambda tx: tx.users.set_language(7, "en"))
        assert not await house.bot.db.scrub()
        with pytest.raises(DatabaseFileLost, match=r"was overwritten.*put the file there that you want to go on with"):
            await house.close()
        assert path.read_bytes() == _older_copy_path(path).read_bytes()
        assert [each.name for each in tmp_path.glob("darkroom.db-*")] == []
        with closing(sqlite3.connect(path)) as alone:
            assert alone.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_a_file_that_is_no_database_any_more_is_noticed(tmp_path: Path) -> None:
    async with _open_harness(tmp_path) as house:
        path = await _start_order(house)
        path.write_bytes(b"no database")
        with pytest.raises(CannotRun, match="was overwritten"):
            await house.bot.watchdog.check_files(TIMEOUT_SECONDS)
        with pytest.raises(DatabaseFileLost):
            await house.close()
        assert path.read_bytes() == b"no database"
        path.unlink()
        await house.open()


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
@pytest.mark.parametrize("harm", [Path.unlink, _replace_with_another_database])
async def test_without_a_file_beside_it_the_database_has_everything_and_a_restart_helps(
    tmp_path: Path, suffix: str, harm: DamageFile
) -> None:
    async with _open_harness(tmp_path) as house:
        path = await _start_order(house)
        _damage_beside(suffix, harm)(path)
        with pytest.raises(MustRestart, match=rf"{suffix} was deleted or replaced.*loses nothing"):
            await house.bot.watchdog.check_files(TIMEOUT_SECONDS)
        shutil.copyfile(path, tmp_path / "alone.db")
        with closing(sqlite3.connect(tmp_path / "alone.db")) as alone:
            assert alone.execute("SELECT count(*) FROM jobs WHERE state = 'running'").fetchone() == (1,)
        await house.restart()
        await house.advance_time(60)
        assert len(house.pictures()) == 1


@pytest.mark.parametrize("harm", [Path.unlink, _replace_with_another_database])
async def test_without_the_lock_that_keeps_a_second_bot_away_it_starts_again(tmp_path: Path, harm: DamageFile) -> None:
    async with open_bot_harness(tmp_path) as house, AsyncExitStack() as stack:
        settings = house.bot.settings.model_copy(update={"database_path": str(tmp_path / "second.db")})
        lock = stack.enter_context(hold_process_lock(settings.database_path))
        bot = await wire(settings, stack, Clocks(house.clock.instant, house.clock), lock)
        await bot.watchdog.check_files(TIMEOUT_SECONDS)
        harm(tmp_path / "second.db.lock")
        with pytest.raises(MustRestart, match=r"second.db.lock was deleted or replaced"):
            await bot.watchdog.check_files(TIMEOUT_SECONDS)


async def test_a_lost_file_ends_the_whole_with_code_2_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "CHECK_INTERVAL", 0.01)
    async with _open_harness(tmp_path) as house:
        path = await _start_order(house)
        path.unlink()
        with pytest.raises(CannotRun) as ended:
            await house.bot._run_parts(asyncio.Event())
        assert _log_fatal_error(ended.value) == 2
        with pytest.raises(DatabaseFileLost):
            await house.close()


async def test_a_disk_that_does_not_answer_is_left_to_those_who_wait_for_it() -> None:
    asked: list[None] = []

    async def check() -> None:
        asked.append(None)
        await asyncio.Event().wait()

    dog = Watchdog({}, monotonic=lambda: 0.0, check_files=check)
    for _ in range(3):
        await dog.check_files(0.001)
    assert len(asked) == 1


def _execute_elsewhere(statement: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("UPDATE bot_identity SET command_menus_digest = hex(randomblob(9))")
            other.execute(statement)

    return change


@pytest.mark.parametrize(
    "change",
    [
        Path.touch,
        lambda path: path.chmod(0o600),
        _execute_elsewhere("SELECT 1"),
        _execute_elsewhere("PRAGMA wal_checkpoint(PASSIVE)"),
        _execute_elsewhere("PRAGMA wal_checkpoint(RESTART)"),
        _execute_elsewhere("PRAGMA wal_checkpoint(TRUNCATE)"),
        lambda path: copy_database(path, path.with_name(f"copy-{os.urandom(4).hex()}.db"), lambda _: None),
    ],
)
async def test_what_is_done_by_the_rules_is_no_reason_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: DamageFile
) -> None:
    monkeypatch.setattr(secure_delete, "CHECKPOINT_AFTER_FRAMES", 5)
    async with open_bot_harness(tmp_path) as house:
        path = Path(house.bot.settings.database_path)
        for number in range(6):
            change(path)
            await house.bot.watchdog.check_files(TIMEOUT_SECONDS)
            await house.bot.db.transact(lambda tx: tx.users.set_language(7, f"l{number}"))  # noqa: B023 - run at once
            change(path)
            await house.bot.db.transact(lambda tx: tx.users.set_language(8, f"l{number}"))  # noqa: B023 - run at once
            await house.bot.watchdog.check_files(TIMEOUT_SECONDS)
        assert await house.bot.db.scrub()
        await house.bot.watchdog.check_files(TIMEOUT_SECONDS)
