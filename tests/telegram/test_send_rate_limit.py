"""Telegram's limits are kept on our side."""

from hypothesis import given
from hypothesis import strategies as st

from bot.telegram.send_rate_limit import SendRateLimiter


def _send_times(limiter: SendRateLimiter, chats: list[int]) -> list[tuple[float, int]]:
    """Send one message after the other as early as possible; return when each was sent."""
    now, sent = 0.0, []
    for chat_id in chats:
        now = limiter.next_send_at(chat_id, now)
        limiter.record_send(chat_id, now)
        sent.append((now, chat_id))
    return sent


def _max_within(moments: list[float], seconds: float) -> int:
    return max((sum(start <= each < start + seconds - 1e-6 for each in moments) for start in moments), default=0)


@given(st.lists(st.sampled_from([1, 2, 3, -1, -2]), max_size=80))
def test_no_order_of_messages_breaks_a_limit(chats: list[int]) -> None:
    sent = _send_times(SendRateLimiter(30), chats)
    assert _max_within([moment for moment, _ in sent], 1.0) <= 30
    for chat_id in set(chats):
        mine = [moment for moment, chat in sent if chat == chat_id]
        assert _max_within(mine, 1.0) <= 1
        assert chat_id > 0 or _max_within(mine, 60.0) <= 20


def test_one_chat_does_not_hold_up_another() -> None:
    limiter = SendRateLimiter(30)
    limiter.pause_chat(1, 100.0, 0.0)
    assert limiter.next_send_at(1, 0.0) == 100.0
    assert limiter.next_send_at(2, 0.0) == 0.0


def test_what_is_long_past_is_forgotten() -> None:
    limiter = SendRateLimiter(1_000_000)
    for chat_id in range(1, 10_002):
        limiter.record_send(chat_id, 0.0)
    limiter.record_send(20_000, 10.0)
    assert len(limiter._chats_open_at) < 10
