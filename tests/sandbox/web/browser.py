"""A real browser: a Chromium that is installed here, driven by Playwright."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, ConsoleMessage, ViewportSize, async_playwright, expect
from playwright.async_api import Page as Tab

#: the environment variable that names a Chromium, and the names that are looked for without it
ENVIRONMENT_VARIABLE = "CHROMIUM"
EXECUTABLE_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

#: seconds that anything may take at most before it counts as never
TIMEOUT_SECONDS = 30.0

DESKTOP_VIEWPORT = ViewportSize(width=1200, height=800)
PHONE_VIEWPORT = ViewportSize(width=375, height=700)


def find_chromium() -> str | None:
    """Return the path of a Chromium, None where there is none."""
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    return named or next((path for path in map(shutil.which, EXECUTABLE_NAMES) if path), None)


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Start the Chromium that is installed; raises LookupError where there is none."""
    path = find_chromium()
    if path is None:
        raise LookupError(f"there is no Chromium here: install one, or name it in {ENVIRONMENT_VARIABLE}")
    # Chromium does not shut itself in when it runs as root, as in most containers
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    expect.set_options(timeout=TIMEOUT_SECONDS * 1000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"] if is_root else [])
        try:
            yield browser
        finally:
            await browser.close()


def collect_page_errors(tab: Tab) -> list[str]:
    """Collect what a tab complains of from here on: errors of scripts, and what its policy forbids."""
    found: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            found.append(message.text)

    tab.on("console", heard)
    tab.on("pageerror", lambda error: found.append(str(error)))
    return found
