"""The fair queue: a user with few requests does not wait for one with many."""

import sqlite3
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.job import State
from bot.store.database import Transaction, _prepare_connection
from tests.store.sample_requests import NOON, make_request


def _open_transaction() -> Transaction:
    raw = sqlite3.connect(":memory:", isolation_level=None)
    _prepare_connection(raw)
    return Transaction(raw)


def _queue_job(tx: Transaction, message_id: int, chat_id: int, user_id: int) -> int:
    request = make_request(message_id, chat_id=chat_id, user_id=user_id)
    job_id = tx.jobs.add(request, State.QUEUED, NOON, due_at=None)
    assert job_id is not None
    tx.fair_queue.enqueue(job_id, chat_id, user_id)
    tx.fair_queue.set_ready(job_id, is_ready=True)
    return job_id


def _serve_next(tx: Transaction) -> int | None:
    job_id = tx.fair_queue.get_next_to_order()
    if job_id is not None:
        tx.fair_queue.dequeue(job_id)
    return job_id


def test_after_a_group_dropped_200_photos_the_next_person_is_served_next() -> None:
    tx = _open_transaction()
    for message_id in range(200):
        _queue_job(tx, message_id, chat_id=-100, user_id=1)
    for _ in range(50):
        _serve_next(tx)
    newcomer = _queue_job(tx, 1, chat_id=7, user_id=7)
    assert _serve_next(tx) == newcomer


def test_within_a_group_one_who_asks_much_does_not_hold_up_another() -> None:
    tx = _open_transaction()
    for message_id in range(100):
        _queue_job(tx, message_id, chat_id=-100, user_id=1)
    for _ in range(10):
        _serve_next(tx)
    other = _queue_job(tx, 500, chat_id=-100, user_id=2)
    assert _serve_next(tx) == other


def test_many_people_of_one_group_count_as_one_group() -> None:
    tx = _open_transaction()
    for message_id in range(50):
        _queue_job(tx, message_id, chat_id=-100, user_id=message_id)
    alone = [_queue_job(tx, message_id, chat_id=7, user_id=7) for message_id in range(5)]
    served = [_serve_next(tx) for _ in range(10)]
    assert set(alone) <= set(served)


def test_a_job_that_had_its_turn_in_vain_goes_first() -> None:
    tx = _open_transaction()
    first = _queue_job(tx, 1, chat_id=5, user_id=5)
    for message_id in range(2, 10):
        _queue_job(tx, message_id, chat_id=message_id, user_id=message_id)
    assert _serve_next(tx) == first
    tx.fair_queue.enqueue_first(first, 5, is_ready=True)
    assert _serve_next(tx) == first


def test_preparation_is_as_fair_as_the_turn_at_kie() -> None:
    tx = _open_transaction()
    for message_id in range(200):
        _queue_job(tx, message_id, chat_id=-100, user_id=1)
    for _ in range(3):
        _serve_next(tx)
    newcomer = _queue_job(tx, 1, chat_id=7, user_id=7)
    tx.jobs._db.execute("UPDATE fair_queue SET is_ready = 0")
    assert newcomer in tx.fair_queue.list_to_prepare(NOON, 2)
    assert tx.fair_queue.get_next_to_order() is None


def test_a_lane_is_forgotten_only_when_that_changes_nothing() -> None:
    tx = _open_transaction()
    for message_id in range(3):
        _queue_job(tx, message_id, chat_id=5, user_id=5)
    tx.fair_queue.delete_stale_lanes()
    late = _queue_job(tx, 9, chat_id=5, user_id=5)
    other = _queue_job(tx, 1, chat_id=7, user_id=7)
    served = [_serve_next(tx) for _ in range(5)]
    assert served.index(other) < served.index(late)


chats = st.lists(st.tuples(st.integers(-3, -1), st.integers(1, 3)), max_size=30)


@settings(deadline=None, max_examples=50)
@given(chats)
def test_everybody_is_served_once_and_chats_take_turns(asked: list[tuple[int, int]]) -> None:
    tx = _open_transaction()
    lane = {_queue_job(tx, number, chat, user): (chat, user) for number, (chat, user) in enumerate(asked)}
    served: list[int] = []
    while (job_id := _serve_next(tx)) is not None:
        served.append(job_id)
    assert sorted(served) == sorted(lane)
    waiting = Counter(chat for chat, _ in lane.values())
    seen: Counter[int] = Counter()
    for job_id in served:
        seen[lane[job_id][0]] += 1
        behind = [chat for chat in waiting if seen[chat] < min(waiting[chat], seen[lane[job_id][0]] - 1)]
        assert behind == []


@settings(deadline=None, max_examples=50)
@given(chats)
def test_the_jobs_of_one_person_in_a_chat_keep_their_order(asked: list[tuple[int, int]]) -> None:
    tx = _open_transaction()
    lane = {_queue_job(tx, number, chat, user): (chat, user) for number, (chat, user) in enumerate(asked)}
    served: list[int] = []
    while (job_id := _serve_next(tx)) is not None:
        served.append(job_id)
    for who in set(lane.values()):
        mine = [job_id for job_id in served if lane[job_id] == who]
        assert mine == sorted(mine)
