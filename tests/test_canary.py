"""A secret in the wrong place is found, wherever that is."""

from pathlib import Path

from tests.canary import leaks, repeated
from tests.house import a_house
from tests.world import KEY, TOKEN


async def test_a_secret_in_the_wrong_place_is_found(tmp_path: Path) -> None:
    async with a_house(tmp_path / "house") as house:
        house.ada.send_text("/help")
        await house.hear()
        (tmp_path / "copy.db").write_bytes(b"..." + KEY.encode() + TOKEN.encode())
        found = leaks(house.telegram, house.kie, tmp_path, [f"GET /bot{TOKEN}/getMe"], token=TOKEN, key=KEY)
    assert [words.partition(":")[0] for words in found] == [
        "the token in copy.db",
        "the key in copy.db",
        "a secret in a log",
    ]


async def test_what_people_write_is_found_in_a_log(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        house.ada.send_text("words of mine")
        house.ada.send_text("/status")
        lines = ["job 1: queued", "no picture for “words of mine” by /status"]
        assert repeated(house.telegram, lines) == ["words of mine"]
