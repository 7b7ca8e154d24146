"""The Bot API over HTTP: reads a call, lets it run into its fault, answers in Telegram's envelope.

Every call with the right token is recorded, in order of arrival, whatever
becomes of it. A call goes on when the caller hangs up, as with Telegram.
"""

import asyncio
import hmac
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from aiohttp import web

from bot.sandbox.dates import dated
from bot.sandbox.faults import Fault, Faults, through
from bot.sandbox.telegram.arguments import Arguments, Upload, read
from bot.sandbox.telegram.cloud import Cloud
from bot.sandbox.telegram.delivery import deliver
from bot.sandbox.telegram.methods import NAMES, execute
from bot.sandbox.telegram.receiving import get_updates
from bot.sandbox.telegram.refusals import Refused

#: The largest body, in bytes, that is read at all.
MAX_BODY = 60 << 20
#: The name of file downloads among the faults.
FILE = "file"

_BROKEN = Refused(500, "Internal Server Error")

Check = Callable[[str, Mapping[str, object], Mapping[str, Upload]], None]


@dataclass(frozen=True)
class Call:
    """One call of the bot; `at` in Unix seconds."""

    method: str
    params: Mapping[str, object]
    files: Mapping[str, Upload] = field(repr=False)
    at: float
    #: what was answered; None while it runs, when it failed or ran into a fault
    result: object = None
    #: why it failed, in Telegram's words
    error: str | None = None
    #: what it ran into, if anything was switched on
    fault: Fault | None = None


class Door:
    """Serves one bot on 127.0.0.1."""

    def __init__(self, cloud: Cloud, token: str, faults: Faults, check: Check | None) -> None:
        self._cloud = cloud
        self._token = token
        self._faults = faults
        self._check = check
        self.calls: list[Call] = []
        self.complaints: list[str] = []
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._delivery: asyncio.Task[None] | None = None

    async def open(self, port: int) -> None:
        """Take calls; port 0 takes the one used before, or any that is free."""
        app = web.Application(client_max_size=MAX_BODY)
        app.on_response_prepare.append(dated(self._cloud.clock))
        app.router.add_route("*", "/bot{token}/{method}", self._on_call)
        app.router.add_get("/file/bot{token}/{path:.+}", self._on_download)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port or self.port).start()
        self.port = self._runner.addresses[0][1]
        self._delivery = asyncio.create_task(deliver(self._cloud))

    async def close(self) -> None:
        """Close every connection and take no more calls."""
        self._cloud.updates.interrupt("Conflict: the server is shutting down")
        if self._delivery is not None:
            self._delivery.cancel()
            with suppress(asyncio.CancelledError):
                await self._delivery
        if self._runner is not None:
            await self._runner.cleanup()

    async def _on_call(self, request: web.Request) -> web.StreamResponse:
        try:
            name = self._name(request)
            arguments = await read(request)
        except Refused as refused:
            return _refusal(refused)
        except web.HTTPRequestEntityTooLarge:
            return _refusal(Refused(413, "Request Entity Too Large"))
        number = len(self.calls)
        self.calls.append(Call(name, arguments.params, arguments.files, self._cloud.clock()))
        self._cloud.changes.notify()
        if not self._passes(number):
            return _refusal(_BROKEN)

        async def run() -> web.StreamResponse:
            return await self._run(request, number, arguments)

        fault = self._faults.take(name)
        self.calls[number] = replace(self.calls[number], fault=fault)
        return await through(fault, request, run)

    def _name(self, request: web.Request) -> str:
        self._admit(request)
        try:
            return NAMES[request.match_info["method"].lower()]
        except KeyError:
            raise Refused(404, "Not Found: method not found") from None

    def _admit(self, request: web.Request) -> None:
        if not hmac.compare_digest(request.match_info["token"].encode(), self._token.encode()):
            raise Refused(401, "Unauthorized")

    def _passes(self, number: int) -> bool:
        """Judge a call, before any fault: a request must be right even where it fails."""
        call = self.calls[number]
        try:
            if self._check is not None:
                self._check(call.method, call.params, call.files)
        except Exception as problem:  # noqa: BLE001 - whatever the check raises is its complaint
            self._complain(number, problem)
            return False
        return True

    async def _run(self, request: web.Request, number: int, arguments: Arguments) -> web.StreamResponse:
        call = self.calls[number]
        try:
            result = await self._result(request, call.method, arguments)
        except Refused as refused:
            self._settle(number, replace(call, error=refused.description))
            return _refusal(refused)
        except Exception as problem:  # noqa: BLE001 - a mistake of this server, which a test must see
            self._complain(number, problem)
            return _refusal(_BROKEN)
        self._settle(number, replace(call, result=result))
        return web.json_response({"ok": True, "result": result})

    async def _result(self, request: web.Request, method: str, arguments: Arguments) -> object:
        if method == "getUpdates":
            return await get_updates(self._cloud, arguments, lambda: _is_listening(request))
        return execute(self._cloud, method, arguments)

    def _complain(self, number: int, problem: Exception) -> None:
        call = self.calls[number]
        self.complaints.append(f"{call.method}: {problem!r}")
        self._settle(number, replace(call, error=_BROKEN.description))

    def _settle(self, number: int, call: Call) -> None:
        self.calls[number] = call
        self._cloud.changes.notify()

    async def _on_download(self, request: web.Request) -> web.StreamResponse:
        async def send() -> web.StreamResponse:
            return self._file(request)

        try:
            self._admit(request)
        except Refused as refused:
            return _refusal(refused)
        return await through(self._faults.take(FILE), request, send)

    def _file(self, request: web.Request) -> web.Response:
        content = self._cloud.files.at_path(request.match_info["path"])
        if content is None:
            return _refusal(Refused(404, "Not Found"))
        headers = {"Content-Type": "application/octet-stream", "Content-Disposition": "attachment"}
        return web.Response(body=content, headers=headers)


def _is_listening(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()


def _refusal(refused: Refused) -> web.Response:
    return web.json_response(refused.body(), status=refused.status, headers=refused.headers())
