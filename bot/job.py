"""A job: one photo edit, from the message that asked for it to the answer.

Nothing here does I/O, so the rules of a job's life can be read, and tested,
on their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.clock import Instant
from bot.edit_options import DEFAULT_OPTIONS, EditOptions

#: In the place of the ids of a person and a chat, when nobody is to know them any more.
ERASED_ID = 0

#: Those who speak in a group's or a channel's name where nobody knows who answers for them: all of them together. It is
#: the id of the user that Telegram has made up for anonymous administrators, so it is never a person's.
ANONYMOUS_SENDER_ID = 1_087_968_824

#: The longest prompt that Kie takes, in Unicode code points.
MAX_PROMPT_LENGTH = 5000

#: Seconds for which a request waits for the words that say what to change.
PROMPT_TIMEOUT = 3600.0

#: Seconds after its first item at which an album closes, however slowly the others come.
MAX_ALBUM_SECONDS = 8.0

#: The most pictures of one request: what Kie takes, and what an album of Telegram holds.
MAX_IMAGES = 10


class State(StrEnum):
    """What is known for certain about a job, even after a crash."""

    #: pictures are still arriving, or the prompt is missing; leaves complete or cancelled
    GATHERING = "gathering"
    #: the request is complete and no task of ours can exist for it; leaves when it is its turn
    QUEUED = "queued"
    #: Kie may have been called and no task id is stored; leaves when that is known
    SUBMITTING = "submitting"
    #: Kie works on `task_id`; leaves when a look finds it finished
    RUNNING = "running"
    #: Kie made the picture; final
    SUCCEEDED = "succeeded"
    #: there will be no picture, and `reason` says why; final
    FAILED = "failed"
    #: the person took it back, or never completed it; final
    CANCELLED = "cancelled"


TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.GATHERING: frozenset({State.QUEUED, State.CANCELLED}),
    State.QUEUED: frozenset({State.SUBMITTING, State.FAILED, State.CANCELLED}),
    State.SUBMITTING: frozenset({State.RUNNING, State.QUEUED, State.FAILED}),
    # back into doubt where the task turns out to be another order's
    State.RUNNING: frozenset({State.SUCCEEDED, State.QUEUED, State.FAILED, State.SUBMITTING}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}

FINAL_STATES = frozenset(state for state, onward in TRANSITIONS.items() if not onward)


class FailureReason(StrEnum):
    """Why a job ended without a picture, unless the person took it back."""

    #: the picture cannot be used: no picture, broken, too large, not fetchable
    UNUSABLE_IMAGE = "picture"
    #: Kie refuses this wish or this picture; repeating it would not help
    REFUSED = "refused"
    #: Kie tried and could not, twice or at a cost
    TASK_FAILED = "broke"
    #: nobody could say whether Kie took the order, and the person did not decide
    ORDER_UNCERTAIN = "doubt"
    #: Kie never finished
    OVERDUE = "overdue"
    #: the person did not say within the hour what to change
    NO_PROMPT = "no_prompt"
    #: it was ordered, and the person had everything deleted that is stored about them
    DELETED = "deleted"


@dataclass(frozen=True)
class SourceImage:
    """One picture that a person sent; fetched from Telegram by `file_id`."""

    #: sorts the pictures of a request: the id of the message that brought it
    position: int
    file_id: str
    #: the same over time and across bots, of no use for fetching
    file_unique_id: str
    #: whether Telegram's app made it: compressed, upright, without the sender's data
    is_photo: bool = False
    #: bytes, where Telegram says so
    size: int | None = None
    #: where Kie has it better than Telegram, as a picture that it made earlier
    full_url: str | None = None
    #: where Kie can fetch it, and since when; None while it was not uploaded
    upload_url: str | None = None
    uploaded_at: Instant | None = None


@dataclass(frozen=True)
class EditRequest:
    """What a person asked for and where the answer goes; immutable once ordered, until it is erased."""

    chat_id: int
    #: a person; or the group, or the channel, in whose name somebody spoke
    user_id: int
    #: whose limits it counts for: who asked or, for a group or a channel, who answers for it; may be `NAMELESS`
    charged_to: int
    #: to which the answer replies; None where that message is in a chat that is no more
    message_id: int | None
    thread_id: int | None
    prompt: str
    sources: tuple[SourceImage, ...]
    received_at: Instant
    #: in which the person is told about it
    language: str = "en"
    #: how the answer is to come; certain once it is queued
    options: EditOptions = DEFAULT_OPTIONS
    #: the job of which this is another variation
    variation_of: int | None = None

    @property
    def is_erased(self) -> bool:
        """Whether nobody knows any more whose it was, and where."""
        return self.chat_id == ERASED_ID

    @property
    def is_in_group(self) -> bool:
        """Whether others read along."""
        return self.chat_id < 0


@dataclass(frozen=True)
class Job:
    """A request and how far it has come: our row."""

    id: int
    state: State
    request: EditRequest
    #: when the worker should next take it up; None: not by time
    due_at: Instant | None
    #: while its album is open: when that closes at the latest
    closes_by: Instant | None
    queued_at: Instant | None
    submitted_at: Instant | None
    #: when the person was asked what to do about an order in doubt
    asked_at: Instant | None
    #: when the person was told that it takes unusually long
    overdue_at: Instant | None
    finished_at: Instant | None
    answering_at: Instant | None
    answered_at: Instant | None
    #: when somebody had its answer deleted from the chat, for good
    answer_deleted_at: Instant | None
    task_id: str | None
    #: tries of the step that is next, since it last succeeded
    tries: int
    #: how often Kie refused the order with words that have been transient
    rejections: int
    #: how often a task of this job broke and was ordered once more
    reorders: int
    reason: FailureReason | None
    result_url: str | None
    #: when the person was first to be told that the picture is made and cannot be fetched yet
    download_failing_since: Instant | None = None

    @property
    def charged_to(self) -> int:
        """Whose share of what all have in common it takes: of places, of turns."""
        return self.request.charged_to


class IllegalTransition(Exception):
    """Somebody asked for a change of state that no rule allows: a mistake in the code."""


def check_transition(start: State, end: State) -> None:
    """Raise IllegalTransition unless a job may go from `start` to `end`."""
    if end not in TRANSITIONS[start]:
        raise IllegalTransition(f"a job never goes from {start} to {end}")
