"""`make screenshots`: takes the README's screenshots of the page with the real bot."""

import asyncio
import io
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.async_api import Browser, Locator, ViewportSize, expect
from playwright.async_api import Page as Tab

from bot.sandbox.bot_process import BOT_COMMAND
from bot.sandbox.samples import SAMPLES
from bot.sandbox.web.session import GRACE_ID, YOU_ID
from tests.sandbox.web.browser import open_browser
from tests.sandbox.web.web_client import GROUP_CHAT, PRIVATE_CHAT, WebPageClient, open_web_page

FOLDER = Path(__file__).parents[3] / "docs" / "images"
TALL = ViewportSize(width=1200, height=1010)
WIDE = ViewportSize(width=1200, height=860)
MAX_BYTES = 150_000
#: enough for drawings and UI; photos would need more
COLOURS = 256


async def take_screenshots() -> None:
    async with open_browser() as browser:
        for scheme in ("light", "dark"):
            await _screenshot_private_chat(browser, scheme)
            await _screenshot_group(browser, scheme)


async def _screenshot_private_chat(browser: Browser, scheme: Literal["light", "dark"]) -> None:
    """An edit, and another one of its answer in progress."""
    async with open_web_page(BOT_COMMAND) as page:
        tab = await _open_tab(browser, page, scheme, TALL)
        await page.send(("house.jpg", SAMPLES["house.jpg"].draw()), text="make it snow")
        await expect(_answer_messages(tab)).to_have_count(1)
        await expect(tab.get_by_text("Got it.")).to_have_count(0)
        page.session.seconds = 8
        answer = page.session.telegram.bot_messages(YOU_ID)[-1]["message_id"]
        await page.send(text="now at night 16:9", conversation=PRIVATE_CHAT, reply_to=answer)
        await expect(tab.get_by_text("Your picture is being edited.").last).to_be_visible()
        await _save_screenshot(tab, f"chat-{scheme}.png")


async def _screenshot_group(browser: Browser, scheme: Literal["light", "dark"]) -> None:
    """An edit of another user's picture, with the open workbench."""
    async with open_web_page(BOT_COMMAND) as page:
        tab = await _open_tab(browser, page, scheme, WIDE)
        await tab.get_by_role("button", name="Friends").click()
        await page.send(("beach.jpg", SAMPLES["beach.jpg"].draw()), conversation=GROUP_CHAT)
        asked = page.updates[-1]["message"]["message_id"]
        await page.send(
            text="/edit make it a pencil drawing", conversation=GROUP_CHAT, speaker=GRACE_ID, reply_to=asked
        )
        await expect(_answer_messages(tab)).to_have_count(1)
        await expect(tab.get_by_role("img", name="Reactions: 👌")).to_be_visible()
        await tab.get_by_role("button", name="Workbench", exact=True).click()
        await _save_screenshot(tab, f"workbench-{scheme}.png")


async def _open_tab(browser: Browser, page: WebPageClient, scheme: Literal["light", "dark"], size: ViewportSize) -> Tab:
    tab = await browser.new_page(viewport=size, color_scheme=scheme, locale="en-GB", reduced_motion="reduce")
    await tab.goto(page.url)
    await expect(tab.get_by_text("The bot is running")).to_be_visible()
    return tab


def _answer_messages(tab: Tab) -> Locator:
    return tab.get_by_role("button", name="Picture from Darkroom")


async def _save_screenshot(tab: Tab, name: str) -> None:
    """Save a screenshot with few colours, to keep it small."""
    await tab.mouse.move(0, 0)
    await tab.evaluate("document.activeElement.blur()")
    await expect(tab.locator("#chat-action")).to_be_empty()
    taken = await tab.screenshot()
    with Image.open(io.BytesIO(taken)) as image:
        few = image.convert("RGB").quantize(COLOURS, kmeans=1, dither=Image.Dither.NONE)
        few.save(FOLDER / name, optimize=True)
    size = (FOLDER / name).stat().st_size
    if size > MAX_BYTES:
        raise SystemExit(f"{name} has {size} bytes, more than {MAX_BYTES}")


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    asyncio.run(take_screenshots())
