"""Every path that a request can take, each as people see it, for the bot to be killed on.

An order of which nobody can say whether it was taken is ordered again by the
one who is asked, so that each story comes to the same end wherever the bot died.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from bot.sandbox.faults import Fault, Kind
from bot.sandbox.kie_tasks import SUCCESS, fail
from tests.crash.stage import Stage, pictures_in
from tests.machine.troubles import BROKEN, POLICY
from tests.pictures.files import saved
from tests.world import World, a_photo, english

Play = Callable[[Stage], Awaitable[None]]

#: What a bot asks of Telegram before it takes updates.
START = frozenset({"getMe", "getWebhookInfo", "getUpdates"})

#: What every edit needs.
EDIT = frozenset({"getFile", "file", "file-stream-upload", "createTask", "recordInfo", "result", "sendChatAction"})


@dataclass(frozen=True)
class Scenario:
    """A story, and what it has to have led to."""

    name: str
    play: Play
    #: the calls to which it leads among others; each is killed before and after
    calls: frozenset[str]
    #: the number of the point at which the bot dies in `make test`; None where others there show the same
    dies_at: int | None
    #: orders that Kie takes, those apart that somebody pressed "Try again" for
    orders: int = 1
    #: how often somebody is asked about an order in doubt even if nothing is killed
    asked: int = 0
    #: messages of which the bot never learns that they arrived
    spare: int = 0
    prepare: Callable[[World], None] = field(default=lambda _: None)
    settings: Mapping[str, str] = field(default_factory=dict)
    kie: Mapping[str, object] = field(default_factory=dict)
    #: what Kie and Telegram are given to call: nothing, or the address of the front
    has_public_url: bool = False


def _photo(stage: Stage) -> None:
    stage.ada.send_photo(a_photo(), caption="make it snow")


async def edit(stage: Stage) -> None:
    """Ask for an edit and get it."""
    _photo(stage)
    await stage.pictures(stage.ada.id)


async def refused(stage: Stage) -> None:
    """Ask for what the model will not do."""
    _photo(stage)
    await stage.says(stage.ada.id, "will not do this")


async def words(stage: Stage) -> None:
    """Ask for nothing but words."""
    stage.ada.send_text("/help")
    await stage.says(stage.ada.id, english("help").splitlines()[0])


async def idea(stage: Stage) -> None:
    """Send a picture without words, and take one of the ideas."""
    stage.ada.send_photo(a_photo())
    await stage.press(stage.ada, english("idea-snow"))
    await stage.pictures(stage.ada.id)


async def taken_back(stage: Stage) -> None:
    """Send a picture without words, and take it back."""
    stage.ada.send_photo(a_photo())
    await stage.press(stage.ada, english("button-cancel"))
    await stage.says(stage.ada.id, english("cancelled-here"))


async def buttons(stage: Stage) -> None:
    """Press everything that stands under an answer."""
    await edit(stage)
    await stage.press(stage.ada, english("button-original"))
    await stage.until(lambda telegram: [each for each in pictures_in(telegram, stage.ada.id) if "document" in each])
    await stage.press(stage.ada, english("button-variation"))
    await stage.until(lambda _: [task for task in stage.world.kie.tasks.values() if task.result][1:])
    await stage.until(lambda telegram: [each for each in pictures_in(telegram, stage.ada.id) if "photo" in each][1:])
    gone = await stage.press(stage.ada, english("button-delete"))
    await stage.until(lambda telegram: gone not in telegram.cloud.chats[stage.ada.id].messages)


async def settings(stage: Stage, answer_as: str, count: int) -> None:
    """Choose how pictures come, and have one made."""
    stage.ada.send_text("/settings")
    choice, chosen = english(f"as-{answer_as}"), english("setting-answer-as", value=english(f"as-{answer_as}"))
    await stage.press_until(stage.ada, english("setting-answer-as", value=english("as-photo")), choice)
    await stage.press_until(stage.ada, choice, chosen)
    _photo(stage)
    await stage.pictures(stage.ada.id, count)


async def group(stage: Stage) -> None:
    """Let an album be edited in a group, and let its administrator take the answer away."""
    album = stage.ada.send_album([a_photo("red"), a_photo("blue")], {0: "/edit a duel"}, chat=stage.group)
    await stage.pictures(stage.group.id)
    await stage.until(lambda telegram: telegram.reactions(stage.group.id, album[0]))
    gone = await stage.press(stage.grace, english("button-delete"), stage.group)
    await stage.until(lambda telegram: gone not in telegram.cloud.chats[stage.group.id].messages)


async def decoded(stage: Stage) -> None:
    """Ask with an album of files that have to be decoded, one after the other."""
    stage.ada.send_album([saved("BMP"), saved("TIFF"), a_photo()], {0: "make it snow"}, as_documents=True)
    await stage.pictures(stage.ada.id)


async def figures(stage: Stage) -> None:
    """Have a picture edited, and ask what is going on."""
    await edit(stage)
    stage.ada.send_text("/stats")
    # on a machine that is too busy to draw they come as text
    await stage.says(stage.ada.id, english("stats-edits", count=1))


async def topped_up(stage: Stage) -> None:
    """Ask while there is no credit, which comes then."""
    _photo(stage)
    await stage.until(lambda _: stage.world.kie.called("createTask"))
    stage.world.kie.pay_in(100.0)
    await stage.pictures(stage.ada.id)


def _ends(*outcomes: object) -> Callable[[World], None]:
    return lambda world: world.kie.script(*outcomes)  # type: ignore[arg-type]  # outcomes of tasks


def _cut_order(world: World) -> None:
    world.kie.faults.add("createTask", Fault(Kind.CUT_AFTER))


def _cut_answer(world: World) -> None:
    world.telegram.faults.add("sendPhoto", Fault(Kind.CUT_AFTER))


def _has_a_webhook(world: World) -> None:
    world.telegram.cloud.webhook = {"url": "https://127.0.0.1:9/hook"}


SCENARIOS = (
    Scenario(
        "refused by the model", refused, EDIT - {"result", "sendChatAction"} | {"sendMessage"}, None,
        prepare=_ends(*[fail(POLICY)] * 3),
    ),
    Scenario("failed for free once", edit, EDIT, None, orders=2, prepare=_ends(fail(BROKEN), *[SUCCESS] * 3)),
    Scenario("an order in doubt", edit, EDIT | {"answerCallbackQuery", "sendPhoto"}, None, asked=1, prepare=_cut_order),
    Scenario(
        "an answer in doubt", edit, EDIT | {"sendPhoto", "editMessageMedia"}, None, spare=1, prepare=_cut_answer,
    ),
    Scenario("no credit", topped_up, EDIT | {"credit"}, None, kie={"credits": 0.0}),
    Scenario("buttons", buttons, EDIT | {"sendDocument", "deleteMessage", "answerCallbackQuery"}, None, orders=2),
    Scenario(
        "settings, as a file", partial(settings, answer_as="file", count=1), EDIT | {"sendDocument", "editMessageText"},
        None,
    ),
    Scenario(
        "settings, as both", partial(settings, answer_as="both", count=2),
        EDIT | {"sendDocument", "sendPhoto", "editMessageText"}, None,
    ),
    Scenario(
        "an album in a group", group,
        EDIT | {"setMessageReaction", "getChatAdministrators", "deleteMessage", "answerCallbackQuery"}, None,
        settings={"ALBUM_WINDOW_SECONDS": "0.2"},
    ),
    Scenario("pictures to be decoded", decoded, EDIT, None, settings={"ALBUM_WINDOW_SECONDS": "0.2"}),
    Scenario("an idea", idea, EDIT | {"sendMessage", "answerCallbackQuery"}, None),
    Scenario(
        "taken back", taken_back, frozenset({"sendMessage", "editMessageText", "answerCallbackQuery"}), None, orders=0,
    ),
    Scenario(
        "words, after a webhook", words, frozenset({"sendMessage", "deleteWebhook"}), None,
        orders=0, prepare=_has_a_webhook,
    ),
    # where the bot dies before it is known that the figures have arrived they come twice, as any message does
    Scenario("figures", figures, EDIT | {"sendPhoto"}, None, spare=1, settings={"ADMIN_IDS": "1000001"}),
    Scenario("with callbacks", edit, EDIT, 33, kie={"duration": lambda: 2.0}, has_public_url=True),
    Scenario(
        "by a webhook", edit, EDIT | {"setWebhook"}, 29,
        settings={"TELEGRAM_UPDATES": "webhook"}, kie={"duration": lambda: 2.0}, has_public_url=True,
    ),
)  # fmt: skip
