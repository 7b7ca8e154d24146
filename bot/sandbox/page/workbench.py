"""The workbench: what is done to the bot and to its partners, rather than said to it."""

from collections.abc import Awaitable, Callable
from typing import Any

from bot.sandbox.page.gestures import Impossible
from bot.sandbox.page.scene import Scene

Doing = Callable[[Scene, dict[str, Any]], Awaitable[None]]

#: the longest time that an edit can be made to take, in seconds
LONGEST = 120.0


async def kill(scene: Scene, _: dict[str, Any]) -> None:
    """kill -9."""
    await scene.bot.kill()
    scene.journal.note("the bot was killed (kill -9)", "WARNING")


async def start(scene: Scene, _: dict[str, Any]) -> None:
    """Start the bot again, on the database that it left."""
    await scene.bot.start()


async def restart(scene: Scene, _: dict[str, Any]) -> None:
    """SIGTERM, and another start."""
    await scene.bot.restart()


async def trouble(scene: Scene, wanted: dict[str, Any]) -> None:
    """Switch a trouble on or off."""
    scene.troubles.switch(str(wanted["name"]), on=wanted["on"] is True)


async def adjust(scene: Scene, wanted: dict[str, Any]) -> None:
    """Set how long edits take (seconds), Group Privacy, and the language of your app."""
    if "seconds" in wanted:
        scene.seconds = min(max(float(wanted["seconds"]), 0.0), LONGEST)
    if "privacy" in wanted:
        scene.telegram.cloud.privacy_mode = wanted["privacy"] is True
    if "language" in wanted:
        scene.you.user["language_code"] = str(wanted["language"])[:10]


async def forge(scene: Scene, _: dict[str, Any]) -> None:
    """Call the bot back as Kie would about the latest order, with a success that is none."""
    if scene.kie is None:
        raise Impossible("With the real Kie nothing can be forged.")
    task = next((task for task in reversed(scene.kie.tasks.values()) if task.call_back_url), None)
    if task is None:
        raise Impossible("Order an edit first: there is no callback address yet.")
    body = {"code": 200, "msg": "Playground task completed successfully.", "data": {"taskId": "0" * 32}}
    status = await scene.kie.call(task.call_back_url or "", body)
    scene.journal.note(f"a forged callback was answered with HTTP {status}")


#: by the names that the page uses
DOINGS: dict[str, Doing] = {each.__name__: each for each in (kill, start, restart, trouble, adjust, forge)}
