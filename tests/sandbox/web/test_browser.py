"""The page in a real browser, with the real bot behind it; skipped where there is no Chromium."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FilePayload, Locator, Route, expect
from playwright.async_api import Page as Tab

from bot.sandbox.bot_process import BOT_COMMAND
from tests.sandbox.kie.api_client import make_picture
from tests.sandbox.web.browser import DESKTOP_VIEWPORT, PHONE_VIEWPORT, collect_page_errors, find_chromium, open_browser
from tests.sandbox.web.web_client import WebPageClient, open_web_page

pytestmark = [
    pytest.mark.skipif(
        find_chromium() is None, reason="there is no Chromium here: install one, or name it in CHROMIUM"
    ),
    pytest.mark.asyncio(loop_scope="module"),
]

WORDS = "Message or caption"

UNNAMED_CONTROLS_JS = """() => [...document.querySelectorAll("button, input, select, textarea, a, img, dialog, [role]")]
    .filter((one) => one.checkVisibility() && !one.matches("img[alt=''], [role=status]"))
    .filter((one) => !(one.ariaLabel || one.textContent.trim() || one.alt || one.querySelector("img")?.alt
        || one.labels?.length || one.getAttribute("aria-labelledby")))
    .map((one) => one.outerHTML)"""

#: the visible buttons that are covered by a toast
COVERED_JS = """() => [...document.querySelectorAll("button")].filter((one) => one.checkVisibility()).filter((one) => {
    const { x, y, width, height } = one.getBoundingClientRect();
    const hit = document.elementFromPoint(x + width / 2, y + height / 2);
    return hit && hit.closest(".toast");
}).map((one) => one.textContent)"""

DROP_FILES_JS = """async (gesture) => {
    const carried = new DataTransfer();
    carried.items.add(new File([await (await fetch("samples/cat.jpg")).blob()], "cat.jpg", { type: "image/jpeg" }));
    const event = gesture === "drop"
        ? new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true })
        : new ClipboardEvent("paste", { clipboardData: carried, bubbles: true, cancelable: true });
    document.querySelector("main").dispatchEvent(event);
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all tests."""
    async with open_browser() as opened:
        yield opened


@asynccontextmanager
async def open_played_tab(browser: Browser, *, failing: str | None = None) -> AsyncIterator[tuple[WebPageClient, Tab]]:
    """Open the page in a new tab; at the end its console may hold no errors but those with `failing` in them."""
    async with AsyncExitStack() as stack:
        page = await stack.enter_async_context(open_web_page(BOT_COMMAND))
        context = await browser.new_context(viewport=DESKTOP_VIEWPORT, locale="en-GB")
        stack.push_async_callback(context.close)
        tab = await context.new_page()
        complaints = collect_page_errors(tab)
        await tab.goto(page.url)
        yield page, tab
        assert [one for one in complaints if failing is None or failing not in one] == []


def answer_messages(tab: Tab) -> Locator:
    """Return the bot's messages with a picture."""
    return tab.get_by_role("article", name="Darkroom").filter(
        has=tab.get_by_role("button", name="Picture from Darkroom")
    )


async def wait_for_count(found: Locator, count: int = 1) -> None:
    await expect(found).to_have_count(count)


async def type_and_send(tab: Tab, words: str) -> None:
    """Type and send a text with the keyboard."""
    await tab.get_by_label(WORDS).fill(words)
    await tab.keyboard.press("Enter")


async def test_a_newcomers_first_minute(browser: Browser) -> None:
    async with open_played_tab(browser) as (page, tab):
        await tab.get_by_role("button", name="Sample house").click()
        await wait_for_count(tab.get_by_role("list", name="Pictures to send").get_by_role("listitem"))
        await expect(tab.get_by_label(WORDS)).to_have_value("make it snow")
        await type_and_send(tab, "now at night 16:9")
        await wait_for_count(answer_messages(tab))
        assert page.session.kie is not None
        assert [task.prompt for task in page.session.kie.tasks.values()] == ["now at night"]
        await _enlarge_answer(tab)
        await answer_messages(tab).get_by_role("button", name="Again").click()
        await wait_for_count(answer_messages(tab), 2)
        await type_and_send(tab, "<b onclick=x>/help</b>")
        await expect(tab.get_by_role("article", name="You").last).to_contain_text("<b onclick=x>/help</b>")
        assert await tab.evaluate(UNNAMED_CONTROLS_JS) == []


