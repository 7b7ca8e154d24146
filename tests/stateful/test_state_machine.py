"""Users, faults, clock changes and crashes in any order: nothing is lost and nothing is paid twice.

Hypothesis generates sequences of events for the real bot with a real database and the
local servers. After every event the servers' state is compared with the database; at
the end all faults are removed, time passes, and every user must have got an answer.
"""

import asyncio
import logging
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from bot.job import MAX_IMAGES
from bot.sandbox.telegram import Person
from tests.stateful.crashable_bot import CrashableBot, skip_certificate_loading
from tests.stateful.fault_catalogue import (
    ALL_FAULTS,
    ANSWER_FAULTS,
    CRASHES,
    CRITICAL_CRASHES,
    FAULT_GROUPS,
    TASK_OUTCOMES,
)
from tests.stateful.invariants import (
    DatabaseSnapshot,
    read_contents,
    take_snapshot,
    violations_at_the_end,
    violations_now,
)
from tests.stateful.simulated_crash import SimulatedCrash
from tests.stateful.user_actions import UserActions, list_buttons

NOW, RECEIVED, SETTLED = "now", "received", "settled"

#: how far the bot gets before the next event
PACES = st.sampled_from([SETTLED, RECEIVED, NOW])
PEOPLE = st.sampled_from([0, 1])
#: index of an item, counted from the newest
WHICH = st.integers(0, 7)

#: every group is equally likely, whatever its size
FAULTS = st.one_of(*(st.sampled_from(sorted(kind)) for kind in FAULT_GROUPS))

#: seconds after which everything has ended: a day for an uncertain order, and a clock that was set back
LONG_ENOUGH = 5 * 86_400.0


