"""The baseline: the calls of an edit, by a script with python-telegram-bot's Bot, httpx and aiosqlite alone.

It makes the bot's requests with bodies of the same sizes, and as many commits. It decides nothing and survives no
crash. `python -m tests.bench.baseline_script TOKEN TELEGRAM KIE KEY DATABASE` reads a line of JSON per round,
`{"edits": 5, "polls": 3, "commits": 9}`, and answers with the CPU in seconds.
"""

import asyncio
import json
import sys
import time

import aiosqlite
import httpx
from telegram import (
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    Message,
    ReplyParameters,
    Update,
)
from telegram.request import HTTPXRequest

#: What an edit's buttons look like, to their sizes.
CANCEL_KEYBOARD = InlineKeyboardMarkup([[InlineKeyboardButton("Cancel", callback_data="cancel:1")]])
ANSWER_KEYBOARD = InlineKeyboardMarkup(
    [
        [InlineKeyboardButton("Again", callback_data="again:1"), InlineKeyboardButton("File", callback_data="file:1")],
        [InlineKeyboardButton("Delete", callback_data="delete:1")],
    ]
)
#: Seconds between two polls; the processor is as cold after them as it is after those of the bot.
POLL_INTERVAL = 1.3

NO_PREVIEW = LinkPreviewOptions(is_disabled=True)


class BaselineScript:
    """A plain script that edits photos."""

    def __init__(self, bot: Bot, http: httpx.AsyncClient, kie: str, key: str, db: aiosqlite.Connection) -> None:
        self._bot = bot
        self._http = http
        self._kie = kie
        self._headers = {"Authorization": f"Bearer {key}"}
        self._db = db
        self._offset = 0
        self._commit_lock = asyncio.Lock()

    async def run_edits(self, edits: int, *, polls: int, commits: int) -> None:
        """Receive that many photos from users, and edit them concurrently."""
        under_way: list[asyncio.Task[None]] = []
        while len(under_way) < edits:
            messages = [update.message for update in await self._updates()]
            under_way.extend(asyncio.create_task(self._edit(each, polls, commits)) for each in messages if each)
        await asyncio.gather(*under_way)

    async def _updates(self) -> tuple[Update, ...]:
        updates = await self._bot.get_updates(offset=self._offset, timeout=30, allowed_updates=["message"])
        self._offset = max((update.update_id + 1 for update in updates), default=self._offset)
        return updates

    async def _edit(self, message: Message, polls: int, commits: int) -> None:
        for _ in range(commits):
            await self._commit()
        chat, reply = message.chat_id, ReplyParameters(message.message_id, allow_sending_without_reply=True)
        status = await self._bot.send_message(
            chat, "Got it.", reply_parameters=reply, reply_markup=CANCEL_KEYBOARD, link_preview_options=NO_PREVIEW
        )
        photo = await (await self._bot.get_file(message.photo[-1].file_id)).download_as_bytearray()
        url = await self._upload(bytes(photo))
        task_id = await self._create_task(url, message.caption or "")
        await self._bot.edit_message_text("Being edited.", chat, status.message_id, link_preview_options=NO_PREVIEW)
        result = ""
        for _ in range(polls):
            await asyncio.sleep(POLL_INTERVAL)
            result = await self._poll_task(task_id)
        await self._bot.send_chat_action(chat, "upload_photo")
        picture = (await self._http.get(result)).content
        await self._bot.send_photo(
            chat,
            picture,
            caption="Here it is.",
            filename="edited.png",
            reply_parameters=reply,
            reply_markup=ANSWER_KEYBOARD,
        )
        await self._bot.delete_message(chat, status.message_id)

    async def _commit(self) -> None:
        async with self._commit_lock:
            await self._db.execute("UPDATE edits SET state = state + 1 WHERE id = 1")
            await self._db.commit()

    async def _upload(self, photo: bytes) -> str:
        answer = await self._http.post(
            f"{self._kie}/api/file-stream-upload",
            files={"file": ("0123456789abcdef.jpg", photo, "image/jpeg")},
            data={"uploadPath": "darkroom", "fileName": "0123456789abcdef.jpg"},
            headers=self._headers,
        )
        return str(answer.json()["data"]["downloadUrl"])

    async def _create_task(self, url: str, prompt: str) -> str:
        content = {"prompt": prompt, "image_urls": [url], "output_format": "png", "image_size": "auto"}
        answer = await self._http.post(
            f"{self._kie}/api/v1/jobs/createTask",
            json={"model": "google/nano-banana-edit", "input": content},
            headers=self._headers,
        )
        return str(answer.json()["data"]["taskId"])

    async def _poll_task(self, task_id: str) -> str:
        answer = await self._http.get(
            f"{self._kie}/api/v1/jobs/recordInfo", params={"taskId": task_id}, headers=self._headers
        )
        said = answer.json()["data"]["resultJson"]
        return str(json.loads(said)["resultUrls"][0]) if said else ""


async def main(token: str, telegram: str, kie: str, key: str, database: str) -> None:
    """Run the rounds requested on stdin."""
    request = HTTPXRequest(connection_pool_size=64, read_timeout=60)
    bot = Bot(token, base_url=f"{telegram}/bot", base_file_url=f"{telegram}/file/bot", request=request)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with bot, httpx.AsyncClient(timeout=60) as http, aiosqlite.connect(database) as db:
        await db.execute("PRAGMA journal_mode = WAL")
        await db.execute("PRAGMA synchronous = FULL")
        await db.execute("CREATE TABLE edits (id INTEGER PRIMARY KEY, state INTEGER)")
        await db.execute("INSERT INTO edits VALUES (1, 0)")
        await db.commit()
        script = BaselineScript(bot, http, kie, key, db)
        while line := await lines.readline():
            asked = json.loads(line)
            began = time.process_time()
            await script.run_edits(asked["edits"], polls=asked["polls"], commits=asked["commits"])
            sys.stdout.write(json.dumps(time.process_time() - began) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
