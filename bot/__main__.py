"""The command line: `run`, which is the default, `check`, `jobs`, `backup` and `sandbox`.

Exit codes: 0 after a stop that was asked for, 2 when the operator has to change
something first, 1 when a restart may help; of `check` 1 when anything would fail.
"""

import argparse
import gc
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from types import ModuleType
from typing import NoReturn

import uvloop

from bot import logs
from bot.process_isolation import hide_memory
from bot.settings import CannotRun, MustRestart, Settings, erase_secrets, load_settings

log = logging.getLogger("bot")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` names and return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["sandbox"]:
        from bot.sandbox.cli import main as sandbox  # noqa: PLC0415 - a bot that serves does not load it

        return sandbox(words[1:])
    parser = argparse.ArgumentParser(prog="darkroom", description="A Telegram bot that edits photos.")
    commands = parser.add_subparsers(metavar="COMMAND", dest="command")
    commands.add_parser("run", help="run the bot with the settings of the environment and .env (the default)")
    checking = commands.add_parser("check", help="say whether everything is right that the bot needs, and what to do")
    checking.add_argument("--json", action="store_true", help="a list of objects: name, status, found, remedy")
    copying = commands.add_parser("backup", help="copy the database to a new file, also while the bot runs")
    copying.add_argument("path", metavar="PATH", help="the file to make")
    looking = commands.add_parser("jobs", help="show what is under way, or the life of one job")
    looking.add_argument("number", metavar="NUMBER", type=int, nargs="?", help="the job's, as the log names it")
    commands.add_parser("sandbox", help="try the bot on this machine, with no account")
    asked = parser.parse_args(words)
    match asked.command:
        case "check":
            return run_check(for_machines=asked.json)
        case "backup":
            from bot.ops.backup_command import run_backup_command  # noqa: PLC0415 - each command loads what it needs

            return run_backup_command(asked.path)
        case "jobs":
            from bot.ops.jobs_command import run_jobs_command  # noqa: PLC0415 - each command loads what it needs

            return run_jobs_command(asked.number, time.time_ns() // 1_000_000)
        case _:
            return run_bot()


def run_check(*, for_machines: bool) -> int:
    """Check everything and tell what was found."""
    from bot.ops.check.command import run_check_command  # noqa: PLC0415 - each command loads what it needs

    try:
        code = uvloop.new_event_loop().run_until_complete(
            run_check_command(_open_http_server, for_machines=for_machines)
        )
    except KeyboardInterrupt:
        code = 130
    return _exit_now(code)


def _open_http_server(settings: Settings) -> AbstractAsyncContextManager[str]:
    from bot.inbound.http_endpoints import serve_without_bot  # noqa: PLC0415 - aiohttp is not to be loaded before the settings are right

    return serve_without_bot(settings)


def run_bot() -> int:
    """Run the bot until it is stopped."""
    hide_memory()
    try:
        settings = load_settings()
    except CannotRun as error:
        sys.stderr.write(f"{error}\n")
        return 2
    erase_secrets()
    logs.configure_logging(settings.log_level, settings.log_format, settings.secrets)
    return _exit_now(uvloop.new_event_loop().run_until_complete(_run_app(settings)))


def _exit_now(code: int) -> NoReturn:
    logging.shutdown()
    # everything is closed; a thread that still waits for a name to be resolved must not hold up the end
    os._exit(code)


async def _run_app(settings: Settings) -> int:
    try:
        await _import_app().run(settings)
    except Exception as error:  # noqa: BLE001 - the last place where an error can still be told well
        return _log_fatal_error(error)
    return 0


def _import_app() -> ModuleType:
    """Load what serves, which takes most of a second: whoever has to mend a setting need not wait for it."""
    gc.disable()  # nothing of it is garbage, and to look for some again and again takes a quarter of the time
    try:
        from bot import app, i18n  # noqa: PLC0415 - see above

        i18n.load_catalogues()
    finally:
        gc.enable()
    gc.freeze()
    return app


def _log_fatal_error(error: Exception) -> int:
    told = [each for each in _leaf_errors(error) if isinstance(each, CannotRun | MustRestart)]
    if not told:
        log.critical("the bot ends because of a mistake in it", exc_info=error)
        return 1
    log.critical("%s", told[0])
    return 2 if isinstance(told[0], CannotRun) else 1


def _leaf_errors(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaf_errors(inner)
    else:
        yield error


if __name__ == "__main__":
    sys.exit(main())
