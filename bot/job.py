"""A job: one photo edit, from the user's message to the answer. Its states and transitions, without any I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.clock import Instant
from bot.edit_options import DEFAULT_OPTIONS, EditOptions

#: Replaces the ids of a user and a chat once they are erased.
ERASED_ID = 0

#: Charged for everybody who writes in the name of a group or a channel where it is unknown who added the bot. This is
#: the id of @GroupAnonymousBot, Telegram's placeholder for anonymous administrators, so no user has it.
ANONYMOUS_SENDER_ID = 1_087_968_824

#: Unicode code points that Kie accepts.
MAX_PROMPT_LENGTH = 5000

#: Seconds for which a request waits for its prompt.
PROMPT_TIMEOUT = 3600.0

#: Seconds after its first item at which an album closes in any case.
MAX_ALBUM_SECONDS = 8.0

#: Images of one request: the limit of Kie and of a Telegram album.
MAX_IMAGES = 10


def is_valid_prompt(prompt: str) -> bool:
    """Return whether a prompt is neither empty nor longer than Kie accepts."""
    return 0 < len(prompt) <= MAX_PROMPT_LENGTH


class State(StrEnum):
    """What is known for certain about a job, even after a crash."""

    #: images are still arriving, or the prompt is missing; ends when it is complete or cancelled
    GATHERING = "gathering"
    #: the request is complete and no task can exist for it; ends when it is its turn
    QUEUED = "queued"
    #: Kie may have been called and no task id is stored; ends when the outcome of the call is known
    SUBMITTING = "submitting"
    #: Kie works on `task_id`; ends when a poll finds it finished
    RUNNING = "running"
    #: Kie made the image; final
    SUCCEEDED = "succeeded"
    #: there will be no image, and `reason` says why; final
    FAILED = "failed"
    #: the user cancelled it, or never completed it; final
    CANCELLED = "cancelled"


TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.GATHERING: frozenset({State.QUEUED, State.CANCELLED}),
    State.QUEUED: frozenset({State.SUBMITTING, State.FAILED, State.CANCELLED}),
    State.SUBMITTING: frozenset({State.RUNNING, State.QUEUED, State.FAILED}),
    # back to submitting when the task turns out to be another order's
    State.RUNNING: frozenset({State.SUCCEEDED, State.QUEUED, State.FAILED, State.SUBMITTING}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}

FINAL_STATES = frozenset(state for state, onward in TRANSITIONS.items() if not onward)


class FailureReason(StrEnum):
    """Why a job ended without an image, unless the user cancelled it."""

    #: the source is not an image, broken, too large, or cannot be downloaded
    UNUSABLE_IMAGE = "picture"
    #: Kie refuses this prompt or this image; repeating it would not help
    REFUSED = "refused"
    #: the task failed, twice or at a cost
    TASK_FAILED = "broke"
    #: it stayed unknown whether Kie accepted the order, and the user did not decide
    ORDER_UNCERTAIN = "doubt"
    #: Kie never finished
    OVERDUE = "overdue"
    #: the user sent no prompt within the hour
    NO_PROMPT = "no_prompt"
    #: it was ordered, and the user deleted their data
    DELETED = "deleted"


@dataclass(frozen=True)
class SourceImage:
    """One image that a user sent; downloaded from Telegram by `file_id`."""

    #: orders the images of a request: the id of the image's message, or an index if a text refers to the images
    position: int
    file_id: str
    #: constant over time and across bots; cannot be used for a download
    file_unique_id: str
    #: compressed by Telegram's app, so upright and without metadata
    is_photo: bool = False
    #: bytes, if known
    size: int | None = None
    #: Kie's original of an image that the bot sent earlier; better than Telegram's copy
    full_url: str | None = None
    #: where Kie can download it, and since when; None before the upload
    upload_url: str | None = None
    uploaded_at: Instant | None = None


@dataclass(frozen=True)
class EditRequest:
    """What a user asked for and where the answer goes; immutable once ordered, until it is erased."""

    chat_id: int
    #: a user; or the group or channel in whose name the message was sent
    user_id: int
    #: whose limits it counts for: a user, `ANONYMOUS_SENDER_ID` or a chat (`AccessPolicy.charged_to`)
    charged_to: int
    #: the message that the answer replies to; None if its chat no longer exists
    message_id: int | None
    thread_id: int | None
    prompt: str
    sources: tuple[SourceImage, ...]
    received_at: Instant
    #: locale of the messages about it
    language: str = "en"
    #: fixed once it is queued
    options: EditOptions = DEFAULT_OPTIONS
    #: the job that this is another variation of
    variation_of: int | None = None

    def sources_without_uploads(self) -> tuple[SourceImage, ...]:
        """Return the source images, to be uploaded again for another request."""
        return tuple(replace(source, upload_url=None, uploaded_at=None) for source in self.sources)

    @property
    def is_erased(self) -> bool:
        """Whether its user and chat are erased."""
        return self.chat_id == ERASED_ID

    @property
    def is_in_group(self) -> bool:
        """Whether the chat is a group."""
        return self.chat_id < 0


@dataclass(frozen=True)
class Job:
    """A request and its progress; a row of the table `jobs`."""

    id: int
    state: State
    request: EditRequest
    #: when the worker is to continue it; None if nothing depends on time
    due_at: Instant | None
    #: when its open album closes at the latest
    closes_by: Instant | None
    queued_at: Instant | None
    submitted_at: Instant | None
    #: when the user was asked about an uncertain order
    asked_at: Instant | None
    #: when the user was told that it takes unusually long
    overdue_at: Instant | None
    finished_at: Instant | None
    answering_at: Instant | None
    answered_at: Instant | None
    #: when its answer was deleted from the chat, for good
    answer_deleted_at: Instant | None
    task_id: str | None
    #: failed tries of the next step, since the last success
    tries: int
    #: how often Kie refused the order for a reason that may be transient
    rejections: int
    #: how often a task failed and was ordered again
    reorders: int
    reason: FailureReason | None
    result_url: str | None
    #: when the user was first told that the image is made but cannot be downloaded yet
    download_failing_since: Instant | None = None

    @property
    def charged_to(self) -> int:
        """Whose share of the fair queue it takes."""
        return self.request.charged_to


class IllegalTransition(Exception):
    """A change of state that `TRANSITIONS` does not allow: a bug."""


def check_transition(start: State, end: State) -> None:
    """Raise IllegalTransition unless a job may go from `start` to `end`."""
    if end not in TRANSITIONS[start]:
        raise IllegalTransition(f"a job never goes from {start} to {end}")
