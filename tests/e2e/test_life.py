"""The process: how it starts, what it says, how it ends."""

import asyncio
import json
import socket
import urllib.request

import pytest

from bot.sandbox.faults import Fault, Kind
from bot.sandbox.telegram.refusals import conflict, unauthorized
from tests.world import World, a_photo, port_of


def _last_line(log: str) -> str:
    return log.strip().splitlines()[-1]


async def test_the_ready_line_names_the_bot_and_the_real_port_in_json_too(world: World) -> None:
    entry = json.loads(await world.bot(LOG_FORMAT="json").ready())
    assert "@darkroom_bot" in entry["message"]
    assert port_of(entry["message"]) > 0


async def test_the_door_says_that_the_bot_lives_and_can_serve(world: World) -> None:
    port = port_of(await world.bot().ready())
    for path in ("healthz", "readyz"):
        with await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{port}/{path}") as answer:
            assert answer.status == 200


async def test_a_stop_that_is_asked_for_ends_well_and_quickly(world: World) -> None:
    bot = world.bot()
    await bot.ready()
    async with asyncio.timeout(10):
        assert await bot.stop() == 0
    assert "stopped" in _last_line(bot.log)


async def test_a_stop_lets_an_order_under_way_come_to_its_end(world: World) -> None:
    world.kie.faults.add("createTask", Fault(Kind.SLOW, seconds=1.5))
    bot = world.bot()
    await bot.ready()
    world.telegram.person().send_photo(a_photo(), caption="make it snow")
    await world.kie.wait_for(lambda: world.kie.called("createTask"), 20)
    assert await bot.stop() == 0
    assert [row["state"] for row in world.rows("SELECT state FROM jobs")] == ["running"]


async def test_a_stop_during_an_endless_call_still_ends_within_ten_seconds(world: World) -> None:
    world.kie.faults.add("createTask", Fault(Kind.HANG))
    bot = world.bot()
    await bot.ready()
    ada = world.telegram.person()
    ada.send_photo(a_photo(), caption="make it snow")
    await world.kie.wait_for(lambda: world.kie.called("createTask"), 20)
    async with asyncio.timeout(10):
        assert await bot.stop() == 0
    await bot.ready()
    assert await world.question(ada.id)


async def test_a_stop_before_telegram_has_answered_at_all_is_quick(world: World) -> None:
    world.telegram.faults.always("getWebhookInfo", Fault(Kind.HANG))
    bot = world.bot()
    await bot.start()
    await world.telegram.wait_for(lambda telegram: telegram.calls or None, 20)
    async with asyncio.timeout(5):
        assert await bot.stop() == 0


async def test_the_database_of_another_bot_is_left_alone(world: World) -> None:
    bot = world.bot()
    await bot.ready()
    await bot.stop()
    world.telegram.cloud.me["id"] = 777
    second = world.bot()
    await second.start()
    assert await second.ended() == 2
    assert "DATABASE_PATH" in _last_line(second.log)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"TELEGRAM_BOT_TOKEN": ""}, "TELEGRAM_BOT_TOKEN"),
        ({"KIE_API_KEY": ""}, "KIE_API_KEY"),
        ({"KIE_MODEL": "google/unheard-of"}, "KIE_MODEL"),
        ({"PORT": "many"}, "PORT"),
        ({"PUBLIC_URL": "http://example.org"}, "PUBLIC_URL"),
        ({"DATABASE_PATH": "/dev/null/darkroom.db"}, "DATABASE_PATH"),
        ({"DATABASE_PATH": "."}, "DATABASE_PATH"),
        ({"DATABASE_PATH": ":memory:"}, "DATABASE_PATH"),
        ({"HOST": "x" * 70}, "HOST"),
        ({"ALL_PROXY": "socks5://127.0.0.1:1"}, "ALL_PROXY"),
        ({"NO_PROXY": "localhost,[::1]"}, "NO_PROXY"),
        ({"SSL_CERT_FILE": "/nowhere.pem"}, "SSL_CERT_FILE"),
        ({"SSLKEYLOGFILE": "/nowhere/keys"}, "SSLKEYLOGFILE"),
        ({"ALLOWED_ID": "1"}, "ALLOWED_IDS"),
        ({"IMAGE_TRANSPORT": "direct"}, "ALLOW_TOKEN_IN_URLS"),
    ],
)
async def test_a_mistake_of_the_operator_is_one_line_with_the_variable(
    world: World, settings: dict[str, str], named: str
) -> None:
    bot = world.bot(**settings)
    await bot.start()
    assert await bot.ended() == 2
    assert named in _last_line(bot.log)
    assert "Traceback" not in bot.log


