"""What Telegram knows of a webhook is compared with what is asked for, and never changed."""

from typing import Any

import pytest

from bot.operate.check.finding import Status
from bot.sandbox.telegram.refusals import unauthorized
from bot.store.lock import only_process
from tests.operate.check.site import Site

SOMEWHERE = "https://old.example/canary-path"


async def test_a_webhook_of_an_old_deployment_is_told_without_its_path(site: Site) -> None:
    site.telegram.cloud.webhook = {"url": SOMEWHERE}
    finding = await site.found("updates")
    assert finding.status is Status.WARNING
    assert "old.example" in finding.found
    assert "canary" not in finding.found
    assert site.telegram.cloud.webhook == {"url": SOMEWHERE}


async def test_updates_that_wait_are_counted(site: Site) -> None:
    site.telegram.person().send_text("hello")
    finding = await site.found("updates")
    assert (finding.status, finding.found) == (Status.OK, "asked for by polling; 1 wait at Telegram")


@pytest.mark.parametrize(
    ("known", "runs", "status", "words"),
    [
        (None, False, Status.OK, "once the bot runs"),
        (None, True, Status.WARNING, "Telegram brings no updates"),
        ({"url": SOMEWHERE}, False, Status.WARNING, "brings updates to old.example"),
        ({}, True, Status.OK, "brought to"),
        ({"last_error_date": -60, "last_error_message": "Connection refused"}, False, Status.WARNING, "1 min ago"),
        ({"last_error_date": -7200, "last_error_message": "Connection refused"}, True, Status.OK, "brought to"),
    ],
)
async def test_where_updates_are_brought_is_compared_with_public_url(
    site: Site, known: dict[str, Any] | None, runs: bool, status: Status, words: str
) -> None:
    if known is not None:
        known = {"url": f"{site.front.url}/telegram/webhook"} | known
        if "last_error_date" in known:
            known["last_error_date"] += round(site.clock.now)
    site.telegram.cloud.webhook = known
    changes = {"public_url": site.front.url, "telegram_updates": "webhook"}
    if runs:
        with only_process(str(site.database)):
            finding = await site.found("updates", **changes)
    else:
        finding = await site.found("updates", **changes)
    assert finding.status is status
    assert words in finding.found
    assert (finding.remedy is None) is (status is Status.OK)


async def test_a_wrong_token_is_told_once(site: Site) -> None:
    site.telegram.faults.always("getWebhookInfo", unauthorized())
    assert (await site.found("updates")).status is Status.SKIPPED
