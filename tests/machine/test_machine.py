"""Whatever people, Telegram, Kie, the clock and death do, in whatever order: nothing is lost, and nothing is paid twice.

A machine makes up stories and plays them, with the real steps on a real file
between the real local servers. After every event it compares what the servers
know with what is stored; in the end it takes all trouble away, lets time
pass, and looks whether everybody was answered.
"""

import asyncio
import logging
import tempfile
from collections.abc import Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from bot.sandbox.faults import HTML_502, Fault, Kind
from bot.sandbox.kie_tasks import STUCK, SUCCESS, SUCCESS_WITHOUT_URL, fail
from bot.sandbox.telegram import Person
from bot.sandbox.telegram.refusals import server_error, too_many
from tests.machine.doom import ANYTHING, COMMIT, Doom, Fate
from tests.machine.ledger import Ledger, buttons_of
from tests.machine.life import Life
from tests.machine.truths import Snapshot, snapshot, wrong_in_the_end, wrong_now

NOW, HEARD, SETTLED = "now", "heard", "settled"

#: How far the bot gets before the next event.
PACES = st.sampled_from([SETTLED, HEARD, NOW])
PEOPLE = st.sampled_from([0, 1])
#: One of many, counted from the newest.
WHICH = st.integers(0, 7)

BROKEN = "Internal Error, Please try again later."
POLICY = "The input or output was flagged as sensitive. Please try again with different inputs."

ENDINGS = {
    "well": SUCCESS,
    "refused": fail(POLICY),
    "broken for free": fail(BROKEN),
    "broken at a cost": fail(BROKEN, refunded=False),
    "never": STUCK,
    "without a picture": SUCCESS_WITHOUT_URL,
}

CUTS = {"cut before": Fault(Kind.CUT_BEFORE), "cut after": Fault(Kind.CUT_AFTER)}
KIE_FAULTS = CUTS | {"a page": HTML_502}
TELEGRAM_FAULTS = CUTS | {"too many": too_many(5), "server error": server_error()}

SAYING = ("sendMessage", "sendPhoto", "editMessageText", "editMessageMedia", "deleteMessage", "answerCallbackQuery")
FETCHING = ("getFile", "getUpdates", "getMe")
ORDERING = ("createTask", "recordInfo", "upload", "result", "credit")

DEADLY = (ANYTHING, COMMIT, "createTask", "sendPhoto", "sendMessage", "file-stream-upload", "editMessageMedia", "result")

#: Seconds in which everything comes to its end: a day for a doubt, and a clock that was set back meanwhile.
LONG_ENOUGH = 5 * 86_400.0


