"""Posting updates to the webhook, one after the other, until each was taken.

Telegram keeps the order per chat and waits longer and longer after a failure;
here the order is kept over all, and the pauses are short.
"""

import asyncio

from aiohttp import ClientError, ClientSession, ClientTimeout

from bot.sandbox.telegram.cloud import Cloud
from bot.sandbox.telegram.refusals import Json

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the header's name, not a secret


async def deliver(cloud: Cloud) -> None:
    """Post what waits for as long as there is a webhook; runs until it is cancelled."""
    pause = FIRST_PAUSE
    async with ClientSession(timeout=ClientTimeout(total=60)) as session:
        while True:
            webhook, waiting = cloud.webhook, cloud.updates.pending
            if webhook is None or not waiting:
                await cloud.changes.wait()
            elif await _posted(session, cloud, webhook, waiting[0]):
                cloud.updates.done(waiting[0]["update_id"])
                pause = FIRST_PAUSE
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)


async def _posted(session: ClientSession, cloud: Cloud, webhook: Json, update: Json) -> bool:
    secret = webhook.get("secret_token")
    headers = {SECRET_HEADER: secret} if secret else {}
    try:
        async with session.post(webhook["url"], json=update, headers=headers) as answer:
            if answer.ok:
                return True
            problem = f"Wrong response from the webhook: {answer.status} {answer.reason}"
    except (ClientError, TimeoutError) as error:
        problem = str(error) or type(error).__name__
    webhook |= {"last_error_date": cloud.date, "last_error_message": problem}
    cloud.changes.notify()
    return False
