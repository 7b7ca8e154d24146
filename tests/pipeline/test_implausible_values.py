"""Implausible numbers from Kie or Telegram are ignored: the bot goes on, and the daily credit limit holds."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from bot.inbound.update_recorder import clear_out_of_range_numbers
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.kie.tasks import ScriptedOutcome
from bot.telegram.errors import TelegramApiError
from tests.bot_harness import BotHarness, open_bot_harness
from tests.process_harness import make_photo, query_database

ADMIN = 9009
DAY_MS = 86_400_000

#: Implausible values in a task record, by the kind of error.
IMPLAUSIBLE_PRICES: dict[str, dict[str, Any]] = {
    "more than all": {"creditsConsumed": 1e308},
    "a lot": {"creditsConsumed": 10_001},
    "less than nothing": {"creditsConsumed": -1000},
    "in words": {"creditsConsumed": "1e999"},
    "an integer without end": {"creditsConsumed": 10**400},
    "by its other name": {"creditsConsumed": None, "consumeCredits": -1e308},
}


def _kie_response(result: object, status: int = 200, **beside: object) -> Fault:
    response = {"ok": status == 200, "result": result, "error_code": status, "description": "x", **beside}
    return Fault(FaultKind.RESPOND, status=status, body=json.dumps(response).encode())


async def _usage(house: BotHarness) -> str:
    house.telegram.person(user_id=ADMIN).send_text("/usage")
    await house.process_updates()
    return house.sent_texts(ADMIN)[-1]


@pytest.mark.parametrize("shows", IMPLAUSIBLE_PRICES.values(), ids=IMPLAUSIBLE_PRICES)
async def test_what_a_day_may_cost_holds_whatever_kie_says_that_edits_cost(
    tmp_path: Path, shows: dict[str, Any]
) -> None:
    async with open_bot_harness(tmp_path, admin_ids=frozenset({ADMIN}), daily_credits=12) as house:
        house.telegram.person(user_id=ADMIN)
        house.kie.script_outcomes(*[ScriptedOutcome(record_overrides=shows)] * 9)
        for colour in ("red", "blue", "green", "navy", "gold"):
            await house.request_edit(make_photo(colour))
            await house.advance_time(30)
        assert len(house.kie.tasks) == len(house.pictures()) == 3, "each counts as one of the usual price"
        assert "12 of 12" in await _usage(house)
        await house.restart()
        assert "12 of 12" in await _usage(house)
        notices = [text for text in house.sent_texts(ADMIN) if "figures that cannot be" in text]
        assert len(notices) == 1, "once a day"


@pytest.mark.parametrize("shows", IMPLAUSIBLE_PRICES.values(), ids=IMPLAUSIBLE_PRICES)
async def test_a_failure_whose_price_cannot_be_is_not_ordered_again(tmp_path: Path, shows: dict[str, Any]) -> None:
    async with open_bot_harness(tmp_path, daily_credits=8) as house:
        house.kie.script_outcomes(
            *[ScriptedOutcome(state="fail", fail_msg="Internal Error", record_overrides=shows)] * 2
        )
        for colour in ("red", "blue", "green"):
            await house.request_edit(make_photo(colour))
            await house.advance_time(30)
        assert len(house.kie.tasks) == 2, "it counts, as nobody knows that it cost nothing"


@pytest.mark.parametrize(
    "shows",
    [
        {"createTime": 1, "completeTime": 4_000_000_000_000},
        {"createTime": -1e300, "completeTime": 1e300},
        {"createTime": 10**400, "completeTime": 10**18},
        {"completeTime": 9_999_999_999_999},
        {"createTime": 1_700_000_000_000},
    ],
)
async def test_times_that_cannot_be_teach_nothing(tmp_path: Path, shows: dict[str, Any]) -> None:
    async with open_bot_harness(tmp_path, metrics_port=0) as house:
        house.kie.script_outcomes(*[ScriptedOutcome(record_overrides=shows)] * 9)
        for _ in range(4):
            await house.request_edit(make_photo())
            await house.advance_time(60)
        assert len(house.pictures()) == 4
        took = [
            row["kie_duration_ms"]
            for row in query_database(Path(house.bot.settings.database_path), "SELECT kie_duration_ms FROM jobs")
        ]
        assert max(took) < 60_000
        assert (house.bot.metrics.registry.get_sample_value("darkroom_delivery_seconds_sum") or 0) < 600
        await house.request_edit(make_photo())
        assert "second" in house.progress_message()["text"], "no more than what was waited before"


@pytest.mark.parametrize("balance", [b"1e308", b"-1e308", b"1e999", b"NaN", b'"Infinity"', b"9" * 400, b'"1e10"'])
async def test_a_balance_that_cannot_be_is_not_believed_and_told_of_once(tmp_path: Path, balance: bytes) -> None:
    async with open_bot_harness(tmp_path, admin_ids=frozenset({ADMIN})) as house:
        house.telegram.person(user_id=ADMIN)
        body = b'{"code":200,"msg":"success","data":%s}' % balance
        house.kie.faults.always("credit", Fault(FaultKind.RESPOND, status=200, body=body))
        await house.request_edit(make_photo())
        await house.advance_time(3600)
        assert len(house.pictures()) == 1
        assert await house.bot.db.transact(lambda tx: tx.credits.get_balance()) is None
        assert len(house.sent_texts(ADMIN)) == 1
        assert "documentation" in house.sent_texts(ADMIN)[0]
        assert "Credits spent today: 4" in await _usage(house)


async def test_a_wish_for_a_pause_without_end_is_granted_for_an_hour(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path) as house:
        body = json.dumps({"code": 455, "msg": "Try again in 999999 seconds", "data": None}).encode()
        house.kie.faults.add("upload", Fault(FaultKind.RESPOND, status=200, body=body))
        await house.request_edit(make_photo())
        await house.advance_time(3700)
        assert len(house.pictures()) == 1


@pytest.mark.parametrize("wait", [10**30, 1e400, math.nan, 10**9, -5, 0])
async def test_whatever_pause_telegram_wishes_for_the_message_comes_within_hours(tmp_path: Path, wait: float) -> None:
    async with open_bot_harness(tmp_path) as house:
        house.telegram.faults.add("sendMessage", _kie_response(None, 429, parameters={"retry_after": wait}), times=2)
        house.ada.send_text("/help")
        await house.process_updates()
        await house.advance_time(3 * 3600)
        assert len(house.sent_texts()) == 1
        assert len([call for call in house.telegram.calls if call.method == "sendMessage"]) == 3, "and no hot loop"


@pytest.mark.parametrize("number", [1 << 70, -(1 << 70), 0, 1.5, 1e400, None, "7", True])
async def test_a_message_with_an_id_that_cannot_be_is_not_sent_again(tmp_path: Path, number: object) -> None:
    async with open_bot_harness(tmp_path) as house:
        house.telegram.faults.always("sendMessage", _kie_response({"message_id": number}))
        house.ada.send_text("/help")
        await house.process_updates()
        await house.advance_time(60)
        assert len([call for call in house.telegram.calls if call.method == "sendMessage"]) == 1


@pytest.mark.parametrize("number", [1 << 70, 1 << 63, -(1 << 60)])
async def test_a_group_that_moves_to_an_id_that_cannot_be_stays_where_it_is(tmp_path: Path, number: int) -> None:
    async with open_bot_harness(tmp_path) as house:
        house.telegram.faults.add("sendMessage", _kie_response(None, 400, parameters={"migrate_to_chat_id": number}))
        house.ada.send_text("/help")
        await house.process_updates()
        await house.advance_time(60)
        assert len(house.sent_texts()) == 1


async def test_who_we_are_and_how_a_webhook_gets_on_are_numbers_that_can_be(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path) as house:
        me = {"id": 1 << 70, "is_bot": True, "first_name": "x", "username": "x"}
        house.telegram.faults.add("getMe", _kie_response(me))
        with pytest.raises(TelegramApiError):
            await house.bot.telegram.get_me()
        for date in (1e300, 10**17, -(10**17), "soon", None):
            info = {"url": "", "pending_update_count": 10**30, "last_error_date": date}
            house.telegram.faults.add("getWebhookInfo", _kie_response(info))
            known = await house.bot.telegram.get_webhook_status()
            assert (known.last_error_at, known.pending_updates) == (0, 0)


@pytest.mark.parametrize("number", [1 << 70, 10**17, math.nan])
@pytest.mark.parametrize("path", ["message.date", "message.chat.id", "message.from.id", "photo.0.file_size"])
async def test_an_update_with_a_number_that_cannot_be_stops_nothing(tmp_path: Path, path: str, number: float) -> None:
    async with open_bot_harness(tmp_path) as house:
        house.ada.send_photo(make_photo(), caption="make it snow")
        update = json.loads(json.dumps(house.telegram.state.updates.pending[0]))
        *way, last = path.split(".") if path.startswith("message") else ["message", *path.split(".")]
        here: Any = update
        for name in way:
            here = here[int(name) if name.isdecimal() else name]
        here[last] = number
        house.telegram.faults.add("getUpdates", _kie_response([update]))
        await house.receive_updates()
        house.ada.send_text("/help")
        await house.receive_updates()
        await house.advance_time(60)
        assert len([text for text in house.sent_texts() if "photo" in text]) == 1, "what comes behind it is answered"
        assert (await house.bot.db.transact(lambda tx: tx.inbox.get_next_waiting())) is None


def test_only_what_cannot_be_is_taken_out_of_an_update() -> None:
    update = {"update_id": 7, "message": {"date": 1e300, "chat": {"id": -(1 << 52), "x": [1 << 70, {"y": math.nan}]}}}
    as_it_can_be = {"update_id": 7, "message": {"chat": {"id": -1001234567890, "x": [4.5, True, "9" * 99, None, {}]}}}
    before = json.dumps(as_it_can_be)
    for each in (update, as_it_can_be):
        clear_out_of_range_numbers(each)
    assert update == {"update_id": 7, "message": {"date": None, "chat": {"id": None, "x": [None, {"y": None}]}}}
    assert json.dumps(as_it_can_be) == before
