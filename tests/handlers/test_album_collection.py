"""Albums, however they arrive: one request each, with its items in order (property-based, by Hypothesis).

Any order of the items, repeated deliveries, restarts in between, captions anywhere, two albums at once.
"""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.clock import add_seconds
from bot.job import Job, State
from bot.pipeline.collect_request import close_due_requests
from bot.pipeline.error_containment import ErrorContainment
from bot.store.database import Database, Transaction
from tests.handlers.sample_updates import make_update
from tests.handlers.test_dispatch import NOON, DispatchHarness

WINDOW = 2.0

CONTAINMENT = ErrorContainment((), clock=lambda: NOON)


@dataclass(frozen=True)
class AlbumDelivery:
    """One delivery of an album item, and what happens before it."""

    album: str
    item: int
    #: seconds since the one before
    gap: float
    is_after_restart: bool


@dataclass(frozen=True)
class AlbumStory:
    """Albums, and how their items are delivered."""

    #: the captions of the items by album; "" for none
    albums: dict[str, list[str]]
    deliveries: list[AlbumDelivery]


@st.composite
def stories(draw: st.DrawFn) -> AlbumStory:
    """Generate one or two albums of up to five items, and their deliveries."""
    captions = st.lists(st.sampled_from(["", "", "one", "two"]), min_size=1, max_size=5)
    albums = draw(st.dictionaries(st.sampled_from(["a", "b"]), captions, min_size=1, max_size=2))
    items = [(album, item) for album, captioned in albums.items() for item in range(len(captioned))]
    repeated = draw(st.lists(st.sampled_from(items), max_size=3))
    order = draw(st.permutations([*items, *repeated]))
    # within the album window since the last item, even of an album that waits for the other, and within the cap
    longest = min(0.9 * WINDOW / (1 if len(albums) == 1 else len(order)), 7.0 / len(order))
    gap = st.floats(0.0, longest)
    return AlbumStory(albums, [AlbumDelivery(album, item, draw(gap), draw(st.booleans())) for album, item in order])


def _delivery_update(number: int, story: AlbumStory, delivery: AlbumDelivery) -> dict[str, Any]:
    message_id = 100 * (1 + list(story.albums).index(delivery.album)) + delivery.item
    name = f"{delivery.album}{delivery.item}"
    photo = [{"file_id": name, "file_unique_id": name, "width": 9, "height": 9}]
    caption = story.albums[delivery.album][delivery.item]
    content: dict[str, Any] = {"message_id": message_id, "photo": photo, "media_group_id": delivery.album}
    return make_update(number, **content, **({"caption": caption} if caption else {}))


async def _play_story(story: AlbumStory, folder: Path) -> dict[str, Job]:
    """Deliver all items and let the albums close; return the job of each album."""
    path = str(folder / "darkroom.db")
    harness, now = DispatchHarness(await Database.open(path)), NOON
    for number, delivery in enumerate(story.deliveries, start=1):
        now = add_seconds(now, delivery.gap)
        if delivery.is_after_restart:
            await harness.db.close()
            harness = DispatchHarness(await Database.open(path))
            deadlines = add_seconds(now, WINDOW), add_seconds(now, 8)
            await harness.db.transact(lambda tx, until=deadlines: tx.jobs.extend_collection_deadlines(*until))  # type: ignore[misc]  # mypy: a default in a lambda
        harness.now = now
        await harness.db.transact(lambda tx, now=now: close_due_requests(tx, CONTAINMENT, now))  # type: ignore[misc]  # mypy: a default in a lambda
        await harness.handle_updates(_delivery_update(number, story, delivery))
    await harness.db.transact(lambda tx: close_due_requests(tx, CONTAINMENT, add_seconds(now, 10)))
    jobs = await harness.db.transact(lambda tx: _read_jobs(tx, story))
    assert await harness.queued_texts() == []
    await harness.db.close()
    return jobs


def _read_jobs(tx: Transaction, story: AlbumStory) -> dict[str, Job]:
    found = {album: tx.jobs.get_by_album(5, album) for album in story.albums}
    [count] = tx.jobs._db.execute("SELECT count(*) AS n FROM jobs").fetchone()
    assert count == len(story.albums)
    return {album: job for album, job in found.items() if job is not None}


@given(stories())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_an_album_becomes_one_request_in_order_however_it_arrives(story: AlbumStory) -> None:
    with tempfile.TemporaryDirectory() as folder:
        jobs = asyncio.run(_play_story(story, Path(folder)))
    for album, captions in story.albums.items():
        job = jobs[album]
        assert [source.file_id for source in job.request.sources] == [f"{album}{n}" for n in range(len(captions))]
        prompt = next((caption for caption in captions if caption), "")
        assert (job.state, job.request.prompt) == (State.QUEUED if prompt else State.GATHERING, prompt)
