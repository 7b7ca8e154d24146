"""Inspecting aside: what is small is not worth a thread, and what is large keeps nobody waiting."""

import threading

import pytest

from bot.pictures import aside
from bot.pictures.errors import Unreadable
from bot.pictures.inspect import Picture, inspect
from tests.pictures.files import saved

SMALL = saved("PNG")
#: as large as the answers of a model that makes large pictures: its second half is ballast
LARGE = saved("JPEG") + bytes(3 << 20)


@pytest.mark.parametrize(("content", "is_alone"), [(SMALL, False), (LARGE, True)])
async def test_only_what_is_large_is_inspected_in_a_thread(
    monkeypatch: pytest.MonkeyPatch, content: bytes, is_alone: bool
) -> None:
    at_work = []

    def inspected(given: bytes) -> Picture:
        at_work.append(threading.current_thread())
        return inspect(given)

    monkeypatch.setattr(aside, "inspect", inspected)
    picture = await aside.inspect_aside(content)
    assert picture.size == len(content)
    assert [each is not threading.main_thread() for each in at_work] == [is_alone]


@pytest.mark.parametrize("content", [SMALL[:50], LARGE[:50] + bytes(3 << 20)])
async def test_what_is_broken_is_told_the_same(content: bytes) -> None:
    with pytest.raises(Unreadable):
        await aside.inspect_aside(content)