async def _enlarge_answer(tab: Tab) -> None:
    """Enlarge the answer, download it, and close it with the keyboard."""
    await answer_messages(tab).get_by_role("button", name="Picture from").press("Enter")
    dialog = tab.get_by_role("dialog", name="Picture")
    async with tab.expect_download() as downloading:
        await dialog.get_by_role("link", name="Download").click()
    assert (await downloading.value).suggested_filename.endswith(".jpg")
    await tab.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()


async def test_a_sample_is_sent_though_enter_is_pressed_before_it_has_arrived(browser: Browser) -> None:
    async with open_played_tab(browser) as (_, tab):
        pressed = asyncio.Event()

        async def let_through_later(route: Route) -> None:
            await pressed.wait()
            await route.continue_()

        await tab.route("**/samples/beach.jpg", let_through_later)
        await tab.get_by_role("button", name="Sample beach").click()
        await type_and_send(tab, "make it snow")
        pressed.set()
        await wait_for_count(answer_messages(tab))


async def test_an_album_in_a_topic_of_a_group(browser: Browser) -> None:
    async with open_played_tab(browser) as (page, tab):
        await tab.get_by_role("navigation", name="Chats").get_by_role("button", name="Holidays").click()
        await tab.get_by_label("Speaking").select_option("Grace")
        files = [
            FilePayload(name=f"{one}.jpg", mimeType="image/jpeg", buffer=make_picture(one)) for one in ("red", "blue")
        ]
        await tab.locator("input[type=file]").set_input_files(files)
        await type_and_send(tab, "/edit a duel")
        await wait_for_count(answer_messages(tab))
        grace = tab.get_by_role("article", name="Grace")
        await wait_for_count(grace.get_by_role("button", name="Picture from Grace"), 2)
        await expect(grace.get_by_role("img", name="Reactions: 👌")).to_be_visible()
        await answer_messages(tab).hover()
        await answer_messages(tab).get_by_role("button", name="Reply", exact=True).click()
        await type_and_send(tab, "now at night")
        await wait_for_count(answer_messages(tab), 2)
        assert page.session.kie is not None
        assert [(task.prompt, len(task.inputs)) for task in page.session.kie.tasks.values()] == [
            ("a duel", 2),
            ("now at night", 1),
        ]
        await tab.get_by_role("button", name="Pets").click()
        await wait_for_count(answer_messages(tab), 0)


async def test_what_was_begun_is_not_lost(browser: Browser) -> None:
    async with open_played_tab(browser) as (_, tab):
        words, chats = tab.get_by_label(WORDS), tab.get_by_role("navigation", name="Chats")
        chosen = tab.get_by_role("list", name="Pictures to send").get_by_role("listitem")
        await tab.get_by_role("button", name="Sample house").click()
        await words.fill("make it rain")
        await tab.keyboard.press("Escape")
        await words.dispatch_event("keydown", {"key": "Escape", "isComposing": True})
        await expect(words).to_have_value("make it rain")
        await chats.get_by_role("button", name="Pets").click()
        await expect(words).to_have_value("")
        await wait_for_count(chosen, 0)
        await chats.get_by_role("button", name="Darkroom").click()
        await expect(words).to_have_value("make it rain")
        await wait_for_count(chosen)
        await tab.get_by_role("button", name="Commands").click()
        await tab.get_by_role("log", name="Conversation").focus()
        await tab.keyboard.press("Escape")
        await expect(tab.get_by_role("list", name="Commands")).to_be_hidden()
        await expect(words).to_have_value("make it rain")


async def test_what_is_typed_while_a_message_is_being_sent_is_kept_and_so_is_what_could_not_be_sent(
    browser: Browser,
) -> None:
    async with open_played_tab(browser, failing="status of 503") as (_, tab):
        words = tab.get_by_label(WORDS)
        sending: asyncio.Queue[Route] = asyncio.Queue()
        await tab.route("**/send", sending.put)
        await type_and_send(tab, "/help")
        first = await sending.get()
        await words.fill("make it")
        await first.continue_()
        await wait_for_count(tab.get_by_role("article", name="You"))
        await expect(words).to_have_value("make it")
        await type_and_send(tab, "make it rain")
        second = await sending.get()
        await words.fill("at night")
        await second.fulfill(status=503, json={"error": "Not now."})
        await expect(words).to_have_value("make it rain\nat night")


async def test_who_stops_changing_a_message_finds_the_words_of_before(browser: Browser) -> None:
    async with open_played_tab(browser) as (_, tab):
        words, mine = tab.get_by_label(WORDS), tab.get_by_role("article", name="You").first
        await type_and_send(tab, "hello")
        await words.fill("make it")
        await mine.hover()
        await mine.get_by_role("button", name="Edit").click()
        await expect(words).to_have_value("hello")
        await tab.keyboard.press("Escape")
        await expect(words).to_have_value("make it")
        await expect(tab.get_by_text("Edit the message")).to_be_hidden()


