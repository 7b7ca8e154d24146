"""What KEEP_DAYS says is forgotten is forgotten, and nothing else."""

from pathlib import Path

from tests.group import friends
from tests.house import a_house
from tests.world import a_photo

DAY = 86_400.0


async def test_prompts_and_picture_references_are_erased_when_their_days_are_over(tmp_path: Path) -> None:
    async with a_house(tmp_path, keep_days=2) as house:
        await house.ask(a_photo(), caption="a private wish")
        await house.pass_time(30)
        house.clock.now += 1 * DAY
        await house.bot.db.unit(house.bot.retention.erase)
        assert (await house.job()).request.prompt == "a private wish"
        house.clock.now += 1 * DAY
        await house.bot.db.unit(house.bot.retention.erase)
        job = await house.job()
        assert (job.request.prompt, job.request.sources, job.result_url) == ("", (), None)
    assert all(b"a private wish" not in file.read_bytes() for file in tmp_path.glob("*.db"))


async def test_an_edit_under_way_keeps_what_it_needs(tmp_path: Path) -> None:
    async with a_house(tmp_path, keep_days=0.001) as house:
        await house.ask(a_photo(), caption="a private wish")
        house.clock.now += DAY
        await house.bot.db.unit(house.bot.retention.erase)
        assert (await house.job()).request.prompt == "a private wish"


async def test_who_administers_a_group_is_known_for_a_moment_only(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        here = friends(house)
        here.group.promote(here.ada.user)
        here.grace.send_text("/settings", chat=here.group)
        await here.hear()
        known_since = house.clock.instant() - 60_000
        assert await house.bot.db.unit(lambda tx: tx.chats.admins(here.group.id, known_since)) == frozenset(
            {here.ada.id}
        )
        house.clock.now += DAY
        await house.bot.db.unit(house.bot.retention.erase)
        assert await house.bot.db.unit(lambda tx: tx.chats.admins(here.group.id, known_since)) is None
