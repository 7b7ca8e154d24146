"""A local Kie: the API, its upload service and its result files behind one address.

It takes the real client's real requests over a socket, answers in the shapes
and words recorded from the real service, really fetches the pictures and
hands back a stand-in edit. It costs nothing and needs no account. When a task
ends, the callback address of its order is called, if it is on this machine.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
from aiohttp import web

from bot.sandbox import kie_inputs
from bot.sandbox.dates import dated
from bot.sandbox.faults import Faults, through
from bot.sandbox.kie_account import RATE_SECONDS, Account
from bot.sandbox.kie_callbacks import Callback, Callbacks, post
from bot.sandbox.kie_calls import Call, read_call
from bot.sandbox.kie_files import Files, unauthorized
from bot.sandbox.kie_orders import NO_KEY, Refused, Vintage
from bot.sandbox.kie_tasks import SUCCESS, Outcome, Task, fail, record
from bot.sandbox.stand_in import edit

REQUEST_BYTES = 256 * 1024 * 1024

Answering = Callable[[Call], web.Response]


def _fixed() -> float:
    return 0.3


class LocalKie:
    """A Kie on 127.0.0.1 whose tasks, credits, refusals and faults a test decides.

    `duration` says how many seconds a task takes, `price` what it costs in
    credits, `vintage` which year's records it shows. With `http_errors` a
    refusal has a matching HTTP status, else 200 as in nearly all recordings.
    With `webhook_key` callbacks are signed; how they are sent is up to
    `callbacks.calling`.
    The names of `faults` and `calls` are createTask, recordInfo, credit,
    downloadUrl, upload, uploadHost (a GET where uploads go), file (an uploaded one), result; and, as a fault only,
    fetch: Kie's own fetching of a task's pictures.
    """

    def __init__(
        self,
        *,
        key: str,
        clock: Callable[[], float] = time.time,
        duration: Callable[[], float] = _fixed,
        credits: float = 100.0,  # noqa: A002 - Kie's own word
        vintage: Vintage = 2026,
        creates_per_10_seconds: int = 20,
        http_errors: bool = False,
        price: float = 4.0,
        webhook_key: str | None = None,
    ) -> None:
        self._key = key
        self._clock = clock
        self._vintage = vintage
        self._http_errors = http_errors
        self._account = Account(
            clock=clock,
            duration=duration,
            paid_in=credits,
            vintage=vintage,
            creates_per_10_seconds=creates_per_10_seconds,
            price=price,
        )
        self.callbacks = Callbacks(clock, webhook_key)
        self.faults = Faults()
        self.files = Files()
        self.calls: list[Call] = []
        self._changed = asyncio.Event()
        self._work: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._port = 0

    # -- running it

    async def start(self, port: int = 0) -> None:
        """Serve on 127.0.0.1; tasks of an earlier run go on. Raises `OSError` if the port is taken."""
        self._session = aiohttp.ClientSession()
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self._port = self._runner.addresses[0][1]
        for task in self.tasks.values():
            if task.prepared_at is None:
                self._soon(self._prepare(task))
        self._soon(self._call_back())

    async def stop(self) -> None:
        """Stop serving; what it knows stays, so that it can be started again."""
        for work in self._work:
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    # -- what a test decides

    def script(self, *outcomes: Outcome) -> None:
        """Let the next tasks end so, one outcome each; without a script they succeed."""
        self._account.outcomes.extend(outcomes)

    def refuse(self, code: int, msg: str) -> None:
        """Let the next createTask be refused with this envelope."""
        self._account.refusals.append(Refused(code, msg))

    def mix_up(self, *task_ids: str) -> None:
        """Let the next orders be taken as ever, and be answered with these tasks, one each."""
        self._account.mixed_up.extend(task_ids)

    def finish(self, task_id: str, outcome: Outcome = SUCCESS) -> None:
        """End a task at this moment, whatever was planned for it."""
        task = self.tasks[task_id]
        task.outcome, task.due_at = outcome, min(task.due_at, self._clock())
        self.wake()

    def pay_in(self, amount: float) -> None:
        """Add credits; a negative amount takes them away."""
        self._account.paid_in += amount

    def hide_tasks(self, looks: int) -> None:
        """Let the first looks at each task made from here on find "recordInfo is null"."""
        self._account.invisible_looks = looks

    def echo_callback(self, *, shown: bool) -> None:
        """Say whether `param` of tasks made from here on names the callback address."""
        self._account.echoes_callback = shown

    async def call(self, url: str, body: object, *, key: str | None = None) -> int:
        """Post a callback, which may be one of a test's own making; the status of the answer, 0 if there is none.

        It is signed by the account's key, by another one, or not at all without either.
        """
        return await post(self._http, url, body, self.callbacks.headers(body, key))

    async def calls_back(self) -> None:
        """Return once every callback that is due by now was sent and answered."""
        self.wake()
        await self.wait_for(lambda: self.callbacks.are_quiet(self.tasks.values()))

    # -- what a test asks

    @property
    def tasks(self) -> dict[str, Task]:
        return self._account.tasks

    @property
    def credits(self) -> float:
        """What is left: held when a task is made, returned when it fails."""
        return self._account.credits

    @property
    def refused_by_rate(self) -> int:
        """How many createTasks were refused because they came too fast."""
        return self._account.refused_by_rate

    def creates_in_window(self, seconds: float = RATE_SECONDS) -> int:
        """The largest number of tasks that were accepted within any such window."""
        return self._account.creates_in_window(seconds)

    def called(self, name: str) -> list[Call]:
        """The calls of one name, in order."""
        return [call for call in self.calls if call.name == name]

    def wake(self) -> None:
        """Let every `wait_for` look again; for tests that turn the clock by hand."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for(
        self,
        condition: Callable[[], object],
        timeout: float = 5.0,  # noqa: ASYNC109 - the message names what did arrive
    ) -> None:
        """Return once the condition holds, looking after every call and change; else `TimeoutError`."""
        try:
            async with asyncio.timeout(timeout):
                while not condition():
                    await self._change()
        except TimeoutError:
            seen = ", ".join(call.name for call in self.calls[-20:]) or "none"
            raise TimeoutError(f"nothing of the kind within {timeout} s; last calls: {seen}") from None

    async def _change(self) -> None:
        changed = self._changed
        with contextlib.suppress(TimeoutError):
            ahead = [*self._account.moments_ahead(), *self.callbacks.moments_ahead()]
            async with asyncio.timeout(min(ahead, default=None)):
                await changed.wait()

    # -- its doors

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=REQUEST_BYTES)
        app.on_response_prepare.append(dated(self._clock))
        app.add_routes(
            [
                web.post("/api/v1/jobs/createTask", self._door("createTask", self._create_task)),
                web.get("/api/v1/jobs/recordInfo", self._door("recordInfo", self._record_info)),
                web.get("/api/v1/chat/credit", self._door("credit", self._credit)),
                web.post("/api/v1/common/download-url", self._door("downloadUrl", self._download_url)),
                web.post("/api/file-stream-upload", self._door("upload", self._upload, keyed=False)),
                web.get("/api/file-stream-upload", self._door("uploadHost", self._not_by_get, keyed=False)),
                web.get("/kieai/{path:.+}", self._door("file", self._file, keyed=False)),
                web.get("/workers/nano/{name}", self._door("result", self._result, keyed=False)),
                web.get("/links/{name}", self._door("result", self._linked, keyed=False)),
            ]
        )
        return app

    def _door(
        self, name: str, answering: Answering, *, keyed: bool = True
    ) -> Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            call = await read_call(name, request, self._clock())
            self.calls.append(call)
            self.wake()

            async def execute() -> web.StreamResponse:
                return self._judged(call, answering, keyed)

            response = await through(self.faults.take(name), request, execute)
            cut = request.transport is None or request.transport.is_closing()
            call.status = 0 if cut else response.status
            self.wake()
            return response

        return handle

    def _judged(self, call: Call, answering: Answering, keyed: bool) -> web.Response:
        try:
            if keyed and not self._has_key(call):
                raise Refused(401, NO_KEY, gateway=True)
            return answering(call)
        except Refused as refusal:
            status = refusal.code if self._http_errors else 200
            charset = "utf-8" if refusal.gateway else "UTF-8"
            return _say(call, refusal.envelope, status=status, charset=charset)

    def _has_key(self, call: Call) -> bool:
        given = call.headers.get("authorization", "")
        return secrets.compare_digest(given.encode(), f"Bearer {self._key}".encode())

    # -- its calls

    def _create_task(self, call: Call) -> web.Response:
        task = self._account.create(call.body, self.url)
        self._soon(self._prepare(task))
        named = self._account.mixed_up.popleft() if self._account.mixed_up else task.id
        return _success(call, {"taskId": named, "recordId": named})

    def _record_info(self, call: Call) -> web.Response:
        task = self._account.look(call.params.get("taskId"))
        return _success(call, record(task, self._vintage))

    def _credit(self, call: Call) -> web.Response:
        return _success(call, float(self.credits))

    def _download_url(self, call: Call) -> web.Response:
        url = call.body.get("url") if isinstance(call.body, dict) else None
        return _success(call, f"{self.url}/links/{self._account.link(url)}")

    def _upload(self, call: Call) -> web.Response:
        if self._has_key(call):
            form = call.body if isinstance(call.body, dict) else {}
            status, body = self.files.receive(form, self.url, self._clock())
        else:
            status, body = unauthorized()
        return _say(call, body, status=status, charset=None)

    def _not_by_get(self, call: Call) -> web.Response:
        # the status is documented; what else is said was never recorded (2026)
        body = {"success": False, "code": 405, "msg": "Method Not Allowed"}
        return _say(call, body, status=405, charset=None)

    def _file(self, call: Call) -> web.Response:
        found = self.files.find(call.path.lstrip("/"), self._clock())
        if found is None:
            return web.Response(status=404)
        return web.Response(body=found.data, headers={"Content-Type": found.mime_type})

    def _result(self, call: Call) -> web.Response:
        return _picture(self._account.result(self.url + call.path))

    def _linked(self, call: Call) -> web.Response:
        return _picture(self._account.linked(call.path.rpartition("/")[2]))

    # -- its work

    def _soon(self, doing: Coroutine[Any, Any, None]) -> None:
        work = asyncio.create_task(doing)
        self._work.add(work)
        work.add_done_callback(self._work.discard)

    async def _prepare(self, task: Task) -> None:
        """Fetch a task's pictures and edit them; pictures that are no use make it fail."""
        order = task.order
        try:
            task.inputs = [await self._fetched(url) for url in order.image_urls]
            task.result = await asyncio.to_thread(
                edit, task.inputs, order.prompt, order.output_format, ratio=order.ratio, task_id=task.id
            )
        except kie_inputs.Unusable as reason:
            task.outcome = fail(str(reason), "422")
        task.prepared_at = self._clock()
        self.wake()

    async def _fetched(self, url: str) -> bytes:
        return await kie_inputs.fetch(self._http, url, self.faults.take("fetch"))

    async def _call_back(self) -> None:
        """Send every callback when it is due, side by side; runs until it is cancelled."""
        while True:
            if self.callbacks.plan(self.tasks.values()):
                self.wake()
            for callback in self.callbacks.take_due():
                self._soon(self._called(callback))
            await self._change()

    async def _called(self, callback: Callback) -> None:
        status = 0
        try:
            status = await self.call(callback.url, callback.body)
        finally:
            self.callbacks.answered(callback, status)
        self.wake()

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("start() comes before the first task")
        return self._session


def _success(call: Call, data: Any) -> web.Response:
    return _say(call, {"code": 200, "msg": "success", "data": data})


def _say(call: Call, body: dict[str, Any], *, status: int = 200, charset: str | None = "UTF-8") -> web.Response:
    call.answer = body
    response = web.json_response(body, status=status)
    response.headers["Content-Type"] = f"application/json;charset={charset}" if charset else "application/json"
    return response


def _picture(task: Task | None) -> web.Response:
    if task is None:
        return web.Response(status=404)
    return web.Response(body=task.result, content_type=f"image/{task.order.output_format}")
