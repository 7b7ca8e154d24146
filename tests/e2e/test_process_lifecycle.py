"""The process: how it starts, what it says, how it ends."""

import asyncio
import json
import socket
import urllib.request

import pytest

from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.telegram.errors import conflict, unauthorized
from tests.process_harness import ProcessHarness, make_photo, parse_port


def _last_line(log: str) -> str:
    return log.strip().splitlines()[-1]


async def test_the_ready_line_names_the_bot_and_the_real_port_in_json_too(world: ProcessHarness) -> None:
    entry = json.loads(await world.create_bot(LOG_FORMAT="json").start_until_ready())
    assert "@darkroom_bot" in entry["message"]
    assert parse_port(entry["message"]) > 0


async def test_the_door_says_that_the_bot_lives_and_can_serve(world: ProcessHarness) -> None:
    port = parse_port(await world.create_bot().start_until_ready())
    for path in ("healthz", "readyz"):
        with await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{port}/{path}") as answer:
            assert answer.status == 200


async def test_a_stop_that_is_asked_for_ends_well_and_quickly(world: ProcessHarness) -> None:
    bot = world.create_bot()
    await bot.start_until_ready()
    async with asyncio.timeout(10):
        assert await bot.stop() == 0
    assert "stopped" in _last_line(bot.log)


async def test_a_stop_lets_an_order_under_way_come_to_its_end(world: ProcessHarness) -> None:
    world.kie.faults.add("createTask", Fault(FaultKind.DELAY, seconds=1.5))
    bot = world.create_bot()
    await bot.start_until_ready()
    world.telegram.person().send_photo(make_photo(), caption="make it snow")
    await world.kie.wait_for(lambda: world.kie.calls_named("createTask"), 20)
    assert await bot.stop() == 0
    assert [row["state"] for row in world.query("SELECT state FROM jobs")] == ["running"]


async def test_a_stop_during_an_endless_call_still_ends_within_ten_seconds(world: ProcessHarness) -> None:
    world.kie.faults.add("createTask", Fault(FaultKind.HANG))
    bot = world.create_bot()
    await bot.start_until_ready()
    ada = world.telegram.person()
    ada.send_photo(make_photo(), caption="make it snow")
    await world.kie.wait_for(lambda: world.kie.calls_named("createTask"), 20)
    async with asyncio.timeout(10):
        assert await bot.stop() == 0
    await bot.start_until_ready()
    assert await world.wait_for_question(ada.id)


async def test_a_stop_before_telegram_has_answered_at_all_is_quick(world: ProcessHarness) -> None:
    world.telegram.faults.always("getWebhookInfo", Fault(FaultKind.HANG))
    bot = world.create_bot()
    await bot.start()
    await world.telegram.wait_for(lambda telegram: telegram.calls or None, 20)
    async with asyncio.timeout(5):
        assert await bot.stop() == 0


async def test_the_database_of_another_bot_is_left_alone(world: ProcessHarness) -> None:
    bot = world.create_bot()
    await bot.start_until_ready()
    await bot.stop()
    world.telegram.state.bot_user["id"] = 777
    second = world.create_bot()
    await second.start()
    assert await second.wait_for_exit() == 2
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
    world: ProcessHarness, settings: dict[str, str], named: str
) -> None:
    bot = world.create_bot(**settings)
    await bot.start()
    assert await bot.wait_for_exit() == 2
    assert named in _last_line(bot.log)
    assert "Traceback" not in bot.log


async def test_check_says_what_a_library_cannot_use_without_a_traceback(world: ProcessHarness) -> None:
    checking = world.create_bot(command=("-m", "bot", "check"), SSLKEYLOGFILE="/nowhere/keys")
    await checking.start()
    assert await checking.wait_for_exit() == 1
    assert "Traceback" not in checking.log


async def test_a_token_that_telegram_does_not_know_is_told_at_once_and_may_pass(world: ProcessHarness) -> None:
    world.telegram.faults.add("getMe", unauthorized(), times=2)
    bot = world.create_bot()
    await bot.start_until_ready()
    assert "TELEGRAM_BOT_TOKEN is not known to Telegram: copy the token from @BotFather again" in bot.log


@pytest.mark.long
async def test_a_token_that_telegram_refuses_for_a_minute_ends_the_bot(world: ProcessHarness) -> None:
    bot = world.create_bot()
    await bot.start_until_ready()
    world.telegram.faults.always("getMe", unauthorized())
    world.telegram.faults.always("getUpdates", unauthorized())
    world.telegram.person().send_text("hello")
    async with asyncio.timeout(120):
        assert await bot.wait_without_timeout() == 2
    assert "TELEGRAM_BOT_TOKEN" in _last_line(bot.log)


async def test_a_taken_port_is_named(world: ProcessHarness) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        bot = world.create_bot(PORT=str(other.getsockname()[1]))
        await bot.start()
        assert await bot.wait_for_exit() == 2
    assert "PORT" in _last_line(bot.log)


async def test_a_second_bot_on_the_same_database_is_turned_away(world: ProcessHarness) -> None:
    await world.create_bot().start_until_ready()
    second = world.create_bot()
    await second.start()
    assert await second.wait_for_exit() == 2
    assert "DATABASE_PATH" in _last_line(second.log)


async def test_telegram_out_of_reach_at_the_start_is_waited_for(world: ProcessHarness) -> None:
    world.telegram.faults.add("getWebhookInfo", Fault(FaultKind.DISCONNECT_BEFORE))
    bot = world.create_bot()
    await bot.start_until_ready()
    assert "Telegram does not say which bot this is, next try in 1 s" in bot.log


async def test_kie_out_of_reach_at_the_start_stops_nothing(world: ProcessHarness) -> None:
    bot = world.create_bot(KIE_API_URL="http://127.0.0.1:9", KIE_UPLOAD_URL="http://127.0.0.1:9")
    await bot.start_until_ready()
    ada = world.telegram.person()
    ada.send_text("/start")
    assert await world.wait_for_texts(ada.id)


async def test_a_webhook_that_is_set_is_removed_and_what_waits_is_kept(world: ProcessHarness) -> None:
    world.telegram.state.webhook = {"url": "https://127.0.0.1:9/hook"}
    ada = world.telegram.person()
    ada.send_text("/start")
    bot = world.create_bot()
    await bot.start_until_ready()
    assert await world.wait_for_texts(ada.id)
    [call] = [call for call in world.telegram.calls if call.method == "deleteWebhook"]
    assert not call.params.get("drop_pending_updates")
    assert "WARNING" in bot.log


async def test_a_server_that_knows_no_webhooks_is_no_wrong_token(world: ProcessHarness) -> None:
    not_found = Fault(FaultKind.RESPOND, status=404, body=b'{"ok":false,"error_code":404,"description":"Not Found"}')
    world.telegram.faults.always("getWebhookInfo", not_found)
    await world.create_bot().start_until_ready()


async def test_a_conflict_that_passes_is_survived(world: ProcessHarness) -> None:
    world.telegram.faults.add("getUpdates", conflict())
    await world.create_bot().start_until_ready()
    ada = world.telegram.person()
    ada.send_text("/start")
    assert await world.wait_for_texts(ada.id)
