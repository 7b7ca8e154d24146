"""The conversion queue is fair between users: one with many images to decode keeps nobody else waiting."""

import itertools
import sqlite3
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import job_operations
from bot.job import Job, State
from bot.store.database import Transaction, _prepare_connection
from tests.store.sample_requests import NOON, make_request

EVE, BOB, ADA = 6666, 7, 8


class ConversionQueueHarness:
    """A conversion queue, and functions to add and convert images."""

    def __init__(self) -> None:
        raw = sqlite3.connect(":memory:", isolation_level=None)
        _prepare_connection(raw)
        self.tx = Transaction(raw)
        self._ids = itertools.count(1)

    def add_picture(self, person: int, *, chat_id: int | None = None) -> Job:
        """Put another image into the queue."""
        request = make_request(next(self._ids), chat_id=chat_id or person, user_id=person)
        job = self.job(self.tx.jobs.add(request, State.QUEUED, NOON))
        self.tx.fair_queue.enqueue(job.id, job.request.chat_id, person)
        self.tx.conversion_queue.enqueue(job)
        return job

    def job(self, job_id: int) -> Job:
        """Return a job."""
        job = self.tx.jobs.get(job_id)
        assert job is not None
        return job

    def convert_next(self) -> int | None:
        """Convert the next image, as the last one of its job, and return its user."""
        job_id = self.tx.conversion_queue.take_next((), ())
        if job_id is None:
            return None
        self.tx.fair_queue.set_ready(job_id, is_ready=True)
        return self.job(job_id).charged_to


@pytest.fixture
def queue() -> ConversionQueueHarness:
    return ConversionQueueHarness()


def test_whoever_comes_is_next_after_the_one_that_is_decoded(queue: ConversionQueueHarness) -> None:
    for _ in range(50):
        queue.add_picture(EVE)
    for _ in range(20):
        queue.convert_next()
    queue.add_picture(BOB)
    assert queue.convert_next() == BOB


def test_many_chats_of_one_person_are_one_person(queue: ConversionQueueHarness) -> None:
    for number in range(50):
        queue.add_picture(EVE, chat_id=-100 - number)
    queue.convert_next()
    queue.add_picture(BOB)
    assert queue.convert_next() == BOB


def test_who_sends_one_after_the_other_does_not_push_in(queue: ConversionQueueHarness) -> None:
    for _ in range(4):
        queue.add_picture(BOB)
    served = []
    for _ in range(8):
        queue.add_picture(EVE)
        served.append(queue.convert_next())
    assert Counter(served) == {BOB: 4, EVE: 4}


def test_the_next_picture_of_an_album_waits_for_its_own_turn(queue: ConversionQueueHarness) -> None:
    album = queue.add_picture(EVE)
    assert queue.tx.conversion_queue.take_next((), ()) == album.id
    queue.add_picture(BOB)
    queue.tx.conversion_queue.enqueue(album)
    assert [queue.convert_next(), queue.convert_next()] == [BOB, EVE]


def test_who_has_a_turn_gets_no_second_one_meanwhile(queue: ConversionQueueHarness) -> None:
    first, second = queue.add_picture(EVE), queue.add_picture(EVE)
    assert queue.tx.conversion_queue.take_next((first.id,), (EVE,)) is None
    bobs = queue.add_picture(BOB)
    assert queue.tx.conversion_queue.take_next((first.id,), (EVE,)) == bobs.id
    assert queue.tx.conversion_queue.take_next((first.id, bobs.id), (BOB,)) == second.id


def test_what_is_tried_again_later_holds_nobody_up(queue: ConversionQueueHarness) -> None:
    later = queue.add_picture(EVE)
    queue.tx.jobs.update(later, due_at=NOON + 1000)
    queue.add_picture(BOB)
    assert [queue.convert_next(), queue.convert_next()] == [BOB, None]
    queue.tx.fair_queue.release_due(NOON + 1000)
    assert queue.tx.conversion_queue.take_next((), ()) == later.id


def test_what_waits_here_is_not_prepared_as_well(queue: ConversionQueueHarness) -> None:
    job = queue.add_picture(EVE)
    assert queue.tx.fair_queue.list_to_prepare(NOON, 9) == []
    queue.tx.fair_queue.set_ready(job.id, is_ready=False)  # as if its upload had expired
    assert queue.tx.fair_queue.list_to_prepare(NOON, 9) == [job.id]
    assert queue.tx.conversion_queue.is_empty()


def test_what_leaves_the_line_leaves_the_queue(queue: ConversionQueueHarness) -> None:
    job_operations.cancel_job(queue.tx, queue.add_picture(EVE), NOON)
    assert queue.tx.conversion_queue.is_empty()


def test_lanes_that_mean_nothing_more_are_forgotten(queue: ConversionQueueHarness) -> None:
    for _ in range(3):
        queue.add_picture(EVE)
    queue.add_picture(BOB)
    for _ in range(3):
        queue.convert_next()
    queue.tx.fair_queue.delete_stale_lanes()
    assert set(_lanes(queue)) == {0, EVE}
    queue.tx.conversion_queue.enqueue(queue.add_picture(BOB))
    for row in queue.tx.conversion_queue.list_due(9):
        queue.tx.fair_queue.remove(row)
    queue.tx.jobs._db.execute("DELETE FROM fair_queue")
    queue.tx.fair_queue.delete_stale_lanes()
    assert _lanes(queue) == []


def _lanes(queue: ConversionQueueHarness) -> list[int]:
    return [
        row["user_id"] for row in queue.tx.jobs._db.execute("SELECT user_id FROM fair_queue_lanes WHERE chat_id = 0")
    ]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from([EVE, EVE, EVE, BOB, ADA, None]), max_size=40))
def test_while_somebody_waits_nobody_else_has_more_than_two_turns(steps: list[int | None]) -> None:
    queue, waiting = ConversionQueueHarness(), Counter[int]()
    turns: dict[int, Counter[int]] = {EVE: Counter(), BOB: Counter(), ADA: Counter()}
    for person in [*steps, *[None] * len(steps)]:
        if person is not None:
            queue.add_picture(person)
            waiting[person] += 1
        elif (served := queue.convert_next()) is not None:
            waiting[served] -= 1
            turns[served].clear()
            for other, theirs in turns.items():
                theirs[served] += bool(waiting[other]) and other != served
        assert max(count for theirs in turns.values() for count in [0, *theirs.values()]) <= 2
