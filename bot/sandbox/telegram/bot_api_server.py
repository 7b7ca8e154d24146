"""The Bot API over HTTP: decodes a call, injects its fault, answers in Telegram's envelope.

Every call with the right token is recorded on arrival. A call continues when the
caller disconnects, as with Telegram.
"""

import asyncio
import hmac
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from aiohttp import web

from bot.sandbox.fault_injection import Fault, FaultInjector, date_header_setter, execute_with_fault
from bot.sandbox.telegram import message_methods, profile_and_chat_methods, update_delivery
from bot.sandbox.telegram.arguments import Arguments, UploadedInputFile, read_arguments
from bot.sandbox.telegram.errors import BotApiError
from bot.sandbox.telegram.server_state import TelegramState
from bot.sandbox.telegram.update_delivery import deliver_to_webhook, get_updates

#: the largest request body, in bytes
MAX_BODY_BYTES = 60 << 20
#: the name of file downloads in fault injection
FILE_DOWNLOAD = "file"

_INTERNAL_ERROR = BotApiError(500, "Internal Server Error")

CallCheck = Callable[[str, Mapping[str, object], Mapping[str, UploadedInputFile]], None]


@dataclass(frozen=True)
class TelegramCall:
    """A recorded call of the bot; `at` in Unix seconds."""

    method: str
    params: Mapping[str, object]
    files: Mapping[str, UploadedInputFile] = field(repr=False)
    at: float
    #: None while it runs, after an error, and after a fault
    result: object = None
    #: Telegram's description of the error
    error: str | None = None
    #: the injected fault
    fault: Fault | None = None


