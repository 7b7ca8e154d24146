"""A local Kie: the API, its upload service and its result files behind one URL.

It answers as recorded from the real service, fetches the input images and returns a
fake edit. When a task ends, it posts to the callback URL if that is on this machine.
"""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import BodyPartReader, web

from bot.sandbox.fake_edit.render import render_fake_edit
from bot.sandbox.fault_injection import FaultInjector, date_header_setter, execute_with_fault
from bot.sandbox.kie import image_fetch
from bot.sandbox.kie.account import RATE_WINDOW_SECONDS, KieAccount
from bot.sandbox.kie.callbacks import OutgoingCallback, OutgoingCallbackQueue, post_callback
from bot.sandbox.kie.create_task import UNAUTHORIZED_MESSAGE, ApiYear, KieRefusalError
from bot.sandbox.kie.tasks import SUCCESS, LocalKieTask, ScriptedOutcome, failure, task_record
from bot.sandbox.kie.uploads import FormFilePart, UploadStore, unauthorized_answer

MAX_REQUEST_BYTES = 256 * 1024 * 1024


@dataclass
class KieCall:
    """One call; `answer` and `status` are set after it was executed."""

    name: str
    path: str
    #: by lower-case name
    headers: dict[str, str]
    #: the query
    params: dict[str, str]
    #: decoded JSON, the fields of a form (its file as `FormFilePart`), undecodable bytes, or None
    body: Any
    #: seconds of the server's clock
    at: float
    #: the body of the response; None if the call was not executed
    answer: Any = None
    #: the HTTP status of the response; 0 while there is none, and after a disconnect
    status: int = 0


async def read_call(name: str, request: web.Request, at: float) -> KieCall:
    """Read a request completely."""
    return KieCall(
        name=name,
        path=request.path,
        headers={key.lower(): value for key, value in request.headers.items()},
        params=dict(request.query),
        body=await _read_body(request),
        at=at,
    )


async def _read_body(request: web.Request) -> Any:
    if request.content_type.startswith("multipart/"):
        return await _read_form(request)
    raw = await request.read()
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        return raw


async def _read_form(request: web.Request) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            continue
        data = bytes(await part.read(decode=True))
        is_file = part.filename is not None or part.name == "file"
        kind = part.headers.get("Content-Type")
        fields[part.name] = FormFilePart(data, part.filename, kind) if is_file else data.decode()
    return fields


KieCallHandler = Callable[[KieCall], web.Response]


def _fixed_duration() -> float:
    return 0.3


