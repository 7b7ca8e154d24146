"""The conversation in the README is what really happens."""

from pathlib import Path
from typing import Any

from bot.sandbox.telegram import Person
from tests.bot_harness import BotHarness
from tests.group_harness import GroupHarness, create_group
from tests.process_harness import make_photo

README = Path(__file__).parents[2] / "README.md"
WIDTH = 9


class TranscriptWriter:
    """Records what happens in a group, one line per event."""

    def __init__(self, here: GroupHarness) -> None:
        self.group = here
        self._written: set[int] = set()
        self._reactions: dict[int, list[str]] = {}
        self.lines: list[str] = []

    def write(self) -> None:
        """Record the events since the last call."""
        for message in self.group.harness.telegram.messages(self.group.group.id):
            if message["message_id"] not in self._written:
                self._written.add(message["message_id"])
                self.lines.append(self._line(message))
        for message in self.group.harness.telegram.messages(self.group.group.id):
            signs = self.group.bot_reactions(message["message_id"])
            if signs and self._reactions.get(message["message_id"]) != signs:
                self._reactions[message["message_id"]] = signs
                self.lines.append(f"{'Darkroom':{WIDTH}} {signs[0]} on what {message['from']['first_name']} sent")

    def _line(self, message: dict[str, Any]) -> str:
        parts = [f"{message['from']['first_name']:{WIDTH}}"]
        if "reply_to_message" in message:
            parts.append(f"↩ {message['reply_to_message']['from']['first_name']}")
        if "photo" in message:
            parts.append("📷")
        text = message.get("text", message.get("caption"))
        parts += [f"“{text}”"] if text else []
        rows = message.get("reply_markup", {}).get("inline_keyboard", [])
        parts += [f"[{button['text']}]" for row in rows for button in row]
        return " ".join(parts)


async def test_the_transcript_in_the_readme_is_what_happens(house: BotHarness) -> None:
    here = create_group(house)
    scribe = TranscriptWriter(here)
    photo = await _send_and_write(scribe, here.ada, photo="navy")
    await _send_and_write(scribe, here.grace, "what a beach!")
    await _send_and_write(scribe, here.ada, "/edit make it snow", reply_to=photo)
    answer = here.pictures()[-1]["message_id"]
    await _send_and_write(scribe, here.grace, "now at night 16:9", reply_to=answer)
    scribe.lines.append(f"{'Ada':{WIDTH}} presses [Again]")
    await here.press_button(here.ada, here.pictures()[-1]["message_id"], "Again")
    await _settle_and_write(scribe)
    assert "\n".join(scribe.lines) in README.read_text(encoding="utf-8"), "\n".join(scribe.lines)


async def _send_and_write(
    scribe: TranscriptWriter, person: Person, text: str = "", *, photo: str = "", **where: Any
) -> int:
    group = scribe.group.group
    if photo:
        message_id = person.send_photo(make_photo(photo), caption=text or None, chat=group, **where)
    else:
        message_id = person.send_text(text, chat=group, **where)
    scribe.write()
    await scribe.group.process_updates()
    scribe.write()
    await _settle_and_write(scribe)
    return message_id


async def _settle_and_write(scribe: TranscriptWriter) -> None:
    await scribe.group.harness.advance_time(4)
    scribe.write()
    await scribe.group.harness.advance_time(36)
    scribe.write()
