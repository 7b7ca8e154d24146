"""The scenarios of the crash tests: every path that a request can take.

Users answer every question about an uncertain order with "Try again", so each
scenario has the same end wherever the bot crashes.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.kie.tasks import SUCCESS, ScriptedOutcome, failure
from tests.crash.simulated_users import SimulatedUsers, list_pictures
from tests.images.sample_files import encode_image
from tests.process_harness import ProcessHarness, make_photo, render_english
from tests.stateful.fault_catalogue import POLICY_TEXT, SERVER_ERROR_TEXT

PlayScenario = Callable[[SimulatedUsers], Awaitable[None]]

STARTUP_CALLS = frozenset({"getMe", "getWebhookInfo", "getUpdates"})

EDIT_CALLS = frozenset(
    {"getFile", "file", "file-stream-upload", "createTask", "recordInfo", "result", "sendChatAction"}
)


@dataclass(frozen=True)
class Scenario:
    """A scenario with its expected results."""

    name: str
    play: PlayScenario
    #: calls that it makes, among others
    calls: frozenset[str]
    #: the number of the point at which `make test` kills the bot; None where other tests cover it
    kill_at: int | None
    #: orders, without those after "Try again"
    expected_orders: int = 1
    #: questions about uncertain orders without any crash
    expected_questions: int = 0
    #: messages that remain unconfirmed for the bot
    expected_unconfirmed: int = 0
    prepare: Callable[[ProcessHarness], None] = field(default=lambda _: None)
    settings: Mapping[str, str] = field(default_factory=dict)
    kie: Mapping[str, object] = field(default_factory=dict)
    #: whether Kie and Telegram can call the bot
    has_public_url: bool = False


def _send_photo(users: SimulatedUsers) -> None:
    users.ada.send_photo(make_photo(), caption="make it snow")


async def play_edit(users: SimulatedUsers) -> None:
    """Request an edit."""
    _send_photo(users)
    await users.wait_for_pictures(users.ada.id)


async def play_refusal(users: SimulatedUsers) -> None:
    """Request what the model refuses."""
    _send_photo(users)
    await users.wait_for_text(users.ada.id, "will not do this")


async def play_text_only(users: SimulatedUsers) -> None:
    """Send a command that needs no edit."""
    users.ada.send_text("/help")
    await users.wait_for_text(users.ada.id, render_english("help").splitlines()[0])


async def play_suggestion(users: SimulatedUsers) -> None:
    """Send a picture without a prompt, and press a suggestion."""
    users.ada.send_photo(make_photo())
    await users.press_button(users.ada, render_english("idea-snow"))
    await users.wait_for_pictures(users.ada.id)


async def play_cancel(users: SimulatedUsers) -> None:
    """Send a picture without a prompt, and cancel."""
    users.ada.send_photo(make_photo())
    await users.press_button(users.ada, render_english("button-cancel"))
    await users.wait_for_text(users.ada.id, render_english("cancelled-here"))


async def play_buttons(users: SimulatedUsers) -> None:
    """Press every button of an answer."""
    await play_edit(users)
    await users.press_button(users.ada, render_english("button-original"))
    await users.wait_until(
        lambda telegram: [each for each in list_pictures(telegram, users.ada.id) if "document" in each]
    )
    await users.press_button(users.ada, render_english("button-variation"))
    await users.wait_until(lambda _: [task for task in users.harness.kie.tasks.values() if task.result][1:])
    await users.wait_until(
        lambda telegram: [each for each in list_pictures(telegram, users.ada.id) if "photo" in each][1:]
    )
    gone = await users.press_button(users.ada, render_english("button-delete"))
    await users.wait_until(lambda telegram: gone not in telegram.state.chats[users.ada.id].messages)


async def play_settings(users: SimulatedUsers, answer_as: str, count: int) -> None:
    """Set how answers are sent, and request an edit."""
    users.ada.send_text("/settings")
    choice, chosen = (
        render_english(f"as-{answer_as}"),
        render_english("setting-answer-as", value=render_english(f"as-{answer_as}")),
    )
    await users.press_until(users.ada, render_english("setting-answer-as", value=render_english("as-photo")), choice)
    await users.press_until(users.ada, choice, chosen)
    _send_photo(users)
    await users.wait_for_pictures(users.ada.id, count)


async def play_group(users: SimulatedUsers) -> None:
    """Request an edit of an album in a group; the administrator deletes the answer."""
    album = users.ada.send_album([make_photo("red"), make_photo("blue")], {0: "/edit a duel"}, chat=users.group)
    await users.wait_for_pictures(users.group.id)
    await users.wait_until(lambda telegram: telegram.reactions(users.group.id, album[0]))
    gone = await users.press_button(users.grace, render_english("button-delete"), users.group)
    await users.wait_until(lambda telegram: gone not in telegram.state.chats[users.group.id].messages)


async def play_decoding(users: SimulatedUsers) -> None:
    """Request an edit of an album of files that have to be decoded."""
    users.ada.send_album(
        [encode_image("BMP"), encode_image("TIFF"), make_photo()], {0: "make it snow"}, as_documents=True
    )
    await users.wait_for_pictures(users.ada.id)


async def play_stats(users: SimulatedUsers) -> None:
    """Request an edit and the statistics."""
    await play_edit(users)
    users.ada.send_text("/stats")
    # in the caption of the chart, or as text on a machine that is too busy to draw it
    await users.wait_for_text(users.ada.id, render_english("stats-edits", count=1))


async def play_credit_top_up(users: SimulatedUsers) -> None:
    """Request an edit without credits, which are topped up later."""
    _send_photo(users)
    await users.wait_until(lambda _: users.harness.kie.calls_named("createTask"))
    users.harness.kie.add_credits(100.0)
    await users.wait_for_pictures(users.ada.id)


def _script_outcomes(*outcomes: ScriptedOutcome) -> Callable[[ProcessHarness], None]:
    return lambda harness: harness.kie.script_outcomes(*outcomes)


def _cut_off_order(harness: ProcessHarness) -> None:
    harness.kie.faults.add("createTask", Fault(FaultKind.DISCONNECT_AFTER))


def _cut_off_answer(harness: ProcessHarness) -> None:
    harness.telegram.faults.add("sendPhoto", Fault(FaultKind.DISCONNECT_AFTER))


def _set_webhook(harness: ProcessHarness) -> None:
    harness.telegram.state.webhook = {"url": "https://127.0.0.1:9/hook"}


SCENARIOS = (
    Scenario(
        "refused by the model",
        play_refusal,
        EDIT_CALLS - {"result", "sendChatAction"} | {"sendMessage"},
        None,
        prepare=_script_outcomes(*[failure(POLICY_TEXT)] * 3),
    ),
    Scenario(
        "failed for free once",
        play_edit,
        EDIT_CALLS,
        None,
        expected_orders=2,
        prepare=_script_outcomes(failure(SERVER_ERROR_TEXT), *[SUCCESS] * 3),
    ),
    Scenario(
        "uncertain order",
        play_edit,
        EDIT_CALLS | {"answerCallbackQuery", "sendPhoto"},
        None,
        expected_questions=1,
        prepare=_cut_off_order,
    ),
    Scenario(
        "unconfirmed answer",
        play_edit,
        EDIT_CALLS | {"sendPhoto", "editMessageMedia"},
        None,
        expected_unconfirmed=1,
        prepare=_cut_off_answer,
    ),
    Scenario("no credit", play_credit_top_up, EDIT_CALLS | {"credit"}, None, kie={"credits": 0.0}),
    Scenario(
        "buttons",
        play_buttons,
        EDIT_CALLS | {"sendDocument", "deleteMessage", "answerCallbackQuery"},
        None,
        expected_orders=2,
    ),
    Scenario(
        "settings, as a file",
        partial(play_settings, answer_as="file", count=1),
        EDIT_CALLS | {"sendDocument", "editMessageText"},
        None,
    ),
    Scenario(
        "settings, as both",
        partial(play_settings, answer_as="both", count=2),
        EDIT_CALLS | {"sendDocument", "sendPhoto", "editMessageText"},
        None,
    ),
    Scenario(
        "an album in a group",
        play_group,
        EDIT_CALLS | {"setMessageReaction", "getChatAdministrators", "deleteMessage", "answerCallbackQuery"},
        None,
        settings={"ALBUM_WINDOW_SECONDS": "0.2"},
    ),
    Scenario("pictures to be decoded", play_decoding, EDIT_CALLS, None, settings={"ALBUM_WINDOW_SECONDS": "0.2"}),
    Scenario("suggestion", play_suggestion, EDIT_CALLS | {"sendMessage", "answerCallbackQuery"}, None),
    Scenario(
        "cancelled",
        play_cancel,
        frozenset({"sendMessage", "editMessageText", "answerCallbackQuery"}),
        None,
        expected_orders=0,
    ),
    Scenario(
        "text only, after a webhook",
        play_text_only,
        frozenset({"sendMessage", "deleteWebhook"}),
        None,
        expected_orders=0,
        prepare=_set_webhook,
    ),
    # after a crash before the confirmation the statistics are sent twice, like any message
    Scenario(
        "statistics",
        play_stats,
        EDIT_CALLS | {"sendPhoto"},
        None,
        expected_unconfirmed=1,
        settings={"ADMIN_IDS": "1000001"},
    ),
    Scenario("with callbacks", play_edit, EDIT_CALLS, 33, kie={"duration": lambda: 2.0}, has_public_url=True),
    Scenario(
        "with a webhook",
        play_edit,
        EDIT_CALLS | {"setWebhook"},
        29,
        settings={"TELEGRAM_UPDATES": "webhook"},
        kie={"duration": lambda: 2.0},
        has_public_url=True,
    ),
)
