"""The files of a bot that runs are taken away: the process ends, and what it says last is what has to be done."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.store.backup import list_rescued_files
from tests.process_harness import ProcessHarness, make_photo


def _beside(suffix: str) -> Callable[[Path], None]:
    return lambda path: path.with_name(f"{path.name}{suffix}").unlink()


@pytest.mark.long
@pytest.mark.parametrize(
    ("harm", "code", "told"),
    [
        (Path.unlink, 2, "rename that to"),
        (lambda path: path.rename(path.with_name("elsewhere.db")), 2, "rename that to"),
        (lambda path: path.write_bytes(b"no database"), 2, "put the file there that you want to go on with"),
        (_beside("-wal"), 1, "a restart is needed, and loses nothing"),
        (_beside("-shm"), 1, "a restart is needed, and loses nothing"),
        (_beside(".lock"), 1, "a restart is needed, and loses nothing"),
    ],
)
async def test_within_a_minute_it_ends_with_the_remedy(
    world: ProcessHarness, harm: Callable[[Path], None], code: int, told: str
) -> None:
    bot, ada = world.create_bot(), world.telegram.person()
    await bot.start_until_ready()
    ada.send_photo(make_photo(), caption="make it snow")
    await world.wait_for_pictures(ada.id)
    harm(world.database)
    assert await bot.wait_for_exit() == code
    assert told in bot.log.splitlines()[-1]
    if not world.database.exists():
        [saved] = list_rescued_files(str(world.database))
        await bot.start()
        assert await bot.wait_for_exit() == 2
        saved.rename(world.database)
    if world.database.stat().st_size > 100:
        await bot.start_until_ready()
        ada.send_photo(make_photo(), caption="make it snow once more")
        await world.wait_for_pictures(ada.id, 2)
