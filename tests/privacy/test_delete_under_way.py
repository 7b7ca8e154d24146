"""Somebody deletes everything while a step of their edit is under way: nothing comes any more, and nothing is kept."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.faults import HTML_502, Fault, Faults, Kind
from bot.sandbox.telegram import Person
from bot.sandbox.telegram.refusals import bad_request, server_error, too_many
from bot.store.outbox import Say
from bot.store.transaction import Transaction
from tests.group import friends
from tests.house import House, a_house
from tests.privacy.life import CANARY, HER_ID
from tests.world import a_photo, english, rows

#: Takes the call and carries it out, but nobody hears of that before the gate is opened.
HELD = Fault(Kind.HELD)
#: Takes the call and refuses it once the gate is opened.
REFUSED = replace(bad_request("PHOTO_INVALID_DIMENSIONS"), kind=Kind.HANG)
UNCERTAIN = replace(server_error(), kind=Kind.HANG)
LATER = replace(too_many(1), kind=Kind.HANG)
#: Lets a call through.
PASSES = Fault(Kind.SLOW)

KIES = frozenset({"downloadUrl", "upload", "createTask", "recordInfo", "result", "credit"})


@dataclass
class Scene:
    """Her, who was asked whether everything is to be deleted, and has not answered yet."""

    house: House
    her: Person
    question: int

    def faults(self, call: str) -> Faults:
        """Return the faults of the server that has this call."""
        return (self.house.kie if call in KIES else self.house.telegram).faults

    async def edits(self, caption: str = "make it snow") -> None:
        """Let her ask for an edit."""
        self.her.send_photo(a_photo(), caption=f"{CANARY} {caption}")
        await self.house.receive()

    async def deletes_while(self, call: str, fault: Fault, *, nth: int = 1) -> None:
        """Let time pass until a call waits; let her delete everything meanwhile, and then the call be answered."""
        fault = replace(fault, gate=asyncio.Event())
        self.faults(call).add(call, PASSES, times=nth - 1)
        self.faults(call).add(call, fault)
        going = await self._until_it_waits(call)
        await self.deletes_everything()
        known = self.known()
        fault.gate.set()
        await going
        await self.house.pass_time(100)
        assert self.known() == known, "nothing is written into what was erased"

    async def meanwhile(self, call: str, fault: Fault, does: Callable[[], object]) -> None:
        """Let time pass until a call waits; let something be done meanwhile, and then the call be answered."""
        fault = replace(fault, gate=asyncio.Event())
        self.faults(call).add(call, fault)
        going = await self._until_it_waits(call)
        does()
        await self.house.receive()
        fault.gate.set()
        await going
        await self.house.pass_time(100)

    async def _until_it_waits(self, call: str) -> "asyncio.Task[None]":
        """Let time pass until a call has run into its fault; return what lets it pass."""
        going = asyncio.create_task(self.house.pass_time(60))
        while (waiting := self.faults(call)._waiting[call]) and not going.done():  # noqa: ASYNC110 - a fault is no event
            await asyncio.sleep(0)
        assert not waiting, f"{call} was never made"
        return going

    async def deletes_everything(self) -> None:
        """Let her press the button, and the bot hear of it."""
        self.her.press(self.question, "Delete everything")
        await self.house.receive()

    def known(self) -> list[tuple[object, ...]]:
        """Return all that is stored of the edits."""
        path = Path(self.house.bot.settings.database_path)
        return [tuple(row) for table in ("jobs", "sources", "parts") for row in rows(path, f"SELECT * FROM {table}")]  # noqa: S608 - our own names

    def standing(self) -> list[str]:
        """Return what the bot has said in her chat since it asked her, pictures as "picture"."""
        since = [each for each in self.house.telegram.bot_messages(HER_ID) if each["message_id"] > self.question]
        return [each.get("text", "picture") for each in since]

    async def traces(self) -> list[bytes]:
        """Return what leads to her and can be found in the database once it was written anew."""
        await self.house.bot.retention.round()
        self.house.clock.now += 2 * 86_400  # for as long as it counts how much she asked for
        await self.house.bot.retention.round()
        path = Path(self.house.bot.settings.database_path)
        raw = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
        files = [each.encode() for each in self.house.telegram.cloud.files._stored]
        return [each for each in (CANARY.encode(), b"%d" % HER_ID, HER_ID.to_bytes(6, "big"), *files) if each in raw]


@asynccontextmanager
async def a_scene(folder: Path, **settings: Any) -> AsyncIterator[Scene]:
    """Open a house in which she was asked whether everything is to be deleted."""
    async with a_house(folder, **settings) as house:
        her = house.telegram.person(user_id=HER_ID, first_name=CANARY)
        her.send_text(f"{CANARY} says hello")
        her.send_text("/delete")
        await house.hear()
        await house.pass_time(3)
        yield Scene(house, her, house.telegram.bot_messages(HER_ID)[-1]["message_id"])


#: What may be under way, and how it ends once she has deleted everything.
STEPS = {
    "asked for a file": ("getFile", HELD),
    "fetched": ("file", HELD),
    "uploaded": ("upload", HELD),
    "uploaded in vain": ("upload", replace(HTML_502, kind=Kind.HANG)),
    "ordered": ("createTask", HELD),
    "ordered, and unclear": ("createTask", replace(HTML_502, kind=Kind.HANG)),
    "looked at": ("recordInfo", HELD),
    "fetched from Kie": ("result", HELD),
    "fetched from Kie in vain": ("result", replace(HTML_502, kind=Kind.HANG)),
    "sent": ("sendPhoto", HELD),
    "sent, and refused as a photo": ("sendPhoto", REFUSED),
    "sent, and not confirmed": ("sendPhoto", UNCERTAIN),
    "sent, and put off": ("sendPhoto", LATER),
    "told about": ("sendMessage", HELD),
    "told about, and refused": ("sendMessage", REFUSED),
    "told about again": ("editMessageText", HELD),
    "told about again, and refused": ("editMessageText", REFUSED),
}


@pytest.mark.parametrize("name", STEPS)
async def test_nothing_comes_and_nothing_stays_whatever_is_under_way(tmp_path: Path, name: str) -> None:
    call, fault = STEPS[name]
    async with a_scene(tmp_path) as scene:
        await scene.edits()
        await scene.deletes_while(call, fault)
        assert scene.standing() == [english("deleted", records=2)]
        assert await scene.traces() == []


async def _calls_of_an_edit(folder: Path) -> Counter[str]:
    """Return how often an edit makes each call that can be held up."""
    async with a_scene(folder) as scene:
        before = Counter(call.method for call in scene.house.telegram.calls)
        await scene.edits()
        await scene.house.pass_time(60)
        assert len(scene.house.pictures(HER_ID)) == 1
        of_telegram = Counter(call.method for call in scene.house.telegram.calls) - before
        of_kie = Counter(call.name for call in scene.house.kie.calls if call.name in KIES)
        return of_telegram + of_kie - Counter({"getUpdates": 9})


@pytest.mark.long
async def test_nothing_stays_whichever_call_of_an_edit_is_under_way(tmp_path: Path) -> None:
    calls = await _calls_of_an_edit(tmp_path / "whole")
    for call, times in calls.items():
        for nth in range(1, times + 1):
            async with a_scene(tmp_path / f"{call} {nth}") as scene:
                await scene.edits()
                await scene.deletes_while(call, HELD, nth=nth)
                # what has arrived, and was written down, before she pressed is hers to delete
                was_answered = call in ("deleteMessage", "sendChatAction")
                assert scene.standing()[-1] == english("deleted", records=2), call
                assert len(scene.standing()) == 1 or was_answered, call
                assert await scene.traces() == [], call


async def test_what_was_being_fetched_is_not_uploaded(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        await scene.edits()
        await scene.deletes_while("file", HELD)
        assert scene.house.kie.called("upload") == []


async def test_what_is_cancelled_while_it_is_fetched_is_not_uploaded(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        await scene.edits()
        await scene.meanwhile("file", HELD, lambda: scene.her.send_text("/cancel"))
        assert scene.house.kie.called("upload") == []


async def test_an_order_that_is_still_being_put_together_is_not_made(tmp_path: Path) -> None:
    async with a_scene(tmp_path, image_transport="direct", allow_token_in_urls=True) as scene:
        await scene.edits()
        await scene.deletes_while("getFile", HELD, nth=3)
        assert scene.house.kie.called("createTask") == []
        assert scene.standing() == [english("deleted", records=2)]


async def test_a_text_is_not_sent_once_telegram_is_well_again(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        scene.house.telegram.faults.add("sendMessage", server_error())
        scene.her.send_text("/help")
        await scene.house.receive()
        await scene.deletes_while("getMe", HELD)
        assert scene.standing() == [english("deleted", records=2)]


async def test_what_tells_how_it_stands_is_not_shown_once_telegram_is_well_again(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        scene.her.send_photo(a_photo())
        scene.house.telegram.faults.add("sendMessage", server_error())
        await scene.house.receive()
        sent = len([call for call in scene.house.telegram.calls if call.method == "sendMessage"])
        await scene.deletes_while("getMe", HELD)
        assert scene.standing() == [english("deleted", records=2)]
        assert len([call for call in scene.house.telegram.calls if call.method == "sendMessage"]) == sent + 2


async def test_what_a_message_shows_that_is_to_be_taken_away_is_not_written_down(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        await scene.edits()
        scene.house.telegram.faults.always("deleteMessage", server_error())
        await scene.deletes_while("editMessageText", HELD)
        kept = rows(tmp_path / "darkroom.db", "SELECT shown, body FROM outbox WHERE kind IN ('status', 'menu')")
        assert {tuple(row) for row in kept} == {(None, "")}


async def test_figures_that_telegram_refuses_as_a_picture_do_not_come_as_text(tmp_path: Path) -> None:
    async with a_scene(tmp_path, admin_ids=frozenset({HER_ID})) as scene:
        await scene.edits()
        await scene.house.pass_time(60)
        scene.her.send_text("/stats")
        await scene.house.receive()
        before = scene.standing()
        await scene.deletes_while("sendPhoto", REFUSED)
        assert scene.standing() == [*before, english("deleted", records=2)]


async def test_an_answer_that_is_deleted_while_it_is_sent_once_more_does_not_come_again(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        house = scene.house
        await scene.edits()
        house.telegram.faults.add("sendPhoto", Fault(Kind.CUT_AFTER))

        def deletes() -> None:
            [picture] = house.pictures(HER_ID)
            scene.her.press(picture["message_id"], "Delete")

        await scene.meanwhile("editMessageMedia", REFUSED, deletes)
        assert house.pictures(HER_ID) == []
        assert [call.method for call in house.telegram.calls].count("sendPhoto") == 1


async def test_who_administers_a_group_is_not_kept_for_somebody_who_is_gone(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        here = friends(scene.house)
        here.group.join(scene.her.user)
        here.group.promote(scene.her.user)
        scene.her.send_text(f"/settings@darkroom_bot {CANARY}", chat=here.group)
        await scene.house.receive()
        await scene.deletes_while("getChatAdministrators", HELD)
        assert here.words() == []
        assert await scene.traces() == []


async def test_another_version_that_somebody_waits_for_comes_though_the_first_was_deleted(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        here = friends(scene.house)
        here.group.join(scene.her.user)
        scene.her.send_photo(a_photo(), caption=f"/edit {CANARY} likes it", chat=here.group)
        [first] = await here.answered()
        here.grace.press(first["message_id"], "Again", chat=here.group)
        scene.house.telegram.faults.always("sendPhoto", too_many(10))
        await here.hear()
        await scene.house.pass_time(40)
        await scene.deletes_everything()
        await scene.house.bot.retention.round()
        scene.house.telegram.faults.clear()
        await scene.house.pass_time(60)
        assert len(here.pictures()) == 2
        assert await scene.traces() == []


async def test_an_erased_edit_takes_no_change_and_nothing_is_said_about_it(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        await scene.edits()
        await scene.house.pass_time(60)
        before = await scene.house.job()
        await scene.deletes_everything()
        read_since = await scene.house.job()
        known, now = scene.known(), scene.house.clock.instant()

        def write(tx: Transaction) -> list[bool]:
            changes: dict[str, Any] = {"answered_at": now, "result_url": CANARY, "prompt": CANARY}
            said = Say(key=CANARY, chat_id=HER_ID, body=CANARY, job_id=before.id)
            return [*(tx.jobs.note(job, **changes) for job in (before, read_since)), tx.outbox.add(said, now)]

        assert await scene.house.bot.db.unit(write) == [False, False, False]
        assert scene.known() == known
