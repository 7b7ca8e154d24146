"""A user deletes everything while a step of their edit is in progress: nothing more is sent, and nothing is kept."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.fault_injection import HTML_502, Fault, FaultInjector, FaultKind
from bot.sandbox.telegram import Person
from bot.sandbox.telegram.errors import bad_request, server_error, too_many_requests
from bot.store.database import Transaction
from bot.store.outbox import MessageDraft
from tests.bot_harness import BotHarness, open_bot_harness
from tests.group_harness import create_group
from tests.privacy.canary_user import CANARY, CANARY_USER_ID
from tests.process_harness import make_photo, query_database, render_english

#: Carries out the call, and sends the response when the gate is opened.
HELD_CALL = Fault(FaultKind.HOLD_RESPONSE)
#: Refuses the call when the gate is opened.
REFUSED = replace(bad_request("PHOTO_INVALID_DIMENSIONS"), kind=FaultKind.HANG)
UNCERTAIN = replace(server_error(), kind=FaultKind.HANG)
RATE_LIMITED = replace(too_many_requests(1), kind=FaultKind.HANG)
#: Lets a call through.
LET_THROUGH = Fault(FaultKind.DELAY)

KIE_CALLS = frozenset({"downloadUrl", "upload", "createTask", "recordInfo", "result", "credit"})


@dataclass
class DeletionScene:
    """The canary user, who was asked whether to delete everything, and has not answered yet."""

    harness: BotHarness
    user: Person
    question: int

    def faults(self, call: str) -> FaultInjector:
        """Return the fault injection of the server that handles this call."""
        return (self.harness.kie if call in KIE_CALLS else self.harness.telegram).faults

    async def request_edit(self, caption: str = "make it snow") -> None:
        """Request an edit."""
        self.user.send_photo(make_photo(), caption=f"{CANARY} {caption}")
        await self.harness.receive_updates()

    async def delete_during_call(self, call: str, fault: Fault, *, nth: int = 1) -> None:
        """Advance time until a call is held, delete everything, and then release the call."""
        fault = replace(fault, release=asyncio.Event())
        self.faults(call).add(call, LET_THROUGH, times=nth - 1)
        self.faults(call).add(call, fault)
        edit = await self._run_until_held(call)
        await self.delete_everything()
        known = self.stored_rows()
        fault.release.set()
        await edit
        await self.harness.advance_time(100)
        assert self.stored_rows() == known, "nothing is written into what was erased"

    async def act_during_call(self, call: str, fault: Fault, does: Callable[[], object]) -> None:
        """Advance time until a call is held, run `does`, and then release the call."""
        fault = replace(fault, release=asyncio.Event())
        self.faults(call).add(call, fault)
        edit = await self._run_until_held(call)
        does()
        await self.harness.receive_updates()
        fault.release.set()
        await edit
        await self.harness.advance_time(100)

    async def _run_until_held(self, call: str) -> "asyncio.Task[None]":
        """Advance time until a call is held; return the task that continues the edit."""
        edit = asyncio.create_task(self.harness.advance_time(60))
        while (waiting := self.faults(call)._queued[call]) and not edit.done():  # noqa: ASYNC110 - there is no event for a fault
            await asyncio.sleep(0)
        assert not waiting, f"{call} was never made"
        return edit

    async def delete_everything(self) -> None:
        """Press the button that confirms, and let the bot receive it."""
        self.user.press_button(self.question, "Delete everything")
        await self.harness.receive_updates()

    def stored_rows(self) -> list[tuple[object, ...]]:
        """Return all stored rows about the edits."""
        path = Path(self.harness.bot.settings.database_path)
        return [
            tuple(row)
            for table in ("jobs", "source_images", "request_messages")
            for row in query_database(path, f"SELECT * FROM {table}")  # noqa: S608 - our own names
        ]

    def texts_since_question(self) -> list[str]:
        """Return what the bot has sent to her chat since the question; an image is returned as "picture"."""
        since = [
            each for each in self.harness.telegram.bot_messages(CANARY_USER_ID) if each["message_id"] > self.question
        ]
        return [each.get("text", "picture") for each in since]

    async def find_traces(self) -> list[bytes]:
        """Return the traces of her that are in the database after a scrub."""
        await self.harness.bot.retention.run_once()
        self.harness.clock.now += 2 * 86_400  # until her daily usage is deleted
        await self.harness.bot.retention.run_once()
        path = Path(self.harness.bot.settings.database_path)
        raw = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
        files = [each.encode() for each in self.harness.telegram.state.files._files]
        return [
            each
            for each in (CANARY.encode(), b"%d" % CANARY_USER_ID, CANARY_USER_ID.to_bytes(6, "big"), *files)
            if each in raw
        ]


@asynccontextmanager
async def open_deletion_scene(folder: Path, **settings: Any) -> AsyncIterator[DeletionScene]:
    """Open a harness in which she was asked whether to delete everything."""
    async with open_bot_harness(folder, **settings) as house:
        her = house.telegram.person(user_id=CANARY_USER_ID, first_name=CANARY)
        her.send_text(f"{CANARY} says hello")
        her.send_text("/delete")
        await house.process_updates()
        await house.advance_time(3)
        yield DeletionScene(house, her, house.telegram.bot_messages(CANARY_USER_ID)[-1]["message_id"])


#: What may be in progress, and how it ends after she has deleted everything.
STEPS_UNDER_WAY = {
    "asked for a file": ("getFile", HELD_CALL),
    "fetched": ("file", HELD_CALL),
    "uploaded": ("upload", HELD_CALL),
    "uploaded in vain": ("upload", replace(HTML_502, kind=FaultKind.HANG)),
    "ordered": ("createTask", HELD_CALL),
    "ordered, and unclear": ("createTask", replace(HTML_502, kind=FaultKind.HANG)),
    "looked at": ("recordInfo", HELD_CALL),
    "fetched from Kie": ("result", HELD_CALL),
    "fetched from Kie in vain": ("result", replace(HTML_502, kind=FaultKind.HANG)),
    "sent": ("sendPhoto", HELD_CALL),
    "sent, and refused as a photo": ("sendPhoto", REFUSED),
    "sent, and not confirmed": ("sendPhoto", UNCERTAIN),
    "sent, and put off": ("sendPhoto", RATE_LIMITED),
    "told about": ("sendMessage", HELD_CALL),
    "told about, and refused": ("sendMessage", REFUSED),
    "told about again": ("editMessageText", HELD_CALL),
    "told about again, and refused": ("editMessageText", REFUSED),
}


@pytest.mark.parametrize("name", STEPS_UNDER_WAY)
async def test_nothing_comes_and_nothing_stays_whatever_is_under_way(tmp_path: Path, name: str) -> None:
    call, fault = STEPS_UNDER_WAY[name]
    async with open_deletion_scene(tmp_path) as scene:
        await scene.request_edit()
        await scene.delete_during_call(call, fault)
        assert scene.texts_since_question() == [render_english("deleted", records=2)]
        assert await scene.find_traces() == []


async def _calls_of_an_edit(folder: Path) -> Counter[str]:
    """Count how often an edit makes each call that can be held."""
    async with open_deletion_scene(folder) as scene:
        before = Counter(call.method for call in scene.harness.telegram.calls)
        await scene.request_edit()
        await scene.harness.advance_time(60)
        assert len(scene.harness.pictures(CANARY_USER_ID)) == 1
        of_telegram = Counter(call.method for call in scene.harness.telegram.calls) - before
        of_kie = Counter(call.name for call in scene.harness.kie.calls if call.name in KIE_CALLS)
        return of_telegram + of_kie - Counter({"getUpdates": 9})


@pytest.mark.long
async def test_nothing_stays_whichever_call_of_an_edit_is_under_way(tmp_path: Path) -> None:
    calls = await _calls_of_an_edit(tmp_path / "whole")
    for call, times in calls.items():
        for nth in range(1, times + 1):
            async with open_deletion_scene(tmp_path / f"{call} {nth}") as scene:
                await scene.request_edit()
                await scene.delete_during_call(call, HELD_CALL, nth=nth)
                # an answer recorded before she pressed is hers to delete
                was_answered = call in ("deleteMessage", "sendChatAction")
                assert scene.texts_since_question()[-1] == render_english("deleted", records=2), call
                assert len(scene.texts_since_question()) == 1 or was_answered, call
                assert await scene.find_traces() == [], call


async def test_what_was_being_fetched_is_not_uploaded(tmp_path: Path) -> None:
    async with open_deletion_scene(tmp_path) as scene:
        await scene.request_edit()
        await scene.delete_during_call("file", HELD_CALL)
        assert scene.harness.kie.calls_named("upload") == []


async def test_what_is_cancelled_while_it_is_fetched_is_not_uploaded(tmp_path: Path) -> None:
    async with open_deletion_scene(tmp_path) as scene:
        await scene.request_edit()
        await scene.act_during_call("file", HELD_CALL, lambda: scene.user.send_text("/cancel"))
        assert scene.harness.kie.calls_named("upload") == []


async def test_an_order_that_is_still_being_put_together_is_not_made(tmp_path: Path) -> None:
    async with open_deletion_scene(tmp_path, image_transport="direct", allow_token_in_urls=True) as scene:
        await scene.request_edit()
        await scene.delete_during_call("getFile", HELD_CALL, nth=3)
        assert scene.harness.kie.calls_named("createTask") == []
        assert scene.texts_since_question() == [render_english("deleted", records=2)]


async def test_a_text_is_not_sent_once_telegram_is_well_again(tmp_path: Path) -> None:
    async with open_deletion_scene(tmp_path) as scene:
        scene.harness.telegram.faults.add("sendMessage", server_error())
        scene.user.send_text("/help")
        await scene.harness.receive_updates()
        await scene.delete_during_call("getMe", HELD_CALL)
        assert scene.texts_since_question() == [render_english("deleted", records=2)]


async def test_what_tells_how_it_stands_is_not_shown_once_telegram_is_well_again(tmp_path: Path) -> None:
    async with open_deletion_scene(tmp_path) as scene:
        scene.user.send_photo(make_photo())
        scene.harness.telegram.faults.add("sendMessage", server_error())
        await scene.harness.receive_updates()
        sent = len([call for call in scene.harness.telegram.calls if call.method == "sendMessage"])
        await scene.delete_during_call("getMe", HELD_CALL)
        assert scene.texts_since_question() == [render_english("deleted", records=2)]
        assert len([call for call in scene.harness.telegram.calls if call.method == "sendMessage"]) == sent + 2


async def test_what_a_message_shows_that_is_to_be_taken_away_is_not_written_down(tmp_path: Path) -> None:
    async with open_deletion_scene(tmp_path) as scene:
        await scene.request_edit()
        scene.harness.telegram.faults.always("deleteMessage", server_error())
        await scene.delete_during_call("editMessageText", HELD_CALL)
        kept = query_database(
            tmp_path / "darkroom.db", "SELECT shown, body FROM outbox WHERE kind IN ('progress_message', 'menu')"
        )
        assert {tuple(row) for row in kept} == {(None, "")}


async def test_figures_that_telegram_refuses_as_a_picture_do_not_come_as_text(tmp_path: Path) -> None:
    async with open_deletion_scene(tmp_path, admin_ids=frozenset({CANARY_USER_ID})) as scene:
        await scene.request_edit()
        await scene.harness.advance_time(60)
        scene.user.send_text("/stats")
        await scene.harness.receive_updates()
        before = scene.texts_since_question()
        await scene.delete_during_call("sendPhoto", REFUSED)
        assert scene.texts_since_question() == [*before, render_english("deleted", records=2)]


async def test_an_answer_that_is_deleted_while_it_is_sent_once_more_does_not_come_again(tmp_path: Path) -> None:
    async with open_deletion_scene(tmp_path) as scene:
        house = scene.harness
        await scene.request_edit()
        house.telegram.faults.add("sendPhoto", Fault(FaultKind.DISCONNECT_AFTER))

        def deletes() -> None:
            [picture] = house.pictures(CANARY_USER_ID)
            scene.user.press_button(picture["message_id"], "Delete")

        await scene.act_during_call("editMessageMedia", REFUSED, deletes)
        assert house.pictures(CANARY_USER_ID) == []
        assert [call.method for call in house.telegram.calls].count("sendPhoto") == 1


async def test_who_administers_a_group_is_not_kept_for_somebody_who_is_gone(tmp_path: Path) -> None:
    async with open_deletion_scene(tmp_path) as scene:
        here = create_group(scene.harness)
        here.group.join(scene.user.user)
        here.group.promote(scene.user.user)
        scene.user.send_text(f"/settings@darkroom_bot {CANARY}", chat=here.group)
        await scene.harness.receive_updates()
        await scene.delete_during_call("getChatAdministrators", HELD_CALL)
        assert here.sent_texts() == []
        assert await scene.find_traces() == []


async def test_another_version_that_somebody_waits_for_comes_though_the_first_was_deleted(tmp_path: Path) -> None:
    async with open_deletion_scene(tmp_path) as scene:
        here = create_group(scene.harness)
        here.group.join(scene.user.user)
        scene.user.send_photo(make_photo(), caption=f"/edit {CANARY} likes it", chat=here.group)
        [first] = await here.finish_edits()
        here.grace.press_button(first["message_id"], "Again", chat=here.group)
        scene.harness.telegram.faults.always("sendPhoto", too_many_requests(10))
        await here.process_updates()
        await scene.harness.advance_time(40)
        await scene.delete_everything()
        await scene.harness.bot.retention.run_once()
        scene.harness.telegram.faults.clear()
        await scene.harness.advance_time(60)
        assert len(here.pictures()) == 2
        assert await scene.find_traces() == []


async def test_an_erased_edit_takes_no_change_and_nothing_is_said_about_it(tmp_path: Path) -> None:
    async with open_deletion_scene(tmp_path) as scene:
        await scene.request_edit()
        await scene.harness.advance_time(60)
        before = await scene.harness.read_job()
        await scene.delete_everything()
        read_since = await scene.harness.read_job()
        known, now = scene.stored_rows(), scene.harness.clock.instant()

        def write(tx: Transaction) -> list[bool]:
            changes: dict[str, Any] = {"answered_at": now, "result_url": CANARY, "prompt": CANARY}
            said = MessageDraft(key=CANARY, chat_id=CANARY_USER_ID, body=CANARY, job_id=before.id)
            return [*(tx.jobs.update(job, **changes) for job in (before, read_since)), tx.outbox.add(said, now)]

        assert await scene.harness.bot.db.transact(write) == [False, False, False]
        assert scene.stored_rows() == known
