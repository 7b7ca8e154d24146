"""Kie's answers as they were seen or documented, as data for the tests."""

import json
from collections.abc import Mapping
from typing import Any

from bot.kie.decipher import Answer

TASK = "0123456789abcdef0123456789abcdef"
RESULT = "https://results.example/workers/nano/image_1_abc123.png"
CALLBACK = "https://bot.example/kie/callback/a-reference"
PICTURES = ("https://files.example/kieai/1/darkroom/a.jpg", "https://files.example/kieai/1/darkroom/b.png")
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Build an answer; a body that is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, headers or {}, content)


def failure(code: object, text: str = "") -> dict[str, object]:
    return {"code": code, "msg": text, "data": None}


def record(**fields: Any) -> dict[str, object]:
    """Build a recordInfo envelope of a running task of 2026, with some fields changed."""
    order = {"image_urls": PICTURES, "prompt": "Make it night"}
    param = {"input": json.dumps(order), "callBackUrl": CALLBACK, "model": "google/nano-banana-edit"}
    data: dict[str, object] = {
        "taskId": TASK,
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