class BotStateMachine(RuleBasedStateMachine):
    """Two users and a bot."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._runner = self._stack.enter_context(asyncio.Runner())
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        crash = SimulatedCrash()
        self._stack.enter_context(crash.installed())
        self._stack.enter_context(skip_certificate_loading())
        self.bot = CrashableBot(Path(folder), crash)
        self._collect_log(self.bot.auditor)
        self.actions = UserActions()
        self.people = [self.bot.telegram.person(user_id=1001 + number) for number in range(2)]
        self.bot.telegram.person(user_id=9009)
        #: the latest album of each user, and how many of its items were sent
        self.albums = [("", MAX_IMAGES)] * 2
        self.buttons: list[tuple[int, int, str]] = []
        self.last_snapshot: DatabaseSnapshot | None = None
        self.has_failed = False
        self._run_async(self.bot.open())
        self._stack.callback(lambda: self._run_async(self.bot.close()))

    def _collect_log(self, handler: logging.Handler) -> None:
        logger = logging.getLogger("bot")
        logger.addHandler(handler)
        self._stack.callback(logger.removeHandler, handler)

    def _run_async(self, coroutine: Coroutine[Any, Any, None]) -> None:
        with self._remember_failure():
            self._runner.run(coroutine)

    @contextmanager
    def _remember_failure(self) -> Iterator[None]:
        """Note a failure, after which `teardown` skips the final checks."""
        try:
            yield
        except BaseException:
            self.has_failed = True
            raise

    # -- users

    @rule(user=PEOPLE, has_text=st.booleans(), is_broken=st.booleans(), pace=PACES)
    def sends_a_photo(self, user: int, has_text: bool, is_broken: bool, pace: str) -> None:
        self._send_photo(user, has_text=has_text, is_broken=is_broken)
        self._continue_at_pace(pace)

    @rule(user=PEOPLE, have_text=st.lists(st.booleans(), min_size=1, max_size=3), is_new=st.booleans(), pace=PACES)
    def sends_items_of_an_album(self, user: int, have_text: list[bool], is_new: bool, pace: str) -> None:
        album, sent = self.albums[user]
        if is_new or sent + len(have_text) > MAX_IMAGES:
            self.actions.serial += 1
            album, sent = f"album {self.actions.serial}", 0
        for has_text in have_text:
            self._send_photo(user, has_text=has_text, album=album)
        self.albums[user] = album, sent + len(have_text)
        self._continue_at_pace(pace)

    def _send_photo(self, user: int, *, has_text: bool, is_broken: bool = False, album: str | None = None) -> None:
        person = self._unblocked_person(user)
        text = self.actions.next_text() if has_text else None
        photo = b"no picture" if is_broken else self.actions.next_photo()
        message_id = person.send_photo(photo, text, recompress=not is_broken, album=album)
        self.actions.record_text(person.id, message_id, text)
        self.actions.record_picture(self.bot.telegram, person.id, message_id)

    @rule(user=PEOPLE, text=st.sampled_from(["", "", "/cancel", "/status", "/help", "\u200b"]), pace=PACES)
    def sends_a_text(self, user: int, text: str, pace: str) -> None:
        person = self._unblocked_person(user)
        sent_text = text or self.actions.next_text()
        self.actions.record_text(person.id, person.send_text(sent_text), None if text else sent_text)
        self._continue_at_pace(pace)

    @rule(user=PEOPLE, which=WHICH, pace=PACES)
    def replies(self, user: int, which: int, pace: str) -> None:
        person = self._unblocked_person(user)
        messages = self.bot.telegram.messages(person.id)
        if messages:
            text = self.actions.next_text()
            message = messages[-1 - which % len(messages)]
            message_id = person.send_text(text, reply_to=message["message_id"])
            self.actions.record_text(person.id, message_id, text)
        self._continue_at_pace(pace)

    @rule(user=PEOPLE, which=WHICH, has_text=st.booleans(), pace=PACES)
    def edits(self, user: int, which: int, has_text: bool, pace: str) -> None:
        person = self._unblocked_person(user)
        mine = [each for each in self.bot.telegram.messages(person.id) if each["from"]["id"] == person.id]
        if mine:
            message = mine[-1 - which % len(mine)]
            text = self.actions.next_text() if has_text or "text" in message else ""
            change = person.edit_text if "text" in message else person.edit_caption
            change(message["message_id"], text)
            self.actions.record_text(person.id, message["message_id"], text)
        self._continue_at_pace(pace)

    @rule(user=PEOPLE, which=WHICH, pace=PACES)
    def presses(self, user: int, which: int, pace: str) -> None:
        """Press a current or former button."""
        person = self._unblocked_person(user)
        self._remember_buttons()
        mine = [(message, data) for chat, message, data in self.buttons if chat == person.id]
        if mine:
            message_id, data = mine[-1 - which % len(mine)]
            self._press_button(person, message_id, data)
        self._continue_at_pace(pace)

    @rule(
        label=st.sampled_from(["again", "again", "leave", "cancel", "original", "idea", "more", "delete"]),
        twice=st.booleans(),
    )
    def decides(self, label: str, twice: bool) -> None:
        """Press the latest button of a kind, if any; and perhaps once more after that was handled."""
        shown = [
            (person, *button)
            for person in (self._unblocked_person(0), self._unblocked_person(1))
            for button in list_buttons(self.bot.telegram.bot_messages(person.id))
        ]
        found = [each for each in shown if f":{label}:" in each[2]][-1:]
        for each in found * (1 + twice):
            self._press_button(*each)
            self.time_passes(5.0)

    def _press_button(self, person: Person, message_id: int, data: str) -> None:
        message = self.bot.telegram.state.chats[person.id].messages.get(message_id)
        if message is None or (message_id, data) in list_buttons([message]):
            person.press_button(message_id, data)
            self.actions.record_press(data)

    def _remember_buttons(self) -> None:
        for person in self.people:
            for message_id, data in list_buttons(self.bot.telegram.bot_messages(person.id)):
                if (person.id, message_id, data) not in self.buttons:
                    self.buttons.append((person.id, message_id, data))

    def _unblocked_person(self, user: int) -> Person:
        person = self.people[user]
        if self.bot.telegram.state.chats[person.id].bot_status == "kicked":
            person.unblock()
        return person

    # -- servers and faults

    @rule(which=WHICH, pace=PACES)
    def telegram_delivers_again(self, which: int, pace: str) -> None:
        """Deliver an update again, which must not change anything."""
        self._run_async(self.bot.process_updates())
        known = list(self.bot.telegram.state.updates._known)
        if known and self.bot.is_running():
            before = read_contents(self.bot)
            self.bot.telegram.redeliver(known[-1 - which % len(known)])
            self._run_async(self.bot.process_updates())
            with self._remember_failure():
                assert not self.bot.is_running() or read_contents(self.bot) == before
        self._continue_at_pace(pace)

    @rule(fault=FAULTS)
    def fault_is_injected(self, fault: str) -> None:
        ALL_FAULTS[fault](self.bot)

    @rule(user=PEOPLE, crash=st.one_of(st.sampled_from(CRITICAL_CRASHES), st.sampled_from(sorted(CRASHES))))
    def sends_a_photo_and_the_bot_crashes(self, user: int, crash: str) -> None:
        self.sends_a_photo_with_faults(user, [crash])

    @rule(user=PEOPLE, faults=st.lists(st.sampled_from(sorted(ANSWER_FAULTS)), min_size=2, max_size=3))
    def sends_a_photo_with_faults_of_the_answer(self, user: int, faults: list[str]) -> None:
        self.sends_a_photo_with_faults(user, faults)

    @rule(user=PEOPLE, times=st.sampled_from([1, 3]), is_again=st.booleans(), twice=st.booleans())
    def decides_about_an_uncertain_order(self, user: int, times: int, is_again: bool, twice: bool) -> None:
        self.sends_a_photo_with_faults(user, [f"createTask: cut after x {times}"])
        self.decides("again" if is_again else "leave", twice)

    @rule(user=PEOPLE, faults=st.lists(FAULTS, min_size=1, max_size=3))
    def sends_a_photo_with_faults(self, user: int, faults: list[str]) -> None:
        for fault in faults:
            ALL_FAULTS[fault](self.bot)
        self._send_photo(user, has_text=True)
        self.time_passes(12.0)

    @rule(outcome=st.sampled_from(list(TASK_OUTCOMES)), hidden_polls=st.integers(0, 2))
    def stuck_task_ends(self, outcome: str, hidden_polls: int) -> None:
        self.bot.kie.hide_tasks(hidden_polls)
        stuck = [task for task in self.bot.kie.tasks.values() if not task.outcome.ends]
        if stuck:
            self.bot.kie.finish_task(stuck[0].id, TASK_OUTCOMES[outcome])

    # -- clock, stops and blocks

    @rule(seconds=st.sampled_from([3.0, 12.0, 12.0, 90.0, 1000.0, 4000.0]))
    def time_passes(self, seconds: float) -> None:
        self._run_async(self.bot.process_updates())
        self._run_async(self.bot.advance_time(seconds))
        self._check_invariants()

    @rule(user=PEOPLE, event=st.sampled_from(["set back", "set forward", "stop", "long stop", "block"]))
    def rare_event_happens(self, user: int, event: str) -> None:
        match event:
            case "set back":
                self._set_clock(-3600.0)
            case "set forward":
                self._set_clock(7200.0)
            case "block":
                self._unblocked_person(user).block()
                self.actions.lost_chats.add(self.people[user].id)
            case _:
                self._run_async(self.bot.stop())
                self.bot.clock.now += 5000.0 if event == "long stop" else 10.0
        self._check_invariants()

    def _set_clock(self, seconds: float) -> None:
        self.bot.clock_skew += seconds
        self.actions.clock_was_set = True

    def _continue_at_pace(self, pace: str) -> None:
        if pace != NOW:
            self._run_async(self.bot.process_updates())
        if pace == SETTLED:
            self._run_async(self.bot.settle())
        self._check_invariants()

    def _check_invariants(self) -> None:
        self._remember_buttons()
        if not self.bot.path.exists():
            return
        with self._remember_failure():
            now = take_snapshot(self.bot, self.actions)
            violations = violations_now(self.bot, self.actions, self.last_snapshot, now)
            assert not violations, "\n".join(violations)
        self.last_snapshot = now

    def teardown(self) -> None:
        try:
            if not self.has_failed:
                self._finish_and_check()
        finally:
            self._stack.close()

    def _finish_and_check(self) -> None:
        self._remove_faults()
        self._run_async(self.bot.process_updates())
        elapsed, step = 0.0, 600.0
        while elapsed == 0.0 or (elapsed < LONG_ENOUGH and self._is_unsettled()):
            self._run_async(self.bot.advance_time(step))
            elapsed, step = elapsed + step, min(6 * 3600.0, 2 * step)
            self._check_invariants()
        assert self.last_snapshot is not None
        violations = violations_at_the_end(self.bot, self.actions, self.last_snapshot)
        assert not violations, "\n".join(violations)

    def _remove_faults(self) -> None:
        self.bot.crash.cancel()
        for server in (self.bot.telegram, self.bot.kie):
            server.faults.clear()
        self.bot.kie._account.refusals.clear()
        self.bot.kie._account.outcomes.clear()
        self.bot.kie._account.paid_in = 10_000.0

    def _is_unsettled(self) -> bool:
        now = take_snapshot(self.bot, self.actions)
        return violations_at_the_end(self.bot, self.actions, now) != []


#: without shrinking, which takes minutes: add Phase.shrink to have it
QUICK = settings(
    max_examples=3,
    stateful_step_count=30,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)

LONG = settings(QUICK, max_examples=30, stateful_step_count=50, derandomize=False)


def test_nothing_is_lost_and_nothing_is_paid_twice() -> None:
    run_state_machine_as_test(BotStateMachine, settings=QUICK)


@pytest.mark.long
@pytest.mark.parametrize("number", range(16))
def test_in_many_long_runs_nothing_is_lost_and_nothing_is_paid_twice(number: int) -> None:
    machine = seed(number)(type("LongRun", (BotStateMachine,), {}))
    run_state_machine_as_test(machine, settings=LONG)