class LocalKie:
    """A Kie on 127.0.0.1 whose tasks, credits, refusals and faults a test controls.

    `duration` returns the seconds of a task, `price` is in credits, and `api_year`
    selects the format of records. With `http_errors` a refusal has a matching HTTP
    status, otherwise 200 as in nearly all recordings. With `webhook_key` callbacks
    are signed; `callbacks.options` says how they are sent.

    The names of `faults` and `calls` are createTask, recordInfo, credit,
    downloadUrl, upload, uploadHost (a GET of the upload URL), file (an uploaded one)
    and result; as a fault only, fetch: Kie's own download of the input images.
    """

    def __init__(
        self,
        *,
        key: str,
        clock: Callable[[], float] = time.time,
        duration: Callable[[], float] = _fixed_duration,
        credits: float = 100.0,  # noqa: A002 - Kie's own word
        api_year: ApiYear = 2026,
        creates_per_10_seconds: int = 20,
        http_errors: bool = False,
        price: float = 4.0,
        webhook_key: str | None = None,
    ) -> None:
        self._key = key
        self._clock = clock
        self._api_year = api_year
        self._http_errors = http_errors
        self._account = KieAccount(
            clock=clock,
            duration=duration,
            paid_in=credits,
            api_year=api_year,
            creates_per_10_seconds=creates_per_10_seconds,
            price=price,
        )
        self.callbacks = OutgoingCallbackQueue(clock, webhook_key)
        self.faults = FaultInjector()
        self.files = UploadStore()
        self.calls: list[KieCall] = []
        self._next_change = asyncio.Event()
        self._background_tasks: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._port = 0

    async def start(self, port: int = 0) -> None:
        """Serve on 127.0.0.1; tasks of an earlier run go on. Raises `OSError` if the port is taken."""
        self._session = aiohttp.ClientSession()
        self._runner = web.AppRunner(self._build_app(), access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self._port = self._runner.addresses[0][1]
        for task in self.tasks.values():
            if task.prepared_at is None:
                self._run_in_background(self._prepare(task))
        self._run_in_background(self._send_due_callbacks())

    async def stop(self) -> None:
        """Stop serving; the state is kept for another start."""
        for task in self._background_tasks:
            task.cancel()
        await asyncio.gather(*self._background_tasks, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    # -- control

    def script_outcomes(self, *outcomes: ScriptedOutcome) -> None:
        """Set the outcomes of the next tasks, one each; by default they succeed."""
        self._account.outcomes.extend(outcomes)

    def refuse_next_create(self, code: int, msg: str) -> None:
        """Refuse the next createTask with this code and message."""
        self._account.refusals.append(KieRefusalError(code, msg))

    def answer_with_other_tasks(self, *task_ids: str) -> None:
        """Accept the next orders, but answer them with these task ids, one each."""
        self._account.substituted_task_ids.extend(task_ids)

    def finish_task(self, task_id: str, outcome: ScriptedOutcome = SUCCESS) -> None:
        """End a task now."""
        task = self.tasks[task_id]
        task.outcome, task.due_at = outcome, min(task.due_at, self._clock())
        self.notify_change()

    def add_credits(self, amount: float) -> None:
        """Add credits; a negative amount takes them away."""
        self._account.paid_in += amount

    def hide_tasks(self, polls: int) -> None:
        """Answer the first polls of each task created from now on with "recordInfo is null"."""
        self._account.hidden_polls = polls

    def echo_callback(self, *, shown: bool) -> None:
        """Set whether `param` of tasks created from now on contains the callback URL."""
        self._account.echoes_callback = shown

    async def send_callback(self, url: str, body: object, *, key: str | None = None) -> int:
        """Post a callback with any body and return the response's status, 0 without one.

        It is signed with `key`, or else with the account's key, if any.
        """
        return await post_callback(self._http, url, body, self.callbacks.signature_headers(body, key))

    async def wait_for_callbacks(self) -> None:
        """Return once every due callback was sent and answered."""
        self.notify_change()
        await self.wait_for(lambda: self.callbacks.is_idle(self.tasks.values()))

    # -- inspection

    @property
    def tasks(self) -> dict[str, LocalKieTask]:
        return self._account.tasks

    @property
    def credits(self) -> float:
        """The remaining credits: a task's price is held when it is created and returned when it fails."""
        return self._account.credits

    @property
    def refused_by_rate(self) -> int:
        """How many createTasks the rate limit refused."""
        return self._account.refused_by_rate

    def creates_in_window(self, seconds: float = RATE_WINDOW_SECONDS) -> int:
        """Return the largest number of tasks created within any such window."""
        return self._account.creates_in_window(seconds)

    def calls_named(self, name: str) -> list[KieCall]:
        """Return the calls of one name, in order."""
        return [call for call in self.calls if call.name == name]

    def notify_change(self) -> None:
        """Let every `wait_for` evaluate its condition, as after an advance of a manual clock."""
        self._next_change.set()
        self._next_change = asyncio.Event()

    async def wait_for(
        self,
        condition: Callable[[], object],
        timeout: float = 5.0,  # noqa: ASYNC109 - the message names what did arrive
    ) -> None:
        """Return once the condition holds, which is evaluated after every call and change; raises `TimeoutError`."""
        try:
            async with asyncio.timeout(timeout):
                while not condition():
                    await self._wait_for_change()
        except TimeoutError:
            seen = ", ".join(call.name for call in self.calls[-20:]) or "none"
            raise TimeoutError(f"not within {timeout} s; latest calls: {seen}") from None

    async def _wait_for_change(self) -> None:
        changed = self._next_change
        with contextlib.suppress(TimeoutError):
            ahead = [*self._account.seconds_until_changes(), *self.callbacks.seconds_until_due()]
            async with asyncio.timeout(min(ahead, default=None)):
                await changed.wait()

    # -- HTTP server

    def _build_app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_REQUEST_BYTES)
        app.on_response_prepare.append(date_header_setter(self._clock))
        app.add_routes(
            [
                web.post("/api/v1/jobs/createTask", self._route_handler("createTask", self._create_task)),
                web.get("/api/v1/jobs/recordInfo", self._route_handler("recordInfo", self._record_info)),
                web.get("/api/v1/chat/credit", self._route_handler("credit", self._credit)),
                web.post("/api/v1/common/download-url", self._route_handler("downloadUrl", self._download_url)),
                web.post("/api/file-stream-upload", self._route_handler("upload", self._upload, requires_key=False)),
                web.get(
                    "/api/file-stream-upload",
                    self._route_handler("uploadHost", self._upload_by_get, requires_key=False),
                ),
                web.get("/kieai/{path:.+}", self._route_handler("file", self._file, requires_key=False)),
                web.get("/workers/nano/{name}", self._route_handler("result", self._result, requires_key=False)),
                web.get("/links/{name}", self._route_handler("result", self._linked_result, requires_key=False)),
            ]
        )
        return app

    def _route_handler(
        self, name: str, handler: KieCallHandler, *, requires_key: bool = True
    ) -> Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            call = await read_call(name, request, self._clock())
            self.calls.append(call)
            self.notify_change()

            async def execute() -> web.StreamResponse:
                return self._authorize_and_answer(call, handler, requires_key)

            response = await execute_with_fault(self.faults.take(name), request, execute)
            cut = request.transport is None or request.transport.is_closing()
            call.status = 0 if cut else response.status
            self.notify_change()
            return response

        return handle

    def _authorize_and_answer(self, call: KieCall, handler: KieCallHandler, requires_key: bool) -> web.Response:
        try:
            if requires_key and not self._has_key(call):
                raise KieRefusalError(401, UNAUTHORIZED_MESSAGE, from_gateway=True)
            return handler(call)
        except KieRefusalError as error:
            status = error.code if self._http_errors else 200
            charset = "utf-8" if error.from_gateway else "UTF-8"
            return _json_response(call, error.envelope, status=status, charset=charset)

    def _has_key(self, call: KieCall) -> bool:
        given = call.headers.get("authorization", "")
        return secrets.compare_digest(given.encode(), f"Bearer {self._key}".encode())

    # -- handlers of calls

    def _create_task(self, call: KieCall) -> web.Response:
        task = self._account.create_task(call.body, self.url)
        self._run_in_background(self._prepare(task))
        named = self._account.substituted_task_ids.popleft() if self._account.substituted_task_ids else task.id
        return _success_response(call, {"taskId": named, "recordId": named})

    def _record_info(self, call: KieCall) -> web.Response:
        task = self._account.task_for_record_info(call.params.get("taskId"))
        return _success_response(call, task_record(task, self._api_year))

    def _credit(self, call: KieCall) -> web.Response:
        return _success_response(call, float(self.credits))

    def _download_url(self, call: KieCall) -> web.Response:
        url = call.body.get("url") if isinstance(call.body, dict) else None
        return _success_response(call, f"{self.url}/links/{self._account.create_download_link(url)}")

    def _upload(self, call: KieCall) -> web.Response:
        if self._has_key(call):
            form = call.body if isinstance(call.body, dict) else {}
            status, body = self.files.store_form_file(form, self.url, self._clock())
        else:
            status, body = unauthorized_answer()
        return _json_response(call, body, status=status, charset=None)

    def _upload_by_get(self, call: KieCall) -> web.Response:
        # the status is documented, the body was never recorded (2026)
        body = {"success": False, "code": 405, "msg": "Method Not Allowed"}
        return _json_response(call, body, status=405, charset=None)

    def _file(self, call: KieCall) -> web.Response:
        found = self.files.find(call.path.lstrip("/"), self._clock())
        if found is None:
            return web.Response(status=404)
        return web.Response(body=found.data, headers={"Content-Type": found.mime_type})

    def _result(self, call: KieCall) -> web.Response:
        return _image_response(self._account.task_with_result_url(self.url + call.path))

    def _linked_result(self, call: KieCall) -> web.Response:
        return _image_response(self._account.task_behind_link(call.path.rpartition("/")[2]))

    # -- background tasks

    def _run_in_background(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._background_tasks.add(task)
        task.add_done_callback(self._background_tasks.discard)

    async def _prepare(self, task: LocalKieTask) -> None:
        """Fetch and edit a task's images; unusable ones make it fail."""
        request = task.request
        try:
            task.inputs = [await self._fetch_image(url) for url in request.image_urls]
            task.result = await asyncio.to_thread(
                render_fake_edit,
                task.inputs,
                request.prompt,
                request.output_format,
                ratio=request.ratio,
                task_id=task.id,
            )
        except image_fetch.UnusableImageError as reason:
            task.outcome = failure(str(reason), "422")
        task.prepared_at = self._clock()
        self.notify_change()

    async def _fetch_image(self, url: str) -> bytes:
        return await image_fetch.fetch_image(self._http, url, self.faults.take("fetch"))

    async def _send_due_callbacks(self) -> None:
        """Send every callback when it is due, concurrently; runs until cancelled."""
        while True:
            if self.callbacks.plan(self.tasks.values()):
                self.notify_change()
            for callback in self.callbacks.take_due():
                self._run_in_background(self._send_planned_callback(callback))
            await self._wait_for_change()

    async def _send_planned_callback(self, callback: OutgoingCallback) -> None:
        status = 0
        try:
            status = await self.send_callback(callback.url, callback.body)
        finally:
            self.callbacks.record_answer(callback, status)
        self.notify_change()

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the server was not started")
        return self._session


def _success_response(call: KieCall, data: Any) -> web.Response:
    return _json_response(call, {"code": 200, "msg": "success", "data": data})


def _json_response(
    call: KieCall, body: dict[str, Any], *, status: int = 200, charset: str | None = "UTF-8"
) -> web.Response:
    call.answer = body
    response = web.json_response(body, status=status)
    response.headers["Content-Type"] = f"application/json;charset={charset}" if charset else "application/json"
    return response


def _image_response(task: LocalKieTask | None) -> web.Response:
    if task is None:
        return web.Response(status=404)
    return web.Response(body=task.result, content_type=f"image/{task.request.output_format}")
