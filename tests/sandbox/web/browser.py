"""A real browser: the installed Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, ConsoleMessage, ViewportSize, async_playwright, expect
from playwright.async_api import Page as Tab

#: the environment variable with the path of Chromium, and the names to search for without it
ENVIRONMENT_VARIABLE = "CHROMIUM"
EXECUTABLE_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

#: for everything that a test waits for
TIMEOUT_SECONDS = 30.0

DESKTOP_VIEWPORT = ViewportSize(width=1200, height=800)
PHONE_VIEWPORT = ViewportSize(width=375, height=700)


def find_chromium() -> str | None:
    """Return the path of the installed Chromium, if any."""
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    return named or next((path for path in map(shutil.which, EXECUTABLE_NAMES) if path), None)


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Start the installed Chromium; raises LookupError if there is none."""
    path = find_chromium()
    if path is None:
        raise LookupError(f"there is no Chromium here: install one, or name it in {ENVIRONMENT_VARIABLE}")
    # Chromium's sandbox does not work as root, as in most containers
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    expect.set_options(timeout=TIMEOUT_SECONDS * 1000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"] if is_root else [])
        try:
            yield browser
        finally:
            await browser.close()


def collect_page_errors(tab: Tab) -> list[str]:
    """Return a list that collects the tab's errors and warnings from now on, including those of its CSP."""
    found: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            found.append(message.text)

    tab.on("console", on_console)
    tab.on("pageerror", lambda error: found.append(str(error)))
    return found
