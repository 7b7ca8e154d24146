"""A canary: a user whose texts can all be recognised, and who makes the bot store everything it stores about users."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.kie.tasks import ScriptedOutcome, failure
from bot.sandbox.telegram import Group, Person
from bot.sandbox.telegram.errors import bad_request
from tests.bot_harness import BotHarness
from tests.privacy.column_classification import COLUMN_CLASSES, ColumnClass
from tests.process_harness import make_photo, query_database

#: Part of each of her texts and of her name.
CANARY = "Canariensis"

#: Long enough to be recognised among other bytes.
CANARY_USER_ID = 4_321_987_654_321


class CanaryUser:
    """The canary user, a friend, and their group, which is a forum."""

    def __init__(self, house: BotHarness) -> None:
        self.harness = house
        self.user: Person = house.telegram.person(user_id=CANARY_USER_ID, first_name=CANARY, language_code="es")
        self.grace: Person = house.telegram.person(user_id=1002, first_name="Grace")
        self.group: Group = house.telegram.group(members=(self.user, self.grace), is_forum=True)
        self.group.promote(self.user.user)
        self.group.set_bot_status("left", self.grace.user)
        self.group.set_bot_status("member", self.user.user)
        #: columns that have held a value
        self.filled_columns: set[tuple[str, str]] = set()

    async def create_history(self) -> None:
        """Do everything once, and leave some edits queued, ordered, or with an uncertain order."""
        await self._use_private_chat()
        await self._use_group()
        await self._leave_edits_under_way()

    async def _use_private_chat(self) -> None:
        self.user.send_photo(make_photo(), caption=self.canary_text("photo"))
        self.user.send_album([make_photo("red"), make_photo("blue")], {0: self.canary_text("album")})
        await self._process_updates(40)
        self.user.press_button(self._answers(CANARY_USER_ID)[0]["message_id"], "Otra versión")
        self.user.send_text(self.canary_text("about nothing"))
        odd = {
            "chat": {"id": CANARY_USER_ID},
            "from": {"id": CANARY_USER_ID},
            "text": self.canary_text("odd"),
            "date": self.canary_text("date"),
        }
        self.harness.telegram.push({"message": odd})
        self.user.send_text("/settings")
        await self._process_updates()
        await self._press_menu_buttons("Idioma: el de la aplicación", "Español")

    async def _use_group(self) -> None:
        topic = self.group.open_topic("Holidays", self.grace.user)
        self.user.send_photo(
            make_photo("green"), caption=f"/edit {self.canary_text('group')}", chat=self.group, thread=topic
        )
        self.user.send_text(self.canary_text("chatter"), chat=self.group, thread=topic)
        self.user.send_text("/settings@darkroom_bot", chat=self.group, thread=topic)
        await self._process_updates(40)
        self.grace.press_button(self._answers(self.group.id)[0]["message_id"], "Otra versión", chat=self.group)
        await self._process_updates(40)

    async def cause_errors(self) -> None:
        """Make Kie repeat her texts in its error responses."""
        echo = self.canary_text("echo")
        for code in (455, 422, 500, 433, 777):
            self.harness.kie.refuse_next_create(code, f"I do not like “{echo}”")
        for refused in range(5):
            self.user.send_photo(make_photo(), caption=f"{echo} {refused}")
        await self._process_updates(700)
        for end in (failure(f"Internal error about {echo}"), failure(f"{echo} violates a policy")):
            self.harness.kie.script_outcomes(end)
            self.user.send_photo(make_photo(), caption=echo)
            await self._process_updates(60)
        self.harness.telegram.faults.add("sendPhoto", bad_request("message is too long"))
        self.user.send_photo(make_photo(), caption=echo)
        await self._process_updates(60)

    async def receive_unreadable_result(self) -> None:
        """Make Kie report success in a form that the bot cannot parse, with her texts in it."""
        self.harness.kie.script_outcomes(
            ScriptedOutcome(raw_result_json=json.dumps({"made of": self.canary_text("unread")}))
        )
        self.user.send_photo(make_photo("pink"), caption=self.canary_text("made, and not found"))
        await self._process_updates(40)

    async def _leave_edits_under_way(self) -> None:
        self.harness.kie.faults.add("createTask", Fault(FaultKind.DISCONNECT_AFTER))
        self.user.send_photo(make_photo("plum"), caption=self.canary_text("in doubt"))
        await self._process_updates(3)
        await self._process_updates(100)
        self.user.send_photo(make_photo("gold"), caption=self.canary_text("ordered"))
        await self._process_updates(3)
        self.user.send_photo(make_photo("silver"))
        await self._process_updates(1)

    async def ask_to_delete(self) -> dict[str, Any]:
        """Send /delete, and return the question."""
        self.user.send_text("/delete")
        await self._process_updates(3)
        return [m for m in self.harness.telegram.bot_messages(CANARY_USER_ID) if "reply_markup" in m and "text" in m][
            -1
        ]

    async def answer_delete_question(self, label: str) -> str | None:
        """Press a button of the question, and return the answer."""
        question = await self.ask_to_delete()
        press = self.user.press_button(question["message_id"], label)
        await self._process_updates(5)
        answer = self.user.callback_answer(press)
        return None if answer is None else str(answer.get("text", ""))

    def canary_text(self, about: str) -> str:
        """Return one of her texts."""
        return f"{CANARY} {about}"

    async def _press_menu_buttons(self, *labels: str) -> None:
        for label in labels:
            menu = [
                m for m in self.harness.telegram.bot_messages(CANARY_USER_ID) if "reply_markup" in m and "text" in m
            ][-1]
            self.user.press_button(menu["message_id"], label)
            await self._process_updates()

    def _answers(self, chat_id: int) -> list[dict[str, Any]]:
        return self.harness.pictures(chat_id)

    async def _process_updates(self, seconds: float = 0.0) -> None:
        await self.harness.receive_updates()
        self.record_filled_columns()
        await self.harness.process_updates()
        self.record_filled_columns()
        if seconds:
            await self.harness.advance_time(seconds)
            self.record_filled_columns()

    def record_filled_columns(self) -> None:
        """Record which columns hold a value now."""
        self.filled_columns |= set(_filled_columns(self.harness, set(ColumnClass)))


def _filled_columns(house: BotHarness, classes: set[ColumnClass]) -> Iterator[tuple[str, str]]:
    path = Path(house.bot.settings.database_path)
    for table, columns in COLUMN_CLASSES.items():
        for row in query_database(path, f"SELECT * FROM {table}"):  # noqa: S608 - our own names
            for column, column_class in columns.items():
                if column_class in classes and row[column] not in (None, "", 0, "en"):
                    yield table, column


def columns_with_data(house: BotHarness, *classes: ColumnClass) -> set[tuple[str, str]]:
    """Return the columns of these classes that hold a value."""
    return set(_filled_columns(house, set(classes)))
