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

BUTTONS_PER_ROW = 2

_CALLBACK_DATA = re.compile(r"1:(\w+):(\d{1,18}):(\d{1,18})", re.ASCII)


class ButtonAction(StrEnum):
    """What a press asks for."""

    #: take a request back
    CANCEL = "cancel"
    #: send the result as Kie made it
    SEND_ORIGINAL = "original"
    #: fetch a picture that is made and did not come
    FETCH_RESULT = "fetch"
    #: order once more although the first order may have been taken
    ORDER_AGAIN = "again"
    #: leave an order in doubt as it is
    LEAVE_UNCERTAIN = "leave"
    #: take one of the ideas that were offered
    USE_SUGGESTION = "idea"
    #: make another variation of an answer
    VARIATION = "more"
    #: take an answer away
    DELETE_ANSWER = "delete"
    #: show another page of the settings
    SETTINGS_PAGE = "page"
    #: choose something in the settings
    SETTINGS_CHOICE = "choose"
    #: delete everything that is stored about the one who presses
    DELETE_MY_DATA = "erase"
    #: leave that as it is
    KEEP_MY_DATA = "keep"


@dataclass(frozen=True)
class Button:
    """A label, and what a press of it means."""

    label: str
    action: ButtonAction
    #: the id of the job that it is about, or the number of a page of the settings
    target: int
    #: which question of the job it answers, or which idea or choice it is: a number that only this one has
    number: int = 0

    @property
    def callback_data(self) -> str:
        """What stands behind it: at most 64 bytes."""
        return f"1:{self.action}:{self.target}:{self.number}"


@dataclass(frozen=True)
class ButtonPress:
    """What was behind a pressed button."""

    action: ButtonAction
    target: int
    number: int


def parse_callback_data(data: str | None) -> ButtonPress | None:
    """Return what was pressed, None for what no button of ours has behind it."""
    found = _CALLBACK_DATA.fullmatch(data or "")
    if found is None or found[1] not in set(ButtonAction):
        return None
    return ButtonPress(ButtonAction(found[1]), int(found[2]), int(found[3]))


def build_inline_keyboard(buttons: tuple[Button, ...]) -> InlineKeyboardMarkup | None:
    """Return the buttons as Telegram takes them, in rows that a phone can show."""
    if not buttons:
        return None
    made = [InlineKeyboardButton(each.label, callback_data=each.callback_data) for each in buttons]
    return InlineKeyboardMarkup(
        [made[start : start + BUTTONS_PER_ROW] for start in range(0, len(made), BUTTONS_PER_ROW)]
    )
