"""Kie mixes up tasks: no user gets another's image, nothing is ordered again undecided, and all are notified."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from bot.job import State
from bot.kie.client import KieClient
from bot.kie.models import EditInput, TaskRecord
from bot.kie.models import TaskOutcome as Ended
from bot.pipeline.callback_tracker import CallbackTracker, extract_reference
from bot.pipeline.uncertain_orders import TaskOwnership, determine_ownership
from bot.sandbox.kie.callbacks import CallbackOptions
from bot.sandbox.kie.tasks import ScriptedOutcome, failure
from bot.store.database import Transaction
from bot.store.order_attempts import AttemptOutcome as Attempted
from bot.telegram.client import load_tls_context
from tests.bot_harness import BotHarness, open_bot_harness
from tests.process_harness import KEY, make_photo, render_english

ADMIN, BOB = 9009, 2002


@asynccontextmanager
async def _open_harness(folder: Path, **how: Any) -> AsyncIterator[BotHarness]:
    async with open_bot_harness(folder, admin_ids=frozenset({ADMIN}), **how) as house:
        house.telegram.person(user_id=ADMIN)
        house.telegram.person(user_id=BOB, language_code="en")
        yield house


async def _bob_requests_edit(house: BotHarness) -> None:
    house.telegram.person(user_id=BOB).send_photo(make_photo("gold"), caption="make it rain")
    await house.receive_updates()
    await house.settle()


async def _create_foreign_task(house: BotHarness, prompt: str = "a secret of theirs") -> str:
    """Order with the same account but not by this bot; return the task id."""
    kie = KieClient(
        api_url=house.kie.url,
        upload_url=house.kie.url,
        key=KEY,
        model="google/nano-banana-edit",
        redact=str,
        tls=load_tls_context(),
    )
    url = await kie.upload_image(make_photo("plum"), name="f" * 32 + ".jpg", mime="image/jpeg")
    task_id = await kie.create_task(EditInput(prompt=prompt, image_urls=(url,)))
    await kie.aclose()
    return task_id


def _asked(house: BotHarness, whom: int) -> bool:
    return any(status["text"] == render_english("doubt") for status in house.progress_messages(whom))


def _told(house: BotHarness) -> list[str]:
    return [text for text in house.sent_texts(ADMIN) if "task of another order" in text]


@pytest.mark.parametrize("is_called", [False, True])
async def test_an_order_that_is_answered_with_another_jobs_task_is_in_doubt(tmp_path: Path, is_called: bool) -> None:
    async with _open_harness(tmp_path, is_called=is_called) as house:
        house.kie.callbacks.options = CallbackOptions(lost=True)
        await house.request_edit(make_photo())
        [of_ada] = house.kie.tasks
        house.kie.answer_with_other_tasks(of_ada)
        await _bob_requests_edit(house)
        job = await house.read_job(2)
        assert (job.state, job.task_id) == (State.SUBMITTING, None)
        await house.advance_time(300)
        assert (len(house.pictures()), len(house.pictures(BOB))) == (1, 0)
        assert _asked(house, BOB)
        assert not _asked(house, house.ada.id)
        assert len(_told(house)) == 1
        assert len(house.kie.calls_named("createTask")) == 2, "nothing is ordered again by itself"


async def test_the_callback_brings_the_picture_all_the_same(tmp_path: Path) -> None:
    async with _open_harness(tmp_path, is_called=True) as house:
        await house.request_edit(make_photo())
        [of_ada] = house.kie.tasks
        house.kie.answer_with_other_tasks(of_ada)
        await _bob_requests_edit(house)
        await house.advance_time(60)
        assert (len(house.pictures()), len(house.pictures(BOB))) == (1, 1)
        assert (await house.read_job(2)).task_id == list(house.kie.tasks)[1]
        assert len(house.kie.calls_named("createTask")) == 2
        assert not _asked(house, BOB)


@pytest.mark.parametrize(
    ("api_year", "is_echoed", "is_called", "end"),
    [
        (2025, True, True, ScriptedOutcome()),
        (2026, True, True, ScriptedOutcome()),
        (2026, False, True, ScriptedOutcome()),
        (2025, False, False, ScriptedOutcome()),
        (2026, True, True, failure("flagged as sensitive")),
        (2026, False, False, failure("Internal Error")),
        (2026, True, False, ScriptedOutcome(with_url=False)),
    ],
)
async def test_a_task_of_which_the_record_shows_another_order_is_never_answered_with(
    tmp_path: Path, api_year: int, is_echoed: bool, is_called: bool, end: ScriptedOutcome
) -> None:
    async with _open_harness(tmp_path, is_called=is_called, kie={"api_year": api_year}) as house:
        house.kie.echo_callback(shown=is_echoed)
        house.kie.callbacks.options = CallbackOptions(lost=True)
        house.kie.script_outcomes(end)
        theirs = await _create_foreign_task(house)
        house.kie.answer_with_other_tasks(theirs)
        await house.request_edit(make_photo())
        assert (await house.read_job()).task_id == theirs, "as long as nothing is known"
        await house.advance_time(300)
        assert (house.pictures(), house.sent_texts()) == ([], [])
        assert _asked(house, house.ada.id)
        assert len(_told(house)) == 1
        assert len(house.kie.tasks) == 2
        attempt = await house.bot.db.transact(lambda tx: tx.attempts.get_latest(1))
        assert attempt is not None
        assert (attempt.outcome, attempt.task_id) == (Attempted.UNCERTAIN, None)
        house.ada.press_button(house.progress_messages()[-1]["message_id"], render_english("button-again"))
        await house.process_updates()
        await house.advance_time(60)
        assert len(house.pictures()) == 1, "once the person has decided so"


async def test_two_orders_whose_tasks_are_swapped_both_get_their_own_picture(tmp_path: Path) -> None:
    async with _open_harness(tmp_path, is_called=True, kie={"duration": lambda: 20.0}) as house:
        theirs = await _create_foreign_task(house)
        house.kie.answer_with_other_tasks(theirs)
        await house.request_edit(make_photo())
        await house.advance_time(60)
        own = list(house.kie.tasks)[1]
        assert (await house.read_job()).task_id == own, "which its callback has named"
        assert len(house.pictures()) == 1
        assert len(house.kie.calls_named("createTask")) == 2
        assert not _asked(house, house.ada.id)


async def test_a_task_that_another_job_holds_is_left_until_that_one_has_been_looked_at(tmp_path: Path) -> None:
    async with _open_harness(tmp_path, is_called=True) as house:
        theirs = await _create_foreign_task(house)
        house.kie.answer_with_other_tasks(theirs)
        await house.request_edit(make_photo())  # its own task is the second
        own = list(house.kie.tasks)[1]
        house.kie.answer_with_other_tasks(own)
        await _bob_requests_edit(house)
        assert (await house.read_job(2)).task_id == own
        await house.advance_time(400)
        assert [(await house.read_job(number)).task_id for number in (1, 2)] == [own, list(house.kie.tasks)[2]]
        assert (len(house.pictures()), len(house.pictures(BOB))) == (1, 1)
        assert len(house.kie.calls_named("createTask")) == 3


async def test_it_survives_a_restart_at_any_of_these_moments(tmp_path: Path) -> None:
    async with _open_harness(tmp_path) as house:
        house.kie.answer_with_other_tasks(await _create_foreign_task(house))
        await house.request_edit(make_photo())
        await house.restart()
        await house.advance_time(60)
        assert _asked(house, house.ada.id)
        asked_at = (await house.read_job()).asked_at
        await house.restart()
        await house.advance_time(60)
        assert (await house.read_job()).asked_at == asked_at
        await house.advance_time(24 * 3600)
        assert (await house.read_job()).state is State.FAILED


async def test_a_task_that_was_answered_once_answers_no_second_order_of_the_same_job(tmp_path: Path) -> None:
    async with _open_harness(tmp_path) as house:
        house.kie.script_outcomes(failure("Internal Error, Please try again later."))
        await house.request_edit(make_photo())
        [first] = house.kie.tasks
        house.kie.answer_with_other_tasks(first)
        await house.advance_time(60)
        assert len(house.kie.calls_named("createTask")) == 2
        assert (await house.read_job()).state is State.SUBMITTING
        assert _asked(house, house.ada.id)


@pytest.mark.parametrize("transport", ["upload", "direct"])
@pytest.mark.parametrize("is_called", [True, False])
@pytest.mark.parametrize("is_shown", [True, False])
async def test_whoever_gets_the_right_task_gets_the_picture_whatever_is_shown(
    tmp_path: Path, transport: str, is_called: bool, is_shown: bool
) -> None:
    how = {"image_transport": transport, "allow_token_in_urls": True}
    async with _open_harness(tmp_path, is_called=is_called, **how) as house:
        house.kie.echo_callback(shown=is_shown)
        await house.request_edit(make_photo())
        [task] = house.kie.tasks.values()
        if not is_shown:
            task.param = json.dumps({"input": "{}"})
        await house.advance_time(60)
        assert len(house.pictures()) == 1
        assert _told(house) == []


# -- the comparison

REFERENCE = "r" * 44
OUR_UPLOADS = ("https://files.example/kieai/1/darkroom/aa.jpg", "https://files.example/kieai/1/darkroom/b%20b.jpg")


@pytest.mark.parametrize(
    ("callback", "urls", "verdict"),
    [
        (f"https://bot.example/kie/callback/{REFERENCE}", (), TaskOwnership.OURS),
        (f"https://bot.example/bots/kie/callback/{REFERENCE}/", ("https://x/y.jpg",), TaskOwnership.OURS),
        (f"https://bot.example/kie/callback/{quote(REFERENCE[:5])}%72{REFERENCE[6:]}?x=1#y", (), TaskOwnership.OURS),
        (f"https://bot.example/kie/callback/{'s' * 44}", OUR_UPLOADS, TaskOwnership.OTHERS),
        ("https://bot.example/kie/callback/rrrr", (), TaskOwnership.UNKNOWN),
        ("https://bot.example/kie/callback/rrrr****", OUR_UPLOADS, TaskOwnership.UNKNOWN),
        ("https://bot.example/kie/callback/rrrr****", ("https://files.example/other.jpg",), TaskOwnership.OTHERS),
        ("https://somebody.example/hook", (), TaskOwnership.UNKNOWN),
        ("https://somebody.example/hook", OUR_UPLOADS, TaskOwnership.UNKNOWN),
        ("https://[broken", OUR_UPLOADS, TaskOwnership.UNKNOWN),
        (None, OUR_UPLOADS, TaskOwnership.OURS),
        (
            None,
            (OUR_UPLOADS[0].upper().replace("KIEAI/1/DARKROOM/AA.JPG", "kieai/1/darkroom/aa.jpg"), OUR_UPLOADS[1]),
            TaskOwnership.OURS,
        ),
        (None, (OUR_UPLOADS[0], OUR_UPLOADS[1].replace("%20", " ")), TaskOwnership.OURS),
        (None, (OUR_UPLOADS[0] + "?signed=1", OUR_UPLOADS[1]), TaskOwnership.OURS),
        (None, (), TaskOwnership.UNKNOWN),
        (None, (OUR_UPLOADS[1],), TaskOwnership.UNKNOWN),
        (None, (OUR_UPLOADS[1], OUR_UPLOADS[0]), TaskOwnership.UNKNOWN),
        (None, tuple(url.replace("files", "mirror") for url in OUR_UPLOADS), TaskOwnership.UNKNOWN),
        (None, ("https://mirror.example/of/another.jpg",), TaskOwnership.UNKNOWN),
        (None, ("https://[broken",), TaskOwnership.UNKNOWN),
        (None, ("https://files.example/kieai/1/darkroom/cc.jpg",), TaskOwnership.OTHERS),
        (None, tuple(url.replace("darkroom/", "darkroom/x") for url in OUR_UPLOADS), TaskOwnership.OTHERS),
    ],
)
async def test_a_record_is_anothers_only_where_it_says_so(
    house: BotHarness, callback: str | None, urls: tuple[str, ...], verdict: TaskOwnership
) -> None:
    house.ada.send_album([make_photo("red"), make_photo("blue")], {0: "a duel"})
    await house.process_updates()
    await house.advance_time(10)
    sources = (await house.read_job()).request.sources

    def uploaded(tx: Transaction) -> None:
        for source, url in zip(sources, OUR_UPLOADS, strict=True):
            tx.jobs.set_upload_url(1, source.position, url, 1)

    await house.bot.db.transact(uploaded)
    seen = TaskRecord("a-task", Ended.SUCCESS, "success", callback_url=callback, image_urls=urls)
    assert determine_ownership(seen, await house.read_job(), {REFERENCE}) is verdict


def test_a_reference_is_found_in_the_address_that_is_given() -> None:
    assert (
        extract_reference(CallbackTracker("https://bot.example/path", b"").callback_url(REFERENCE) or "") == REFERENCE
    )
    for address in ("", "https://x/", "https://x/kie/callback/", f"https://x/kie/callback/{REFERENCE}/b", "http://[x"):
        assert extract_reference(address) is None


async def test_no_second_order_can_be_accepted_with_the_same_task(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    await house.advance_time(1)
    db = sqlite3.connect(house.bot.settings.database_path)
    insert = (
        "INSERT INTO attempts (job_id, reference, started_at, ended_at, outcome, task_id)"
        " SELECT job_id, 'second', started_at, ended_at, outcome, task_id FROM attempts WHERE outcome = 'accepted'"
    )
    with pytest.raises(sqlite3.IntegrityError):
        db.execute(insert)
    db.close()