async def test_check_says_what_a_library_cannot_use_without_a_traceback(world: World) -> None:
    checking = world.bot(command=("-m", "bot", "check"), SSLKEYLOGFILE="/nowhere/keys")
    await checking.start()
    assert await checking.ended() == 1
    assert "Traceback" not in checking.log


async def test_a_token_that_telegram_does_not_know_is_told_at_once_and_may_pass(world: World) -> None:
    world.telegram.faults.add("getMe", unauthorized(), times=2)
    bot = world.bot()
    await bot.ready()
    assert "TELEGRAM_BOT_TOKEN is not known to Telegram: copy the token from @BotFather again" in bot.log


@pytest.mark.long
async def test_a_token_that_telegram_refuses_for_a_minute_ends_the_bot(world: World) -> None:
    bot = world.bot()
    await bot.ready()
    world.telegram.faults.always("getMe", unauthorized())
    world.telegram.faults.always("getUpdates", unauthorized())
    world.telegram.person().send_text("hello")
    async with asyncio.timeout(120):
        assert await bot.over() == 2
    assert "TELEGRAM_BOT_TOKEN" in _last_line(bot.log)


async def test_a_taken_port_is_named(world: World) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        bot = world.bot(PORT=str(other.getsockname()[1]))
        await bot.start()
        assert await bot.ended() == 2
    assert "PORT" in _last_line(bot.log)


async def test_a_second_bot_on_the_same_database_is_turned_away(world: World) -> None:
    await world.bot().ready()
    second = world.bot()
    await second.start()
    assert await second.ended() == 2
    assert "DATABASE_PATH" in _last_line(second.log)


async def test_telegram_out_of_reach_at_the_start_is_waited_for(world: World) -> None:
    world.telegram.faults.add("getWebhookInfo", Fault(Kind.CUT_BEFORE))
    bot = world.bot()
    await bot.ready()
    assert "Telegram cannot be asked who we are, again in 1 s" in bot.log


async def test_kie_out_of_reach_at_the_start_stops_nothing(world: World) -> None:
    bot = world.bot(KIE_API_URL="http://127.0.0.1:9", KIE_UPLOAD_URL="http://127.0.0.1:9")
    await bot.ready()
    ada = world.telegram.person()
    ada.send_text("/start")
    assert await world.words(ada.id)


async def test_a_webhook_that_is_set_is_removed_and_what_waits_is_kept(world: World) -> None:
    world.telegram.cloud.webhook = {"url": "https://127.0.0.1:9/hook"}
    ada = world.telegram.person()
    ada.send_text("/start")
    bot = world.bot()
    await bot.ready()
    assert await world.words(ada.id)
    [call] = [call for call in world.telegram.calls if call.method == "deleteWebhook"]
    assert not call.params.get("drop_pending_updates")
    assert "WARNING" in bot.log


async def test_a_server_that_knows_no_webhooks_is_no_wrong_token(world: World) -> None:
    not_found = Fault(Kind.ANSWER, status=404, body=b'{"ok":false,"error_code":404,"description":"Not Found"}')
    world.telegram.faults.always("getWebhookInfo", not_found)
    await world.bot().ready()


async def test_a_conflict_that_passes_is_survived(world: World) -> None:
    world.telegram.faults.add("getUpdates", conflict())
    await world.bot().ready()
    ada = world.telegram.person()
    ada.send_text("/start")
    assert await world.words(ada.id)
