"""Inline keyboards, and the callback data of their buttons.

Callback data is untrusted: a modified client can send any data for any message of ours, at any time. The user, the
message and what is stored decide what a press may do.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

BUTTONS_PER_ROW = 2

_CALLBACK_DATA = re.compile(r"1:(\w+):(\d{1,18}):(\d{1,18})", re.ASCII)


class ButtonAction(StrEnum):
    """What a button does."""

    #: cancel a request
    CANCEL = "cancel"
    #: send the result as a file, as Kie made it
    SEND_ORIGINAL = "original"
    #: download a result again that could not be delivered
    FETCH_RESULT = "fetch"
    #: order again although the first order may have been accepted
    ORDER_AGAIN = "again"
    #: abandon an uncertain order
    LEAVE_UNCERTAIN = "leave"
    #: use a suggested prompt
    USE_SUGGESTION = "idea"
    #: make another variation of an answer
    VARIATION = "more"
    #: delete an answer
    DELETE_ANSWER = "delete"
    #: show a page of the settings
    SETTINGS_PAGE = "page"
    #: change a setting
    SETTINGS_CHOICE = "choose"
    #: delete everything that is stored about the user
    DELETE_MY_DATA = "erase"
    #: cancel that deletion
    KEEP_MY_DATA = "keep"


@dataclass(frozen=True)
class Button:
    """A button under a message."""

    label: str
    action: ButtonAction
    #: the id of a job, or the number of a settings page
    target: int
    #: which question about the job, suggested prompt or choice of the page is meant
    number: int = 0

    @property
    def callback_data(self) -> str:
        """The callback data: at most 64 bytes."""
        return f"1:{self.action}:{self.target}:{self.number}"


@dataclass(frozen=True)
class ButtonPress:
    """Decoded callback data."""

    action: ButtonAction
    target: int
    number: int


def parse_callback_data(data: str | None) -> ButtonPress | None:
    """Decode callback data; None if no button of ours has such data."""
    found = _CALLBACK_DATA.fullmatch(data or "")
    if found is None or found[1] not in set(ButtonAction):
        return None
    return ButtonPress(ButtonAction(found[1]), int(found[2]), int(found[3]))


def build_inline_keyboard(buttons: tuple[Button, ...]) -> InlineKeyboardMarkup | None:
    """Return the keyboard for Telegram, in rows that fit a phone; None without buttons."""
    if not buttons:
        return None
    made = [InlineKeyboardButton(each.label, callback_data=each.callback_data) for each in buttons]
    return InlineKeyboardMarkup(
        [made[start : start + BUTTONS_PER_ROW] for start in range(0, len(made), BUTTONS_PER_ROW)]
    )
