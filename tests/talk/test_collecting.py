"""Albums, however they arrive: one request each, with its items in order.

Any order of the items, any split into deliveries, repeated ones, restarts in
between, captions anywhere, two albums at once.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.job import Job, State, later
from bot.jobs.containment import Containment
from bot.jobs.gather import close_due
from bot.store.connection import Database
from bot.store.transaction import Transaction
from tests.talk.test_intake import NOON, Office
from tests.talk.updates import message

WINDOW = 2.0

CONTAINMENT = Containment((), clock=lambda: NOON)


@dataclass(frozen=True)
class Delivery:
    """One item of an album as it reaches the bot, and what happens before it does."""

    album: str
    item: int
    #: seconds since the one before
    gap: float
    is_after_restart: bool


@dataclass(frozen=True)
class Story:
    """What was sent, and how it arrives."""

    #: the captions by album; empty for none
    albums: dict[str, list[str]]
    deliveries: list[Delivery]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Make up one or two albums of up to five items, and a way for them to arrive."""
    captions = st.lists(st.sampled_from(["", "", "one", "two"]), min_size=1, max_size=5)
    albums = draw(st.dictionaries(st.sampled_from(["a", "b"]), captions, min_size=1, max_size=2))
    items = [(album, item) for album, captioned in albums.items() for item in range(len(captioned))]
    repeated = draw(st.lists(st.sampled_from(items), max_size=3))
    order = draw(st.permutations([*items, *repeated]))
    # in time: within the window of the last item, also of an album that has to wait for the other, and the cap
    longest = min(0.9 * WINDOW / (1 if len(albums) == 1 else len(order)), 7.0 / len(order))
    gap = st.floats(0.0, longest)
    return Story(albums, [Delivery(album, item, draw(gap), draw(st.booleans())) for album, item in order])


def _update(number: int, story: Story, delivery: Delivery) -> dict[str, Any]:
    message_id = 100 * (1 + list(story.albums).index(delivery.album)) + delivery.item
    name = f"{delivery.album}{delivery.item}"
    photo = [{"file_id": name, "file_unique_id": name, "width": 9, "height": 9}]
    caption = story.albums[delivery.album][delivery.item]
    content: dict[str, Any] = {"message_id": message_id, "photo": photo, "media_group_id": delivery.album}
    return message(number, **content, **({"caption": caption} if caption else {}))


async def _played(story: Story, folder: Path) -> dict[str, Job]:
    """Let everything arrive and the windows close; return what the albums became."""
    path = str(folder / "darkroom.db")
    office, now = Office(await Database.open(path)), NOON
    for number, delivery in enumerate(story.deliveries, start=1):
        now = later(now, delivery.gap)
        if delivery.is_after_restart:
            await office.db.close()
            office = Office(await Database.open(path))
            await office.db.unit(lambda tx, now=now: tx.jobs.reopen(later(now, WINDOW), later(now, 8)))  # type: ignore[misc]  # mypy: a default in a lambda
        office.now = now
        await office.db.unit(lambda tx, now=now: close_due(tx, CONTAINMENT, now))  # type: ignore[misc]  # mypy: a default in a lambda
        await office.take(_update(number, story, delivery))
    await office.db.unit(lambda tx: close_due(tx, CONTAINMENT, later(now, 10)))
    jobs = await office.db.unit(lambda tx: _all_jobs(tx, story))
    assert await office.said() == []
    await office.db.close()
    return jobs


def _all_jobs(tx: Transaction, story: Story) -> dict[str, Job]:
    found = {album: tx.jobs.of_album(5, album) for album in story.albums}
    [count] = tx.jobs._db.execute("SELECT count(*) AS n FROM jobs").fetchone()
    assert count == len(story.albums)
    return {album: job for album, job in found.items() if job is not None}


@given(stories())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_an_album_becomes_one_request_in_order_however_it_arrives(story: Story) -> None:
    with tempfile.TemporaryDirectory() as folder:
        jobs = uvloop.run(_played(story, Path(folder)))
    for album, captions in story.albums.items():
        job = jobs[album]
        assert [source.file_id for source in job.request.sources] == [f"{album}{n}" for n in range(len(captions))]
        prompt = next((caption for caption in captions if caption), "")
        assert (job.state, job.request.prompt) == (State.QUEUED if prompt else State.GATHERING, prompt)
