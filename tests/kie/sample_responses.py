"""Kie's responses, as recorded or documented."""

import json
from collections.abc import Mapping
from typing import Any

from bot.kie.responses import KieResponse

TASK_ID = "0123456789abcdef0123456789abcdef"
RESULT_URL = "https://results.example/workers/nano/image_1_abc123.png"
CALLBACK_URL = "https://bot.example/kie/callback/a-reference"
INPUT_URLS = ("https://files.example/kieai/1/darkroom/a.jpg", "https://files.example/kieai/1/darkroom/b.png")
HTML_PAGE = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


def make_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> KieResponse:
    """Build a response; a body that is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return KieResponse(status, headers or {}, content)


def make_failure(code: object, text: str = "") -> dict[str, object]:
    return {"code": code, "msg": text, "data": None}


def make_task_record(**fields: Any) -> dict[str, object]:
    """Build a recordInfo envelope of a running task of 2026, with some fields changed."""
    order = {"image_urls": INPUT_URLS, "prompt": "Make it night"}
    param = {"input": json.dumps(order), "callBackUrl": CALLBACK_URL, "model": "google/nano-banana-edit"}
    data: dict[str, object] = {
        "taskId": TASK_ID,
        "model": "google/nano-banana-edit",
        "state": "waiting",
        "param": json.dumps(param),
        "resultJson": "",
        "failCode": None,
        "failMsg": None,
        "costTime": None,
        "completeTime": None,
        "createTime": 1700000000000,
        "creditsConsumed": 4.0,
    }
    return {"code": 200, "msg": "success", "data": data | fields}
