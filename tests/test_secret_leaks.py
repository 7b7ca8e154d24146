"""The search for leaks finds a secret in any wrong place."""

from pathlib import Path

from tests.bot_harness import open_bot_harness
from tests.process_harness import KEY, TOKEN
from tests.secret_leaks import find_logged_user_content, find_secret_leaks


async def test_a_secret_in_the_wrong_place_is_found(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path / "house") as house:
        house.ada.send_text("/help")
        await house.process_updates()
        (tmp_path / "copy.db").write_bytes(b"..." + KEY.encode() + TOKEN.encode())
        found = find_secret_leaks(house.telegram, house.kie, tmp_path, [f"GET /bot{TOKEN}/getMe"], token=TOKEN, key=KEY)
    assert [words.partition(":")[0] for words in found] == [
        "the token in copy.db",
        "the key in copy.db",
        "a secret in a log",
    ]


async def test_what_people_write_is_found_in_a_log(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path) as house:
        house.ada.send_text("words of mine")
        house.ada.send_text("/status")
        lines = ["job 1: queued", "no picture for “words of mine” by /status"]
        assert find_logged_user_content(house.telegram, lines) == ["words of mine"]
