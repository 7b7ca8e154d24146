"""The life of somebody whose every word can be recognised, with all that a bot comes to know of a person."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bot.sandbox.faults import Fault, Kind
from bot.sandbox.kie_tasks import Outcome, fail
from bot.sandbox.telegram import Group, Person
from bot.sandbox.telegram.refusals import bad_request
from tests.house import House
from tests.privacy.classes import CLASSES, Fate
from tests.world import a_photo, rows

#: In every word of hers, and her name.
CANARY = "Canariensis"

#: Long, so that it is found among other bytes.
HER_ID = 4_321_987_654_321


class Life:
    """Her, a friend, and their group, which is a forum."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.her: Person = house.telegram.person(user_id=HER_ID, first_name=CANARY, language_code="es")
        self.grace: Person = house.telegram.person(user_id=1002, first_name="Grace")
        self.group: Group = house.telegram.group(members=(self.her, self.grace), is_forum=True)
        self.group.promote(self.her.user)
        self.group.set_bot("left", self.grace.user)
        self.group.set_bot("member", self.her.user)
        #: columns in which something was seen
        self.filled: set[tuple[str, str]] = set()

    async def is_lived(self) -> None:
        """Let it all happen, and leave edits that wait, that are ordered, and that nobody can tell about."""
        await self._in_private()
        await self._in_the_group()
        await self._under_way()

    async def _in_private(self) -> None:
        self.her.send_photo(a_photo(), caption=self.words("photo"))
        self.her.send_album([a_photo("red"), a_photo("blue")], {0: self.words("album")})
        await self._hear(40)
        self.her.press(self._answers(HER_ID)[0]["message_id"], "Otra versión")
        self.her.send_text(self.words("about nothing"))
        odd = {"chat": {"id": HER_ID}, "from": {"id": HER_ID}, "text": self.words("odd"), "date": self.words("date")}
        self.house.telegram.push({"message": odd})
        self.her.send_text("/settings")
        await self._hear()
        await self._choose("Idioma: el de la aplicación", "Español")

    async def _in_the_group(self) -> None:
        topic = self.group.open_topic("Holidays", self.grace.user)
        self.her.send_photo(a_photo("green"), caption=f"/edit {self.words('group')}", chat=self.group, thread=topic)
        self.her.send_text(self.words("chatter"), chat=self.group, thread=topic)
        self.her.send_text("/settings@darkroom_bot", chat=self.group, thread=topic)
        await self._hear(40)
        self.grace.press(self._answers(self.group.id)[0]["message_id"], "Otra versión", chat=self.group)
        await self._hear(40)

    async def has_troubles(self) -> None:
        """Let Kie repeat her words in all that it says."""
        echo = self.words("echo")
        for code in (455, 422, 500, 433, 777):
            self.house.kie.refuse(code, f"I do not like “{echo}”")
        for refused in range(5):
            self.her.send_photo(a_photo(), caption=f"{echo} {refused}")
        await self._hear(700)
        for end in (fail(f"Internal error about {echo}"), fail(f"{echo} violates a policy")):
            self.house.kie.script(end)
            self.her.send_photo(a_photo(), caption=echo)
            await self._hear(60)
        self.house.telegram.faults.add("sendPhoto", bad_request("message is too long"))
        self.her.send_photo(a_photo(), caption=echo)
        await self._hear(60)

    async def has_a_picture_that_is_not_found(self) -> None:
        """Let Kie say that her picture is made, in a way that nobody understands, with her words in it."""
        self.house.kie.script(Outcome(says=json.dumps({"made of": self.words("unread")})))
        self.her.send_photo(a_photo("pink"), caption=self.words("made, and not found"))
        await self._hear(40)

    async def _under_way(self) -> None:
        self.house.kie.faults.add("createTask", Fault(Kind.CUT_AFTER))
        self.her.send_photo(a_photo("plum"), caption=self.words("in doubt"))
        await self._hear(3)
        await self._hear(100)
        self.her.send_photo(a_photo("gold"), caption=self.words("ordered"))
        await self._hear(3)
        self.her.send_photo(a_photo("silver"))
        await self._hear(1)

    async def asks(self) -> dict[str, Any]:
        """Let her send /delete, and return the question."""
        self.her.send_text("/delete")
        await self._hear(3)
        return [m for m in self.house.telegram.bot_messages(HER_ID) if "reply_markup" in m and "text" in m][-1]

    async def presses(self, label: str) -> str | None:
        """Let her press a button of the question, and return what answers it."""
        question = await self.asks()
        press = self.her.press(question["message_id"], label)
        await self._hear(5)
        answer = self.her.answer_to(press)
        return None if answer is None else str(answer.get("text", ""))

    def words(self, about: str) -> str:
        """Return words of hers."""
        return f"{CANARY} {about}"

    async def _choose(self, *labels: str) -> None:
        for label in labels:
            menu = [m for m in self.house.telegram.bot_messages(HER_ID) if "reply_markup" in m and "text" in m][-1]
            self.her.press(menu["message_id"], label)
            await self._hear()

    def _answers(self, chat_id: int) -> list[dict[str, Any]]:
        return self.house.pictures(chat_id)

    async def _hear(self, seconds: float = 0.0) -> None:
        await self.house.receive()
        self.look()
        await self.house.hear()
        self.look()
        if seconds:
            await self.house.pass_time(seconds)
            self.look()

    def look(self) -> None:
        """Remember which columns hold something now."""
        self.filled |= set(_filled(self.house, set(Fate)))


def _filled(house: House, fates: set[Fate]) -> Iterator[tuple[str, str]]:
    path = Path(house.bot.settings.database_path)
    for table, columns in CLASSES.items():
        for row in rows(path, f"SELECT * FROM {table}"):  # noqa: S608 - our own names
            for column, fate in columns.items():
                if fate in fates and row[column] not in (None, "", 0, "en"):
                    yield table, column


def left(house: House, *fates: Fate) -> set[tuple[str, str]]:
    """Return the columns of these fates that hold something."""
    return set(_filled(house, set(fates)))
