"""Buttons under our messages, and what is behind them.

Telegram gives back whatever stands behind a button, to whoever presses it and
for as long as the message stands, so it is only a hint: whether the press does
anything is decided by the presser, by the message that was pressed and by what is
stored. A client that somebody has changed sends any data for any message of ours.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

IN_A_ROW = 2

_DATA = re.compile(r"1:(\w+):(\d{1,18}):(\d{1,18})", re.ASCII)


class Action(StrEnum):
    """What a press asks for."""

    #: take a request back
    CANCEL = "cancel"
    #: send the result as Kie made it
    ORIGINAL = "original"
    #: fetch a picture that is made and did not come
    FETCH = "fetch"
    #: order once more although the first order may have been taken
    AGAIN = "again"
    #: leave an order in doubt as it is
    LEAVE = "leave"
    #: take one of the ideas that were offered
    IDEA = "idea"
    #: make another variation of an answer
    VARIATION = "more"
    #: take an answer away
    DELETE = "delete"
    #: show another page of the settings
    PAGE = "page"
    #: choose something in the settings
    CHOOSE = "choose"
    #: delete everything that is stored about the one who presses
    ERASE = "erase"
    #: leave that as it is
    KEEP = "keep"


@dataclass(frozen=True)
class Button:
    """A label, and what a press of it means."""

    label: str
    action: Action
    #: the id of the job that it is about, or the number of a page of the settings
    about: int
    #: which question of the job it answers, or which idea or choice it is: a number that only this one has
    number: int = 0

    @property
    def data(self) -> str:
        """What stands behind it: at most 64 bytes."""
        return f"1:{self.action}:{self.about}:{self.number}"


@dataclass(frozen=True)
class Pressed:
    """What was behind a pressed button."""

    action: Action
    about: int
    number: int


def read(data: str | None) -> Pressed | None:
    """Return what was pressed, None for what no button of ours has behind it."""
    found = _DATA.fullmatch(data or "")
    if found is None or found[1] not in set(Action):
        return None
    return Pressed(Action(found[1]), int(found[2]), int(found[3]))


def is_offered(markup: InlineKeyboardMarkup | None, data: str | None) -> bool:
    """Say whether a message that has these buttons, as Telegram shows it, has one with this behind it."""
    rows = () if markup is None else markup.inline_keyboard
    return any(button.callback_data == data for row in rows for button in row if data is not None)


def keyboard(buttons: tuple[Button, ...]) -> InlineKeyboardMarkup | None:
    """Return the buttons as Telegram takes them, in rows that a phone can show."""
    if not buttons:
        return None
    made = [InlineKeyboardButton(each.label, callback_data=each.data) for each in buttons]
    return InlineKeyboardMarkup([made[start : start + IN_A_ROW] for start in range(0, len(made), IN_A_ROW)])
