"""IMAGE_TRANSPORT=direct: Kie fetches from Telegram itself, as the operator has accepted."""

from pathlib import Path

from tests.house import a_house
from tests.world import TOKEN, a_photo


async def test_kie_is_given_telegrams_address_which_is_stored_nowhere(tmp_path: Path) -> None:
    async with a_house(tmp_path, image_transport="direct", allow_token_in_urls=True) as house:
        await house.ask(a_photo())
        await house.pass_time(30)
        [task] = house.kie.tasks.values()
        assert TOKEN in task.image_urls[0]
        assert house.kie.called("upload") == []
        assert len(house.pictures()) == 1
    assert all(TOKEN.encode() not in file.read_bytes() for file in tmp_path.iterdir())