class BotApiServer:
    """Serves one bot on 127.0.0.1."""

    def __init__(self, state: TelegramState, token: str, faults: FaultInjector, check: CallCheck | None) -> None:
        self._state = state
        self._token = token
        self._faults = faults
        self._check = check
        self.calls: list[TelegramCall] = []
        self.check_failures: list[str] = []
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._webhook_delivery: asyncio.Task[None] | None = None

    async def open(self, port: int) -> None:
        """Listen; port 0 takes the previous one, or any free one."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.on_response_prepare.append(date_header_setter(self._state.clock))
        app.router.add_route("*", "/bot{token}/{method}", self._on_call)
        app.router.add_get("/file/bot{token}/{path:.+}", self._on_download)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port or self.port).start()
        self.port = self._runner.addresses[0][1]
        self._webhook_delivery = asyncio.create_task(deliver_to_webhook(self._state))

    async def close(self) -> None:
        """Stop listening and close every connection."""
        self._state.updates.terminate_poll("Conflict: the server is shutting down")
        if self._webhook_delivery is not None:
            self._webhook_delivery.cancel()
            with suppress(asyncio.CancelledError):
                await self._webhook_delivery
        if self._runner is not None:
            await self._runner.cleanup()

    async def _on_call(self, request: web.Request) -> web.StreamResponse:
        try:
            name = self._method_name(request)
            arguments = await read_arguments(request)
        except BotApiError as error:
            return _error_response(error)
        except web.HTTPRequestEntityTooLarge:
            return _error_response(BotApiError(413, "Request Entity Too Large"))
        number = len(self.calls)
        self.calls.append(TelegramCall(name, arguments.params, arguments.files, self._state.clock()))
        self._state.changes.notify()
        if not self._passes_check(number):
            return _error_response(_INTERNAL_ERROR)

        async def run() -> web.StreamResponse:
            return await self._run(request, number, arguments)

        fault = self._faults.take(name)
        self.calls[number] = replace(self.calls[number], fault=fault)
        return await execute_with_fault(fault, request, run)

    def _method_name(self, request: web.Request) -> str:
        self._check_token(request)
        try:
            return METHOD_NAMES[request.match_info["method"].lower()]
        except KeyError:
            raise BotApiError(404, "Not Found: method not found") from None

    def _check_token(self, request: web.Request) -> None:
        if not hmac.compare_digest(request.match_info["token"].encode(), self._token.encode()):
            raise BotApiError(401, "Unauthorized")

    def _passes_check(self, number: int) -> bool:
        """Validate a call before its fault: a request must be valid even if it fails."""
        call = self.calls[number]
        try:
            if self._check is not None:
                self._check(call.method, call.params, call.files)
        except Exception as problem:  # noqa: BLE001 - whatever the check raises is reported
            self._record_failure(number, problem)
            return False
        return True

    async def _run(self, request: web.Request, number: int, arguments: Arguments) -> web.StreamResponse:
        call = self.calls[number]
        try:
            result = await self._result(request, call.method, arguments)
        except BotApiError as error:
            self._update_call(number, replace(call, error=error.description))
            return _error_response(error)
        except Exception as problem:  # noqa: BLE001 - an error of this server, which a test must see
            self._record_failure(number, problem)
            return _error_response(_INTERNAL_ERROR)
        self._update_call(number, replace(call, result=result))
        return web.json_response({"ok": True, "result": result})

    async def _result(self, request: web.Request, method: str, arguments: Arguments) -> object:
        if method == "getUpdates":
            return await get_updates(self._state, arguments, lambda: _is_connected(request))
        return execute_method(self._state, method, arguments)

    def _record_failure(self, number: int, problem: Exception) -> None:
        call = self.calls[number]
        self.check_failures.append(f"{call.method}: {problem!r}")
        self._update_call(number, replace(call, error=_INTERNAL_ERROR.description))

    def _update_call(self, number: int, call: TelegramCall) -> None:
        self.calls[number] = call
        self._state.changes.notify()

    async def _on_download(self, request: web.Request) -> web.StreamResponse:
        async def send() -> web.StreamResponse:
            return self._file_response(request)

        try:
            self._check_token(request)
        except BotApiError as error:
            return _error_response(error)
        return await execute_with_fault(self._faults.take(FILE_DOWNLOAD), request, send)

    def _file_response(self, request: web.Request) -> web.Response:
        content = self._state.files.read_path(request.match_info["path"])
        if content is None:
            return _error_response(BotApiError(404, "Not Found"))
        headers = {"Content-Type": "application/octet-stream", "Content-Disposition": "attachment"}
        return web.Response(body=content, headers=headers)


def _is_connected(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()


def _error_response(error: BotApiError) -> web.Response:
    return web.json_response(error.body(), status=error.status, headers=error.headers())


MethodHandler = Callable[[TelegramState, Arguments], object]

#: every method except getUpdates, which is asynchronous
METHODS: Mapping[str, MethodHandler] = {
    "answerCallbackQuery": profile_and_chat_methods.answer_callback_query,
    "deleteMessage": message_methods.delete_message,
    "deleteMessages": message_methods.delete_messages,
    "deleteMyCommands": profile_and_chat_methods.delete_my_commands,
    "deleteWebhook": update_delivery.delete_webhook,
    "editMessageCaption": message_methods.edit_message_caption,
    "editMessageMedia": message_methods.edit_message_media,
    "editMessageReplyMarkup": message_methods.edit_message_reply_markup,
    "editMessageText": message_methods.edit_message_text,
    "getChat": profile_and_chat_methods.get_chat,
    "getChatAdministrators": profile_and_chat_methods.get_chat_administrators,
    "getChatMember": profile_and_chat_methods.get_chat_member,
    "getFile": profile_and_chat_methods.get_file,
    "getMe": profile_and_chat_methods.get_me,
    "getMyCommands": profile_and_chat_methods.get_my_commands,
    "getMyDescription": profile_and_chat_methods.get_my_description,
    "getMyShortDescription": profile_and_chat_methods.get_my_short_description,
    "getWebhookInfo": update_delivery.get_webhook_info,
    "sendChatAction": message_methods.send_chat_action,
    "sendDocument": message_methods.send_document,
    "sendMediaGroup": message_methods.send_media_group,
    "sendMessage": message_methods.send_message,
    "sendPhoto": message_methods.send_photo,
    "setMessageReaction": message_methods.set_message_reaction,
    "setMyCommands": profile_and_chat_methods.set_my_commands,
    "setMyDescription": profile_and_chat_methods.set_my_description,
    "setMyShortDescription": profile_and_chat_methods.set_my_short_description,
    "setWebhook": update_delivery.set_webhook,
}

#: methods that count for flood control
FLOOD_CONTROLLED_METHODS = frozenset({"sendDocument", "sendMediaGroup", "sendMessage", "sendPhoto"})

#: by lower-case name: Telegram ignores the case of method names
METHOD_NAMES = {name.lower(): name for name in (*METHODS, "getUpdates")}


def execute_method(state: TelegramState, name: str, arguments: Arguments) -> object:
    """Execute a call and return its result; raises BotApiError as Telegram would."""
    if state.enforce_flood_control and name in FLOOD_CONTROLLED_METHODS:
        state.flood_control.count_message(arguments.number("chat_id") or 0, state.clock())
    return METHODS[name](state, arguments)
