"""Kie mixes tasks up: nobody gets somebody else's picture, nothing is ordered again by itself, and all is told."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from bot.chat.client import certificates
from bot.job import State
from bot.jobs.callbacks import Callbacks, reference_in
from bot.jobs.doubt import Whose, whose
from bot.kie.client import Kie
from bot.kie.models import EditInput, Look
from bot.kie.models import Outcome as Ended
from bot.sandbox.kie_callbacks import Calling
from bot.sandbox.kie_tasks import Outcome, fail
from bot.store.attempts import Outcome as Attempted
from bot.store.connection import Database
from bot.store.migrations import APPLICATION_ID, _steps
from bot.store.transaction import Transaction
from tests.house import House, a_house
from tests.world import KEY, a_photo, english, rows

ADMIN, BOB = 9009, 2002


@asynccontextmanager
async def _house(folder: Path, **how: Any) -> AsyncIterator[House]:
    async with a_house(folder, admin_ids=frozenset({ADMIN}), **how) as house:
        house.telegram.person(user_id=ADMIN)
        house.telegram.person(user_id=BOB, language_code="en")
        yield house


async def _bob_asks(house: House) -> None:
    house.telegram.person(user_id=BOB).send_photo(a_photo("gold"), caption="make it rain")
    await house.receive()
    await house.settle()


async def _somebody_elses(house: House, prompt: str = "a secret of theirs") -> str:
    """Order something with the same account, but not by this bot; return its task."""
    kie = Kie(
        api_url=house.kie.url,
        upload_url=house.kie.url,
        key=KEY,
        model="google/nano-banana-edit",
        redact=str,
        tls=certificates(),
    )
    url = await kie.upload(a_photo("plum"), name="f" * 32 + ".jpg", mime="image/jpeg")
    task_id = await kie.create_task(EditInput(prompt=prompt, image_urls=(url,)))
    await kie.aclose()
    return task_id


def _asked(house: House, whom: int) -> bool:
    return any(status["text"] == english("doubt") for status in house.statuses(whom))


def _told(house: House) -> list[str]:
    return [words for words in house.words(ADMIN) if "task of another order" in words]


@pytest.mark.parametrize("is_called", [False, True])
async def test_an_order_that_is_answered_with_another_jobs_task_is_in_doubt(tmp_path: Path, is_called: bool) -> None:
    async with _house(tmp_path, is_called=is_called) as house:
        house.kie.callbacks.calling = Calling(lost=True)
        await house.ask(a_photo())
        [of_ada] = house.kie.tasks
        house.kie.mix_up(of_ada)
        await _bob_asks(house)
        job = await house.job(2)
        assert (job.state, job.task_id) == (State.SUBMITTING, None)
        await house.pass_time(300)
        assert (len(house.pictures()), len(house.pictures(BOB))) == (1, 0)
        assert _asked(house, BOB)
        assert not _asked(house, house.ada.id)
        assert len(_told(house)) == 1
        assert len(house.kie.called("createTask")) == 2, "nothing is ordered again by itself"


async def test_the_callback_brings_the_picture_all_the_same(tmp_path: Path) -> None:
    async with _house(tmp_path, is_called=True) as house:
        await house.ask(a_photo())
        [of_ada] = house.kie.tasks
        house.kie.mix_up(of_ada)
        await _bob_asks(house)
        await house.pass_time(60)
        assert (len(house.pictures()), len(house.pictures(BOB))) == (1, 1)
        assert (await house.job(2)).task_id == list(house.kie.tasks)[1]
        assert len(house.kie.called("createTask")) == 2
        assert not _asked(house, BOB)


@pytest.mark.parametrize(
    ("vintage", "is_echoed", "is_called", "end"),
    [
        (2025, True, True, Outcome()),
        (2026, True, True, Outcome()),
        (2026, False, True, Outcome()),
        (2025, False, False, Outcome()),
        (2026, True, True, fail("flagged as sensitive")),
        (2026, False, False, fail("Internal Error")),
        (2026, True, False, Outcome(with_url=False)),
    ],
)
async def test_a_task_of_which_the_record_shows_another_order_is_never_answered_with(
    tmp_path: Path, vintage: int, is_echoed: bool, is_called: bool, end: Outcome
) -> None:
    async with _house(tmp_path, is_called=is_called, kie={"vintage": vintage}) as house:
        house.kie.echo_callback(shown=is_echoed)
        house.kie.callbacks.calling = Calling(lost=True)
        house.kie.script(end)
        theirs = await _somebody_elses(house)
        house.kie.mix_up(theirs)
        await house.ask(a_photo())
        assert (await house.job()).task_id == theirs, "as long as nothing is known"
        await house.pass_time(300)
        assert (house.pictures(), house.words()) == ([], [])
        assert _asked(house, house.ada.id)
        assert len(_told(house)) == 1
        assert len(house.kie.tasks) == 2
        attempt = await house.bot.db.unit(lambda tx: tx.attempts.latest(1))
        assert attempt is not None
        assert (attempt.outcome, attempt.task_id) == (Attempted.UNCLEAR, None)
        house.ada.press(house.statuses()[-1]["message_id"], english("button-again"))
        await house.hear()
        await house.pass_time(60)
        assert len(house.pictures()) == 1, "once the person has decided so"


async def test_two_orders_whose_tasks_are_swapped_both_get_their_own_picture(tmp_path: Path) -> None:
    async with _house(tmp_path, is_called=True, kie={"duration": lambda: 20.0}) as house:
        theirs = await _somebody_elses(house)
        house.kie.mix_up(theirs)
        await house.ask(a_photo())
        await house.pass_time(60)
        own = list(house.kie.tasks)[1]
        assert (await house.job()).task_id == own, "which its callback has named"
        assert len(house.pictures()) == 1
        assert len(house.kie.called("createTask")) == 2
        assert not _asked(house, house.ada.id)


async def test_a_task_that_another_job_holds_is_left_until_that_one_has_been_looked_at(tmp_path: Path) -> None:
    async with _house(tmp_path, is_called=True) as house:
        theirs = await _somebody_elses(house)
        house.kie.mix_up(theirs)
        await house.ask(a_photo())  # whose own task is the second one
        own = list(house.kie.tasks)[1]
        house.kie.mix_up(own)
        await _bob_asks(house)
        assert (await house.job(2)).task_id == own
        await house.pass_time(400)
        assert [(await house.job(number)).task_id for number in (1, 2)] == [own, list(house.kie.tasks)[2]]
        assert (len(house.pictures()), len(house.pictures(BOB))) == (1, 1)
        assert len(house.kie.called("createTask")) == 3


async def test_it_survives_a_restart_at_any_of_these_moments(tmp_path: Path) -> None:
    async with _house(tmp_path) as house:
        house.kie.mix_up(await _somebody_elses(house))
        await house.ask(a_photo())
        await house.restart()
        await house.pass_time(60)
        assert _asked(house, house.ada.id)
        asked_at = (await house.job()).asked_at
        await house.restart()
        await house.pass_time(60)
        assert (await house.job()).asked_at == asked_at
        await house.pass_time(24 * 3600)
        assert (await house.job()).state is State.FAILED


async def test_a_task_that_was_answered_once_answers_no_second_order_of_the_same_job(tmp_path: Path) -> None:
    async with _house(tmp_path) as house:
        house.kie.script(fail("Internal Error, Please try again later."))
        await house.ask(a_photo())
        [first] = house.kie.tasks
        house.kie.mix_up(first)
        await house.pass_time(60)
        assert len(house.kie.called("createTask")) == 2
        assert (await house.job()).state is State.SUBMITTING
        assert _asked(house, house.ada.id)


@pytest.mark.parametrize("transport", ["upload", "direct"])
@pytest.mark.parametrize("is_called", [True, False])
@pytest.mark.parametrize("is_shown", [True, False])
async def test_whoever_gets_the_right_task_gets_the_picture_whatever_is_shown(
    tmp_path: Path, transport: str, is_called: bool, is_shown: bool
) -> None:
    how = {"image_transport": transport, "allow_token_in_urls": True}
    async with _house(tmp_path, is_called=is_called, **how) as house:
        house.kie.echo_callback(shown=is_shown)
        await house.ask(a_photo())
        [task] = house.kie.tasks.values()
        if not is_shown:
            task.param = json.dumps({"input": "{}"})
        await house.pass_time(60)
        assert len(house.pictures()) == 1
        assert _told(house) == []


# -- what is compared

REFERENCE = "r" * 44
OURS = ("https://files.example/kieai/1/darkroom/aa.jpg", "https://files.example/kieai/1/darkroom/b%20b.jpg")


@pytest.mark.parametrize(
    ("callback", "urls", "verdict"),
    [
        (f"https://bot.example/kie/callback/{REFERENCE}", (), Whose.OURS),
        (f"https://bot.example/bots/kie/callback/{REFERENCE}/", ("https://x/y.jpg",), Whose.OURS),
        (f"https://bot.example/kie/callback/{quote(REFERENCE[:5])}%72{REFERENCE[6:]}?x=1#y", (), Whose.OURS),
        (f"https://bot.example/kie/callback/{'s' * 44}", OURS, Whose.OTHERS),
        ("https://bot.example/kie/callback/rrrr", (), Whose.UNKNOWN),
        ("https://bot.example/kie/callback/rrrr****", OURS, Whose.UNKNOWN),
        ("https://bot.example/kie/callback/rrrr****", ("https://files.example/other.jpg",), Whose.OTHERS),
        ("https://somebody.example/hook", (), Whose.UNKNOWN),
        ("https://somebody.example/hook", OURS, Whose.UNKNOWN),
        ("https://[broken", OURS, Whose.UNKNOWN),
        (None, OURS, Whose.OURS),
        (None, (OURS[0].upper().replace("KIEAI/1/DARKROOM/AA.JPG", "kieai/1/darkroom/aa.jpg"), OURS[1]), Whose.OURS),
        (None, (OURS[0], OURS[1].replace("%20", " ")), Whose.OURS),
        (None, (OURS[0] + "?signed=1", OURS[1]), Whose.OURS),
        (None, (), Whose.UNKNOWN),
        (None, (OURS[1],), Whose.UNKNOWN),
        (None, (OURS[1], OURS[0]), Whose.UNKNOWN),
        (None, tuple(url.replace("files", "mirror") for url in OURS), Whose.UNKNOWN),
        (None, ("https://mirror.example/of/another.jpg",), Whose.UNKNOWN),
        (None, ("https://[broken",), Whose.UNKNOWN),
        (None, ("https://files.example/kieai/1/darkroom/cc.jpg",), Whose.OTHERS),
        (None, tuple(url.replace("darkroom/", "darkroom/x") for url in OURS), Whose.OTHERS),
    ],
)
async def test_a_record_is_anothers_only_where_it_says_so(
    house: House, callback: str | None, urls: tuple[str, ...], verdict: Whose
) -> None:
    house.ada.send_album([a_photo("red"), a_photo("blue")], {0: "a duel"})
    await house.hear()
    await house.pass_time(10)
    sources = (await house.job()).request.sources

    def uploaded(tx: Transaction) -> None:
        for source, url in zip(sources, OURS, strict=True):
            tx.jobs.uploaded(1, source.place, url, 1)

    await house.bot.db.unit(uploaded)
    seen = Look("a-task", Ended.SUCCESS, "success", callback_url=callback, image_urls=urls)
    assert whose(seen, await house.job(), {REFERENCE}) is verdict


def test_a_reference_is_found_in_the_address_that_is_given() -> None:
    assert reference_in(Callbacks("https://bot.example/path", b"").address(REFERENCE) or "") == REFERENCE
    for address in ("", "https://x/", "https://x/kie/callback/", f"https://x/kie/callback/{REFERENCE}/b", "http://[x"):
        assert reference_in(address) is None


# -- a database in which one task answers two orders


async def test_of_two_jobs_with_one_task_the_first_keeps_it_after_an_update(tmp_path: Path) -> None:
    path = tmp_path / "darkroom.db"
    db = sqlite3.connect(path, isolation_level=None)
    for script in _steps()[:6]:
        db.executescript(script)
    for job_id, state in ((1, "running"), (2, "running"), (3, "succeeded")):
        db.execute(
            "INSERT INTO jobs (id, state, chat_id, user_id, message_id, prompt, received_at, queued_at, submitted_at,"
            " task_id, finished_at) VALUES (?, ?, 5, 5, ?, 'x', 1, 1, 2, 'same', ?)",
            (job_id, state, job_id, 9 if state == "succeeded" else None),
        )
        db.execute(
            "INSERT INTO attempts (job_id, reference, started_at, ended_at, outcome, task_id)"
            " VALUES (?, ?, 1, 2, 'accepted', 'same')",
            (job_id, f"r{job_id}"),
        )
    db.executescript(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 6;")
    db.close()
    await (await Database.open(str(path))).close()
    jobs = [tuple(row) for row in rows(path, "SELECT state, task_id, due_at FROM jobs ORDER BY id")]
    assert jobs == [("running", "same", None), ("submitting", None, 2), ("succeeded", "same", None)]
    attempts = [tuple(row) for row in rows(path, "SELECT outcome, task_id FROM attempts ORDER BY id")]
    assert attempts == [("accepted", "same"), ("unclear", None), ("unclear", None)]
    db = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("UPDATE attempts SET outcome = 'accepted', task_id = 'same' WHERE id = 2")
    db.close()
