"""A plain HTTP client for the local Kie, independent of the bot's own client."""

import io
from dataclasses import dataclass
from typing import Any

import aiohttp
from PIL import Image

from bot.sandbox.kie.local_kie import LocalKie

KEY = "not-a-real-" + "key"
WEBHOOK_KEY = "obviously-" + "fake"
MODEL = "google/nano-banana-edit"


class SandboxManualClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_760_000_000.0

    def __call__(self) -> float:
        return self.now


def make_picture(colour: str = "teal", kind: str = "jpeg", size: tuple[int, int] = (60, 40)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


@dataclass
class KieApiClient:
    kie: LocalKie
    session: aiohttp.ClientSession
    key: str = KEY

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    async def get(self, path: str, **params: str) -> Any:
        url = self.kie.url + path
        async with self.session.get(url, params=params, headers=self.headers) as response:
            return await response.json()

    async def post(self, path: str, body: object) -> Any:
        async with self.session.post(self.kie.url + path, json=body, headers=self.headers) as response:
            return await response.json()

    async def upload(self, data: bytes, name: str = "cat.jpg", **fields: str) -> Any:
        form = aiohttp.FormData({"uploadPath": "images/bot", **fields})
        form.add_field("file", io.BytesIO(data), filename=name, content_type="image/jpeg")
        url = self.kie.url + "/api/file-stream-upload"
        async with self.session.post(url, data=form, headers=self.headers) as response:
            return await response.json()

    async def upload_picture(self, data: bytes | None = None) -> str:
        answer = await self.upload(make_picture() if data is None else data)
        return str(answer["data"]["downloadUrl"])

    async def create_task(self, *urls: str, **extra: Any) -> Any:
        """Create a task; `callback` is its callback URL, other fields of `extra` go into its input."""
        callback = {"callBackUrl": extra.pop("callback")} if "callback" in extra else {}
        task_input = {"prompt": "make it snow", "image_urls": list(urls), **extra}
        return await self.post("/api/v1/jobs/createTask", {"model": MODEL, **callback, "input": task_input})

    async def create_task_id(self, *urls: str, **extra: Any) -> str:
        answer = await self.create_task(*(urls or (await self.upload_picture(),)), **extra)
        return str(answer["data"]["taskId"])

    async def get_record(self, task_id: str) -> Any:
        return await self.get("/api/v1/jobs/recordInfo", taskId=task_id)

    async def wait_until_prepared(self, task_id: str) -> None:
        await self.kie.wait_for(lambda: self.kie.tasks[task_id].prepared_at is not None)

    async def fetch(self, url: str) -> tuple[int, str, bytes]:
        async with self.session.get(url) as response:
            return response.status, response.content_type, await response.read()
