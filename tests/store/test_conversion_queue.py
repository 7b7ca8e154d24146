"""The conversion queue is fair by person: who has many pictures to be decoded keeps nobody else waiting."""

import itertools
import sqlite3
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.job import Job, State
from bot.store.connection import _prepare
from bot.store.transaction import Transaction
from tests.store.rows import NOON, a_request

EVE, BOB, ADA = 6666, 7, 8


class Queue:
    """A conversion queue with jobs to come."""

    def __init__(self) -> None:
        raw = sqlite3.connect(":memory:", isolation_level=None)
        _prepare(raw)
        self.tx = Transaction(raw)
        self._ids = itertools.count(1)

    def enter(self, person: int, *, chat_id: int | None = None) -> Job:
        """Let another picture wait."""
        request = a_request(next(self._ids), chat_id=chat_id or person, user_id=person)
        job = self.job(self.tx.jobs.add(request, State.QUEUED, NOON))
        self.tx.line.enter(job.id, job.request.chat_id, person)
        self.tx.conversions.enter(job)
        return job

    def job(self, job_id: int) -> Job:
        """Return a job."""
        job = self.tx.jobs.get(job_id)
        assert job is not None
        return job

    def serve(self) -> int | None:
        """Decode the next picture, which is the last of its job, and return whose it was."""
        job_id = self.tx.conversions.serve((), ())
        if job_id is None:
            return None
        self.tx.line.mark(job_id, is_ready=True)
        return self.job(job_id).person


@pytest.fixture
def queue() -> Queue:
    return Queue()


def test_whoever_comes_is_next_after_the_one_that_is_decoded(queue: Queue) -> None:
    for _ in range(50):
        queue.enter(EVE)
    for _ in range(20):
        queue.serve()
    queue.enter(BOB)
    assert queue.serve() == BOB


def test_many_chats_of_one_person_are_one_person(queue: Queue) -> None:
    for number in range(50):
        queue.enter(EVE, chat_id=-100 - number)
    queue.serve()
    queue.enter(BOB)
    assert queue.serve() == BOB


def test_who_sends_one_after_the_other_does_not_push_in(queue: Queue) -> None:
    for _ in range(4):
        queue.enter(BOB)
    served = []
    for _ in range(8):
        queue.enter(EVE)
        served.append(queue.serve())
    assert Counter(served) == {BOB: 4, EVE: 4}


def test_the_next_picture_of_an_album_waits_for_its_own_turn(queue: Queue) -> None:
    album = queue.enter(EVE)
    assert queue.tx.conversions.serve((), ()) == album.id
    queue.enter(BOB)
    queue.tx.conversions.enter(album)
    assert [queue.serve(), queue.serve()] == [BOB, EVE]


def test_who_has_a_turn_gets_no_second_one_meanwhile(queue: Queue) -> None:
    first, second = queue.enter(EVE), queue.enter(EVE)
    assert queue.tx.conversions.serve((first.id,), (EVE,)) is None
    bobs = queue.enter(BOB)
    assert queue.tx.conversions.serve((first.id,), (EVE,)) == bobs.id
    assert queue.tx.conversions.serve((first.id, bobs.id), (BOB,)) == second.id


def test_what_is_tried_again_later_holds_nobody_up(queue: Queue) -> None:
    later = queue.enter(EVE)
    queue.tx.jobs.note(later, due_at=NOON + 1000)
    queue.enter(BOB)
    assert [queue.serve(), queue.serve()] == [BOB, None]
    queue.tx.line.release(NOON + 1000)
    assert queue.tx.conversions.serve((), ()) == later.id


def test_what_waits_here_is_not_prepared_as_well(queue: Queue) -> None:
    job = queue.enter(EVE)
    assert queue.tx.line.to_prepare(NOON, 9) == []
    queue.tx.line.mark(job.id, is_ready=False)  # its upload has grown old, say
    assert queue.tx.line.to_prepare(NOON, 9) == [job.id]
    assert queue.tx.conversions.is_empty()


def test_what_leaves_the_line_leaves_the_queue(queue: Queue) -> None:
    queue.tx.take_back(queue.enter(EVE), NOON)
    assert queue.tx.conversions.is_empty()


def test_lanes_that_mean_nothing_more_are_forgotten(queue: Queue) -> None:
    for _ in range(3):
        queue.enter(EVE)
    queue.enter(BOB)
    for _ in range(3):
        queue.serve()
    queue.tx.line.forget()
    assert set(_lanes(queue)) == {0, EVE}
    queue.tx.conversions.enter(queue.enter(BOB))
    for row in queue.tx.conversions.due(9):
        queue.tx.line.drop(row)
    queue.tx.jobs._db.execute("DELETE FROM line")
    queue.tx.line.forget()
    assert _lanes(queue) == []


def _lanes(queue: Queue) -> list[int]:
    return [row["user_id"] for row in queue.tx.jobs._db.execute("SELECT user_id FROM lanes WHERE chat_id = 0")]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from([EVE, EVE, EVE, BOB, ADA, None]), max_size=40))
def test_while_somebody_waits_nobody_else_has_more_than_two_turns(steps: list[int | None]) -> None:
    queue, waiting = Queue(), Counter[int]()
    turns: dict[int, Counter[int]] = {EVE: Counter(), BOB: Counter(), ADA: Counter()}
    for person in [*steps, *[None] * len(steps)]:
        if person is not None:
            queue.enter(person)
            waiting[person] += 1
        elif (served := queue.serve()) is not None:
            waiting[served] -= 1
            turns[served].clear()
            for other, theirs in turns.items():
                theirs[served] += bool(waiting[other]) and other != served
        assert max(count for theirs in turns.values() for count in [0, *theirs.values()]) <= 2