class Story(RuleBasedStateMachine):
    """A story of two people and a bot."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._runner = self._stack.enter_context(asyncio.Runner())
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        doom = Doom()
        self._stack.enter_context(doom.installed())
        self.life = Life(Path(folder), doom)
        self._listen(self.life.witness)
        self.ledger = Ledger()
        self.people = [self.life.telegram.person(user_id=1001 + number) for number in range(2)]
        self.life.telegram.person(user_id=9009)
        self.albums = ["", ""]
        self.buttons: list[tuple[int, int, str]] = []
        self.known: Snapshot | None = None
        self._do(self.life.open())
        self._stack.callback(lambda: self._do(self.life.close()))

    def _listen(self, witness: logging.Handler) -> None:
        logger = logging.getLogger("bot")
        logger.addHandler(witness)
        self._stack.callback(logger.removeHandler, witness)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        self._runner.run(work)

    # -- what people do

    @rule(who=PEOPLE, worded=st.booleans(), pace=PACES)
    def sends_a_photo(self, who: int, worded: bool, pace: str) -> None:
        self._sends(who, worded=worded)
        self._goes_on(pace)

    @rule(who=PEOPLE, worded=st.booleans(), is_new=st.booleans(), pace=PACES)
    def sends_an_item_of_an_album(self, who: int, worded: bool, is_new: bool, pace: str) -> None:
        if is_new or not self.albums[who]:
            self.ledger.serial += 1
            self.albums[who] = f"album {self.ledger.serial}"
        self._sends(who, worded=worded, album=self.albums[who])
        self._goes_on(pace)

    def _sends(self, who: int, *, worded: bool, album: str | None = None) -> None:
        person = self._speaker(who)
        words = self.ledger.next_words() if worded else None
        message_id = person.send_photo(self.ledger.next_photo(), caption=words, album=album)
        self.ledger.wrote(person.id, message_id, words)
        self.ledger.sent(self.life.telegram, person.id, message_id)

    @rule(who=PEOPLE, text=st.sampled_from(["", "", "/cancel", "/status", "/help", "\u200b"]), pace=PACES)
    def sends_a_text(self, who: int, text: str, pace: str) -> None:
        person = self._speaker(who)
        words = text or self.ledger.next_words()
        self.ledger.wrote(person.id, person.send_text(words), None if text else words)
        self._goes_on(pace)

    @rule(who=PEOPLE, which=WHICH, pace=PACES)
    def replies(self, who: int, which: int, pace: str) -> None:
        person = self._speaker(who)
        messages = self.life.telegram.messages(person.id)
        if messages:
            words = self.ledger.next_words()
            message = messages[-1 - which % len(messages)]
            message_id = person.send_text(words, reply_to=message["message_id"])
            self.ledger.wrote(person.id, message_id, words)
        self._goes_on(pace)

    @rule(who=PEOPLE, which=WHICH, worded=st.booleans(), pace=PACES)
    def edits(self, who: int, which: int, worded: bool, pace: str) -> None:
        person = self._speaker(who)
        mine = [each for each in self.life.telegram.messages(person.id) if each["from"]["id"] == person.id]
        if mine:
            message = mine[-1 - which % len(mine)]
            words = self.ledger.next_words() if worded or "text" in message else ""
            change = person.edit_text if "text" in message else person.edit_caption
            change(message["message_id"], words)
            self.ledger.wrote(person.id, message["message_id"], words)
        self._goes_on(pace)

    @rule(who=PEOPLE, which=WHICH, pace=PACES)
    def presses(self, who: int, which: int, pace: str) -> None:
        """Press a button that is there, or one that was there some time ago."""
        person = self._speaker(who)
        self._look_at_buttons()
        mine = [(message, data) for chat, message, data in self.buttons if chat == person.id]
        if mine:
            message_id, data = mine[-1 - which % len(mine)]
            self._press(person, message_id, data)
        self._goes_on(pace)

    @rule(who=PEOPLE, label=st.sampled_from(["again", "again", "leave", "cancel", "original"]), pace=PACES)
    def decides(self, who: int, label: str, pace: str) -> None:
        """Press the latest button of a kind."""
        person = self._speaker(who)
        shown = buttons_of(self.life.telegram.bot_messages(person.id))
        found = [each for each in shown if f":{label}:" in each[1]]
        if found:
            self._press(person, *found[-1])
        self._goes_on(pace)

    def _press(self, person: Person, message_id: int, data: str) -> None:
        message = self.life.telegram.cloud.chats[person.id].messages.get(message_id)
        if message is None or (message_id, data) in buttons_of([message]):
            person.press(message_id, data)
            self.ledger.pressed(data)

    def _look_at_buttons(self) -> None:
        for person in self.people:
            for message_id, data in buttons_of(self.life.telegram.bot_messages(person.id)):
                if (person.id, message_id, data) not in self.buttons:
                    self.buttons.append((person.id, message_id, data))

    @rule(who=PEOPLE, pace=PACES)
    def blocks(self, who: int, pace: str) -> None:
        self._speaker(who).block()
        self.ledger.lost_chats.add(self.people[who].id)
        self._goes_on(pace)

    def _speaker(self, who: int) -> Person:
        person = self.people[who]
        if self.life.telegram.cloud.chats[person.id].standing == "kicked":
            person.unblock()
        return person

    # -- what the others do

    @rule(which=WHICH, pace=PACES)
    def telegram_delivers_again(self, which: int, pace: str) -> None:
        known = list(self.life.telegram.cloud.updates._known)
        if known:
            self.life.telegram.redeliver(known[-1 - which % len(known)])
        self._goes_on(pace)

    @rule(call=st.sampled_from(SAYING), fault=st.sampled_from(sorted(TELEGRAM_FAULTS)), times=st.integers(1, 2))
    def telegram_fails_to_say(self, call: str, fault: str, times: int) -> None:
        self.life.telegram.faults.add(call, TELEGRAM_FAULTS[fault], times)

    @rule(call=st.sampled_from(FETCHING), fault=st.sampled_from(sorted(TELEGRAM_FAULTS)))
    def telegram_fails_to_fetch(self, call: str, fault: str) -> None:
        self.life.telegram.faults.add(call, TELEGRAM_FAULTS[fault])

    @rule(call=st.sampled_from(ORDERING), fault=st.sampled_from(sorted(KIE_FAULTS)), times=st.integers(1, 2))
    def kie_fails(self, call: str, fault: str, times: int) -> None:
        self.life.kie.faults.add(call, KIE_FAULTS[fault], times)

    @rule(code=st.sampled_from([401, 422, 429, 433, 455, 500, 500]), times=st.integers(1, 3))
    def kie_refuses(self, code: int, times: int) -> None:
        for _ in range(times):
            self.life.kie.refuse(code, "This field is required")

    @rule(has_any=st.booleans())
    def the_credit_changes(self, has_any: bool) -> None:
        self.life.kie._account.paid_in = 1000.0 if has_any else 0.0

    @rule(endings=st.lists(st.sampled_from(list(ENDINGS)), min_size=1, max_size=3))
    def the_next_tasks_end(self, endings: list[str]) -> None:
        self.life.kie.script(*(ENDINGS[ending] for ending in endings))

    @rule(ending=st.sampled_from(list(ENDINGS)), looks=st.integers(0, 2))
    def a_task_that_hangs_ends(self, ending: str, looks: int) -> None:
        self.life.kie.hide_tasks(looks)
        hanging = [task for task in self.life.kie.tasks.values() if not task.outcome.ends]
        if hanging:
            self.life.kie.finish(hanging[0].id, ENDINGS[ending])

    # -- time and death

    @rule(seconds=st.sampled_from([30.0, 3.0, 8.0, 90.0, 1000.0, 4000.0]))
    def time_passes(self, seconds: float) -> None:
        self._do(self.life.hear())
        self._do(self.life.pass_time(seconds))
        self._look()

    @rule(seconds=st.sampled_from([-3600.0, -5.0, 5.0, 3600.0, 21_600.0]))
    def the_clock_is_set(self, seconds: float) -> None:
        self.life.skew += seconds
        self.ledger.clock_was_set = True

    @rule(when=st.sampled_from(["after", "before"]), name=st.sampled_from(DEADLY), nth=st.integers(1, 6))
    def death_will_come(self, when: str, name: str, nth: int) -> None:
        self.life.doom.awaits(Fate(when, name, nth if name in (ANYTHING, COMMIT) else 1 + nth % 2))

    @precondition(lambda self: self.life.bot is not None)
    @rule(away=st.sampled_from([0.0, 60.0, 5000.0]))
    def the_bot_is_stopped(self, away: float) -> None:
        self._do(self.life.stop())
        self.life.clock.now += away

    def _goes_on(self, pace: str) -> None:
        if pace != NOW:
            self._do(self.life.hear())
        if pace == SETTLED:
            self._do(self.life.settle())
        self._look()

    def _look(self) -> None:
        self._look_at_buttons()
        if not self.life.path.exists():
            return
        now = snapshot(self.life, self.ledger)
        wrong = wrong_now(self.life, self.ledger, self.known, now)
        assert not wrong, "\n".join(wrong)
        self.known = now

    def teardown(self) -> None:
        try:
            self._ends()
        finally:
            self._stack.close()

    def _ends(self) -> None:
        self._no_more_trouble()
        self._do(self.life.hear())
        passed, step = 0.0, 600.0
        while passed == 0.0 or (passed < LONG_ENOUGH and self._is_unsettled()):
            self._do(self.life.pass_time(step))
            passed, step = passed + step, min(6 * 3600.0, 2 * step)
        self._look()
        assert self.known is not None
        wrong = wrong_in_the_end(self.life, self.ledger, self.known)
        assert not wrong, "\n".join(wrong)

    def _no_more_trouble(self) -> None:
        self.life.doom.lift()
        for server in (self.life.telegram, self.life.kie):
            server.faults.clear()
        self.life.kie._account.refusals.clear()
        self.life.kie._account.paid_in = 10_000.0

    def _is_unsettled(self) -> bool:
        now = snapshot(self.life, self.ledger)
        return wrong_in_the_end(self.life, self.ledger, now) != []


QUICK = settings(
    max_examples=12,
    stateful_step_count=30,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def test_whatever_happens_nothing_is_lost_and_nothing_is_paid_twice() -> None:
    run_state_machine_as_test(Story, settings=QUICK)


@pytest.mark.long
@pytest.mark.parametrize("number", range(8))
def test_in_many_long_stories_nothing_is_lost_and_nothing_is_paid_twice(number: int) -> None:
    story = seed(number)(type("LongStory", (Story,), {}))
    run_state_machine_as_test(story, settings=settings(QUICK, max_examples=100, stateful_step_count=50, derandomize=False))
