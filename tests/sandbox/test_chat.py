"""What is typed in the terminal is sent as it is meant."""

import os
from pathlib import Path

import pytest

from bot.sandbox.chat import pass_on, typed_lines
from bot.sandbox.kie import LocalKie
from bot.sandbox.lines import Gesture, Typed, understand
from bot.sandbox.stage import ME, Stage
from bot.sandbox.telegram.server import LocalTelegram


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
async def stage(told: list[str]) -> Stage:
    """A stage without a bot: what was sent stays where it is."""
    return Stage(LocalTelegram(token="1:x"), LocalKie(key="x"), told.append)


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("/start", Typed("/start")),
        ("  hello  ", Typed("hello")),
        ("it's cold", Typed("it's cold")),
        ('say "hi"', Typed('say "hi"')),
        ("cat.jpg", Typed("", ("cat.jpg",))),
        ("cat.JPG make it  snow # now", Typed("make it  snow # now", ("cat.JPG",))),
        ('"my cat.png" it\'s "cold"', Typed('it\'s "cold"', ("my cat.png",))),
        (r"my\ cat.png snow", Typed("snow", ("my cat.png",))),
        ("sample make it snow", Typed("make it snow", ("sample",))),
        ("file notes.txt x y", Typed("x y", ("notes.txt",), as_file=True)),
        ("file sample snow", Typed("snow", ("sample",), as_file=True)),
        ("file", Typed("file")),
        ("album cat.jpg sample a duel", Typed("a duel", ("cat.jpg", "sample"))),
        ("album of the year", Typed("album of the year")),
        ("press Try again", Typed("Try again", gesture=Gesture.PRESS)),
        ("reply now at night", Typed("now at night", gesture=Gesture.REPLY)),
        ("reply", Typed("reply")),
        ("", Typed("")),
    ],
)
def test_a_line_is_understood(line: str, typed: Typed) -> None:
    assert understand(line) == typed


def test_any_file_that_exists_can_be_sent_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.touch()
    assert understand(f"{path} snow") == Typed("snow", (str(path),))


async def test_the_sample_is_sent_as_a_photo_with_its_caption(stage: Stage, told: list[str]) -> None:
    pass_on(stage, Typed("make it snow", ("sample",)))
    [message] = stage.telegram.messages(ME)
    assert (message["caption"], len(message["photo"]) > 1) == ("make it snow", True)
    assert told == ['you sent sample.jpg: "make it snow"']


async def test_a_file_is_sent_byte_for_byte(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"notes")
    pass_on(stage, Typed("x", (str(path),), as_file=True))
    [message] = stage.telegram.messages(ME)
    assert message["document"]["file_name"] == "notes.txt"
    assert stage.telegram.message_photo_bytes(message) == b"notes"


async def test_other_words_are_sent_as_text(stage: Stage) -> None:
    pass_on(stage, Typed("/help"))
    assert [message["text"] for message in stage.telegram.messages(ME)] == ["/help"]


async def test_several_pictures_are_sent_as_one_album(stage: Stage) -> None:
    pass_on(stage, Typed("a duel", ("sample", "sample")))
    first, second = stage.telegram.messages(ME)
    assert first["media_group_id"] == second["media_group_id"]
    assert (first["caption"], "caption" in second) == ("a duel", False)


async def test_a_reply_goes_to_the_latest_picture(stage: Stage) -> None:
    pass_on(stage, Typed("make it snow", ("sample",)))
    pass_on(stage, Typed("now at night", gesture=Gesture.REPLY))
    picture, reply = stage.telegram.messages(ME)
    assert reply["reply_to_message"]["message_id"] == picture["message_id"]


@pytest.mark.parametrize("gesture", [Gesture.PRESS, Gesture.REPLY])
async def test_what_there_is_nothing_for_is_said(
    stage: Stage, gesture: Gesture, capsys: pytest.CaptureFixture[str]
) -> None:
    pass_on(stage, Typed("Cancel", gesture=gesture))
    assert stage.telegram.messages(ME) == []
    assert capsys.readouterr().out.startswith("that cannot be done: there is no")


@pytest.mark.parametrize("name", ["missing.jpg", "notes.txt"])
async def test_what_cannot_be_sent_is_said(
    stage: Stage, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_bytes(b"no picture")
    pass_on(stage, Typed("x", (str(tmp_path / name),)))
    assert stage.telegram.messages(ME) == []
    assert capsys.readouterr().out.startswith("that cannot be sent: ")


async def test_lines_are_read_as_they_come_and_their_end_is_told() -> None:
    source, mouth = os.pipe()
    lines = typed_lines(source)
    os.write(mouth, "sample снег\nla".encode())
    first = await lines.get()
    os.write(mouth, b"st")
    os.close(mouth)
    assert [first, await lines.get(), await lines.get()] == ["sample снег", "last", None]
    os.close(source)