async def test_the_field_grows_with_a_long_line_and_a_toast_covers_no_button(browser: Browser) -> None:
    async with open_played_tab(browser) as (_, tab):
        words = tab.get_by_label(WORDS)
        assert await words.evaluate("one => one.rows") == 1
        await words.fill("make it snow " * 20)
        assert 2 < await words.evaluate("one => one.rows") <= 6
        await words.fill("/settings")
        await tab.keyboard.press("Enter")
        settings = tab.get_by_role("article", name="Darkroom").last
        await settings.get_by_role("button").first.click()
        await expect(settings.locator("[aria-busy]")).to_have_count(0, timeout=5000)
        await settings.get_by_role("button").nth(1).click()
        await expect(settings.locator("[aria-busy]")).to_have_count(0, timeout=5000)
        await tab.evaluate("import('./api.js').then(({ showToast }) => showToast('A word of the bot.'))")
        await expect(tab.get_by_text("A word of the bot.")).to_be_visible()
        assert await tab.evaluate(COVERED_JS) == []


async def test_a_fault_and_its_recovery(browser: Browser) -> None:
    async with open_played_tab(browser) as (_, tab):
        await tab.get_by_role("button", name="Workbench", exact=True).click()
        await tab.keyboard.press("ArrowRight")
        await tab.keyboard.press("ArrowRight")
        await tab.get_by_role("switch", name="Refuses by policy").press("Space")
        await expect(tab.get_by_role("status").filter(has_text="1 fault on")).to_be_visible()
        await tab.get_by_role("button", name="Sample beach").click()
        await type_and_send(tab, "make it snow")
        await expect(tab.get_by_role("article", name="Darkroom").last).to_contain_text("will not do this")
        await tab.get_by_role("switch", name="Refuses by policy").press("Space")
        await expect(tab.get_by_role("status").filter(has_text="fault on")).to_have_count(0)
        await tab.get_by_role("article", name="You").first.hover()
        await tab.get_by_role("button", name="Reply", exact=True).first.click()
        await type_and_send(tab, "make it sunny")
        await wait_for_count(answer_messages(tab))
        await tab.get_by_role("tab", name="Jobs").click()
        await expect(tab.get_by_role("heading", name="Job 2")).to_be_visible()
        await tab.get_by_role("tab", name="Calls").click()
        await tab.get_by_role("combobox", name="Show").select_option("calls to Kie")
        await tab.locator("summary", has_text="createTask").first.click()
        await expect(tab.locator("pre").first).to_contain_text("make it sunny")
        await tab.get_by_role("button", name="Close the workbench").click()
        await tab.set_viewport_size(PHONE_VIEWPORT)
        assert await tab.evaluate("document.documentElement.scrollWidth") <= PHONE_VIEWPORT["width"]
        await expect(tab.get_by_label(WORDS)).to_be_in_viewport()


async def test_a_bot_that_is_killed_and_started_again_gives_the_picture(browser: Browser) -> None:
    async with open_played_tab(browser) as (page, tab):
        page.session.seconds = 3.0
        for gesture in ("drop", "paste"):
            await tab.evaluate(DROP_FILES_JS, gesture)
        await tab.get_by_role("button", name="Remove picture 2").click()
        await type_and_send(tab, "as a pencil drawing")
        kie = page.session.kie
        assert kie is not None
        await tab.get_by_role("button", name="Workbench", exact=True).click()
        await tab.get_by_role("tab", name="Jobs").click()
        # only after the order was accepted: before that, the user would be asked about it
        await expect(tab.get_by_role("tabpanel", name="Jobs")).to_contain_text("running")
        await tab.get_by_role("tab", name="Bot").click()
        await tab.get_by_role("button", name="kill -9").click()
        await expect(tab.get_by_role("status").filter(has_text="The bot is not running")).to_be_visible()
        await _changes_the_caption(tab, "as an oil painting")
        await wait_for_count(answer_messages(tab), 0)
        await tab.get_by_role("button", name="Start", exact=True).click()
        await wait_for_count(answer_messages(tab))
        assert [task.prompt for task in kie.tasks.values()] == ["as a pencil drawing"]


async def _changes_the_caption(tab: Tab, words: str) -> None:
    sent = tab.get_by_role("article", name="You")
    await sent.hover()
    await sent.get_by_role("button", name="Edit").click()
    await type_and_send(tab, words)
    await expect(sent).to_contain_text(words)
    await expect(sent.get_by_role("time")).to_contain_text("edited")
