"""Every path that a request can take, each as people see it, for the bot to be killed on.

An order of which nobody can say whether it was taken is ordered again by the
one who is asked, so that each story comes to the same end wherever the bot died.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.kie.tasks import SUCCESS, failure
from tests.crash.simulated_users import SimulatedUsers, list_pictures
from tests.images.sample_files import encode_image
from tests.process_harness import ProcessHarness, make_photo, render_english
from tests.stateful.fault_catalogue import POLICY_TEXT, SERVER_ERROR_TEXT

PlayScenario = Callable[[SimulatedUsers], Awaitable[None]]

#: What a bot asks of Telegram before it takes updates.
STARTUP_CALLS = frozenset({"getMe", "getWebhookInfo", "getUpdates"})

#: What every edit needs.
EDIT_CALLS = frozenset(
    {"getFile", "file", "file-stream-upload", "createTask", "recordInfo", "result", "sendChatAction"}
)


@dataclass(frozen=True)
class Scenario:
    """A story, and what it has to have led to."""

    name: str
    play: PlayScenario
    #: the calls to which it leads among others; each is killed before and after
    calls: frozenset[str]
    #: the number of the point at which the bot dies in `make test`; None where others there show the same
    kill_at: int | None
    #: orders that Kie takes, those apart that somebody pressed "Try again" for
    expected_orders: int = 1
    #: how often somebody is asked about an order in doubt even if nothing is killed
    expected_questions: int = 0
    #: messages of which the bot never learns that they arrived
    expected_unconfirmed: int = 0
    prepare: Callable[[ProcessHarness], None] = field(default=lambda _: None)
    settings: Mapping[str, str] = field(default_factory=dict)
    kie: Mapping[str, object] = field(default_factory=dict)
    #: what Kie and Telegram are given to call: nothing, or the address of the front
    has_public_url: bool = False


def _send_photo(stage: SimulatedUsers) -> None:
    stage.ada.send_photo(make_photo(), caption="make it snow")


async def play_edit(stage: SimulatedUsers) -> None:
    """Ask for an edit and get it."""
    _send_photo(stage)
    await stage.wait_for_pictures(stage.ada.id)


async def play_refusal(stage: SimulatedUsers) -> None:
    """Ask for what the model will not do."""
    _send_photo(stage)
    await stage.wait_for_text(stage.ada.id, "will not do this")


async def play_text_only(stage: SimulatedUsers) -> None:
    """Ask for nothing but words."""
    stage.ada.send_text("/help")
    await stage.wait_for_text(stage.ada.id, render_english("help").splitlines()[0])


async def play_suggestion(stage: SimulatedUsers) -> None:
    """Send a picture without words, and take one of the ideas."""
    stage.ada.send_photo(make_photo())
    await stage.press_button(stage.ada, render_english("idea-snow"))
    await stage.wait_for_pictures(stage.ada.id)


async def play_cancel(stage: SimulatedUsers) -> None:
    """Send a picture without words, and take it back."""
    stage.ada.send_photo(make_photo())
    await stage.press_button(stage.ada, render_english("button-cancel"))
    await stage.wait_for_text(stage.ada.id, render_english("cancelled-here"))


async def play_buttons(stage: SimulatedUsers) -> None:
    """Press everything that stands under an answer."""
    await play_edit(stage)
    await stage.press_button(stage.ada, render_english("button-original"))
    await stage.wait_until(
        lambda telegram: [each for each in list_pictures(telegram, stage.ada.id) if "document" in each]
    )
    await stage.press_button(stage.ada, render_english("button-variation"))
    await stage.wait_until(lambda _: [task for task in stage.harness.kie.tasks.values() if task.result][1:])
    await stage.wait_until(
        lambda telegram: [each for each in list_pictures(telegram, stage.ada.id) if "photo" in each][1:]
    )
    gone = await stage.press_button(stage.ada, render_english("button-delete"))
    await stage.wait_until(lambda telegram: gone not in telegram.state.chats[stage.ada.id].messages)


async def play_settings(stage: SimulatedUsers, answer_as: str, count: int) -> None:
    """Choose how pictures come, and have one made."""
    stage.ada.send_text("/settings")
    choice, chosen = (
        render_english(f"as-{answer_as}"),
        render_english("setting-answer-as", value=render_english(f"as-{answer_as}")),
    )
    await stage.press_until(stage.ada, render_english("setting-answer-as", value=render_english("as-photo")), choice)
    await stage.press_until(stage.ada, choice, chosen)
    _send_photo(stage)
    await stage.wait_for_pictures(stage.ada.id, count)


async def play_group(stage: SimulatedUsers) -> None:
    """Let an album be edited in a group, and let its administrator take the answer away."""
    album = stage.ada.send_album([make_photo("red"), make_photo("blue")], {0: "/edit a duel"}, chat=stage.group)
    await stage.wait_for_pictures(stage.group.id)
    await stage.wait_until(lambda telegram: telegram.reactions(stage.group.id, album[0]))
    gone = await stage.press_button(stage.grace, render_english("button-delete"), stage.group)
    await stage.wait_until(lambda telegram: gone not in telegram.state.chats[stage.group.id].messages)


async def play_decoding(stage: SimulatedUsers) -> None:
    """Ask with an album of files that have to be decoded, one after the other."""
    stage.ada.send_album(
        [encode_image("BMP"), encode_image("TIFF"), make_photo()], {0: "make it snow"}, as_documents=True
    )
    await stage.wait_for_pictures(stage.ada.id)


async def play_stats(stage: SimulatedUsers) -> None:
    """Have a picture edited, and ask what is going on."""
    await play_edit(stage)
    stage.ada.send_text("/stats")
    # on a machine that is too busy to draw they come as text
    await stage.wait_for_text(stage.ada.id, render_english("stats-edits", count=1))


async def play_credit_top_up(stage: SimulatedUsers) -> None:
    """Ask while there is no credit, which comes then."""
    _send_photo(stage)
    await stage.wait_until(lambda _: stage.harness.kie.calls_named("createTask"))
    stage.harness.kie.add_credits(100.0)
    await stage.wait_for_pictures(stage.ada.id)


def _list_endings(*outcomes: object) -> Callable[[ProcessHarness], None]:
    return lambda world: world.kie.script_outcomes(*outcomes)  # type: ignore[arg-type]  # outcomes of tasks


def _cut_off_order(world: ProcessHarness) -> None:
    world.kie.faults.add("createTask", Fault(FaultKind.CUT_AFTER))


def _cut_off_answer(world: ProcessHarness) -> None:
    world.telegram.faults.add("sendPhoto", Fault(FaultKind.CUT_AFTER))


def _set_webhook(world: ProcessHarness) -> None:
    world.telegram.state.webhook = {"url": "https://127.0.0.1:9/hook"}


SCENARIOS = (
    Scenario(
        "refused by the model",
        play_refusal,
        EDIT_CALLS - {"result", "sendChatAction"} | {"sendMessage"},
        None,
        prepare=_list_endings(*[failure(POLICY_TEXT)] * 3),
    ),
    Scenario(
        "failed for free once",
        play_edit,
        EDIT_CALLS,
        None,
        expected_orders=2,
        prepare=_list_endings(failure(SERVER_ERROR_TEXT), *[SUCCESS] * 3),
    ),
    Scenario(
        "an order in doubt",
        play_edit,
        EDIT_CALLS | {"answerCallbackQuery", "sendPhoto"},
        None,
        expected_questions=1,
        prepare=_cut_off_order,
    ),
    Scenario(
        "an answer in doubt",
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
    Scenario("an idea", play_suggestion, EDIT_CALLS | {"sendMessage", "answerCallbackQuery"}, None),
    Scenario(
        "taken back",
        play_cancel,
        frozenset({"sendMessage", "editMessageText", "answerCallbackQuery"}),
        None,
        expected_orders=0,
    ),
    Scenario(
        "words, after a webhook",
        play_text_only,
        frozenset({"sendMessage", "deleteWebhook"}),
        None,
        expected_orders=0,
        prepare=_set_webhook,
    ),
    # where the bot dies before it is known that the figures have arrived they come twice, as any message does
    Scenario(
        "figures",
        play_stats,
        EDIT_CALLS | {"sendPhoto"},
        None,
        expected_unconfirmed=1,
        settings={"ADMIN_IDS": "1000001"},
    ),
    Scenario("with callbacks", play_edit, EDIT_CALLS, 33, kie={"duration": lambda: 2.0}, has_public_url=True),
    Scenario(
        "by a webhook",
        play_edit,
        EDIT_CALLS | {"setWebhook"},
        29,
        settings={"TELEGRAM_UPDATES": "webhook"},
        kie={"duration": lambda: 2.0},
        has_public_url=True,
    ),
)
