"""The lines typed in the terminal chat are parsed and executed."""

import os
from pathlib import Path

import pytest

from bot.sandbox.harness import PERSON_ID, SandboxHarness
from bot.sandbox.kie.local_kie import LocalKie
from bot.sandbox.telegram.local_telegram import LocalTelegram
from bot.sandbox.terminal_chat import TerminalAction, TypedLine, execute_line, parse_line, read_lines


@pytest.fixture
def reported() -> list[str]:
    return []


@pytest.fixture
async def harness(reported: list[str]) -> SandboxHarness:
    """A harness without a bot: updates stay pending."""
    return SandboxHarness(LocalTelegram(token="1:x"), LocalKie(key="x"), reported.append)


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("/start", TypedLine("/start")),
        ("  hello  ", TypedLine("hello")),
        ("it's cold", TypedLine("it's cold")),
        ('say "hi"', TypedLine('say "hi"')),
        ("cat.jpg", TypedLine("", ("cat.jpg",))),
        ("cat.JPG make it  snow # now", TypedLine("make it  snow # now", ("cat.JPG",))),
        ('"my cat.png" it\'s "cold"', TypedLine('it\'s "cold"', ("my cat.png",))),
        (r"my\ cat.png snow", TypedLine("snow", ("my cat.png",))),
        ("sample make it snow", TypedLine("make it snow", ("sample",))),
        ("file notes.txt x y", TypedLine("x y", ("notes.txt",), as_file=True)),
        ("file sample snow", TypedLine("snow", ("sample",), as_file=True)),
        ("file", TypedLine("file")),
        ("album cat.jpg sample a duel", TypedLine("a duel", ("cat.jpg", "sample"))),
        ("album of the year", TypedLine("album of the year")),
        ("press Try again", TypedLine("Try again", action=TerminalAction.PRESS)),
        ("reply now at night", TypedLine("now at night", action=TerminalAction.REPLY)),
        ("reply", TypedLine("reply")),
        ("", TypedLine("")),
    ],
)
def test_a_line_is_understood(line: str, typed: TypedLine) -> None:
    assert parse_line(line) == typed


def test_any_file_that_exists_can_be_sent_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.touch()
    assert parse_line(f"{path} snow") == TypedLine("snow", (str(path),))


async def test_the_sample_is_sent_as_a_photo_with_its_caption(harness: SandboxHarness, reported: list[str]) -> None:
    execute_line(harness, TypedLine("make it snow", ("sample",)))
    [message] = harness.telegram.messages(PERSON_ID)
    assert (message["caption"], len(message["photo"]) > 1) == ("make it snow", True)
    assert reported == ['you sent sample.jpg: "make it snow"']


async def test_a_file_is_sent_byte_for_byte(harness: SandboxHarness, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"notes")
    execute_line(harness, TypedLine("x", (str(path),), as_file=True))
    [message] = harness.telegram.messages(PERSON_ID)
    assert message["document"]["file_name"] == "notes.txt"
    assert harness.telegram.message_photo_bytes(message) == b"notes"


async def test_other_words_are_sent_as_text(harness: SandboxHarness) -> None:
    execute_line(harness, TypedLine("/help"))
    assert [message["text"] for message in harness.telegram.messages(PERSON_ID)] == ["/help"]


async def test_several_pictures_are_sent_as_one_album(harness: SandboxHarness) -> None:
    execute_line(harness, TypedLine("a duel", ("sample", "sample")))
    first, second = harness.telegram.messages(PERSON_ID)
    assert first["media_group_id"] == second["media_group_id"]
    assert (first["caption"], "caption" in second) == ("a duel", False)


async def test_a_reply_goes_to_the_latest_picture(harness: SandboxHarness) -> None:
    execute_line(harness, TypedLine("make it snow", ("sample",)))
    execute_line(harness, TypedLine("now at night", action=TerminalAction.REPLY))
    picture, reply = harness.telegram.messages(PERSON_ID)
    assert reply["reply_to_message"]["message_id"] == picture["message_id"]


@pytest.mark.parametrize("action", [TerminalAction.PRESS, TerminalAction.REPLY])
async def test_what_there_is_nothing_for_is_said(
    harness: SandboxHarness, action: TerminalAction, capsys: pytest.CaptureFixture[str]
) -> None:
    execute_line(harness, TypedLine("Cancel", action=action))
    assert harness.telegram.messages(PERSON_ID) == []
    assert capsys.readouterr().out.startswith("that cannot be done: there is no")


@pytest.mark.parametrize("name", ["missing.jpg", "notes.txt"])
async def test_what_cannot_be_sent_is_said(
    harness: SandboxHarness, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_bytes(b"no picture")
    execute_line(harness, TypedLine("x", (str(tmp_path / name),)))
    assert harness.telegram.messages(PERSON_ID) == []
    assert capsys.readouterr().out.startswith("that cannot be sent: ")


async def test_lines_are_read_as_they_come_and_their_end_is_told() -> None:
    source, writer = os.pipe()
    lines = read_lines(source)
    os.write(writer, "sample снег\nla".encode())
    first = await lines.get()
    os.write(writer, b"st")
    os.close(writer)
    assert [first, await lines.get(), await lines.get()] == ["sample снег", "last", None]
    os.close(source)
