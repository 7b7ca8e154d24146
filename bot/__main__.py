"""The command line: `run` (the default), `check`, `jobs`, `backup` and `sandbox`.

Exit codes: 0 after a requested stop, 1 when a restart may help, 2 when the operator has to change something first.
`check` exits with 1 when it finds a failure, and with 130 when interrupted.
"""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import NoReturn

from bot import logs
from bot.process_isolation import hide_memory
from bot.settings import CannotRun, MustRestart, Settings, erase_secrets, load_settings

# Each command imports only what it needs, so that errors in the settings show within a tenth of a second and a running
# bot never loads the sandbox.
# ruff: noqa: PLC0415

log = logging.getLogger("bot")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` names and return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["sandbox"]:
        from bot.sandbox.cli import main as run_sandbox

        return run_sandbox(words[1:])
    arguments = _build_parser().parse_args(words)
    match arguments.command:
        case "check":
            return run_check(as_json=arguments.json)
        case "backup":
            return run_backup(Path(arguments.path))
        case "jobs":
            from bot.clock import read_wall_clock
            from bot.ops.jobs_command import run_jobs_command

            return run_jobs_command(arguments.number, read_wall_clock())
        case _:
            return run_bot()


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="darkroom", description="A Telegram bot that edits photos.")
    commands = parser.add_subparsers(metavar="COMMAND", dest="command")
    commands.add_parser("run", help="run the bot with the settings of the environment and .env (the default)")
    check = commands.add_parser("check", help="check everything that the bot needs, and say what to do")
    check.add_argument("--json", action="store_true", help="print a list of objects: name, status, found, remedy")
    backup = commands.add_parser("backup", help="copy the database to a new file, also while the bot runs")
    backup.add_argument("path", metavar="PATH", help="the file to create")
    jobs = commands.add_parser("jobs", help="list the unfinished jobs, or show the history of one job")
    jobs.add_argument("number", metavar="NUMBER", type=int, nargs="?", help="the job's number, as in the log")
    commands.add_parser("sandbox", help="try the bot on this machine, without an account")
    return parser


def run_check(*, as_json: bool) -> NoReturn:
    """Check everything, print the findings and exit."""
    from bot.ops.check_command import run_check_command

    try:
        code = _run(run_check_command(_open_http_server, as_json=as_json))
    except KeyboardInterrupt:
        code = 130
    _exit_now(code)


def _open_http_server(settings: Settings) -> AbstractAsyncContextManager[str]:
    from bot.inbound.http_endpoints import serve_without_bot

    return serve_without_bot(settings)


def run_backup(target: Path) -> int:
    """Copy the database to a new file, even while the bot runs; show progress and return the exit code."""
    from bot.ops.terminal_progress import TerminalProgress
    from bot.settings import DatabaseSettings, redact_for_terminal
    from bot.store.backup import copy_database

    progress = TerminalProgress(sys.stderr)
    try:
        copy_database(Path(DatabaseSettings().database_path), target, progress.report)
    except CannotRun as error:
        progress.clear()
        sys.stderr.write(f"{redact_for_terminal(str(error))}\n")
        return 2
    progress.clear()
    sys.stderr.write(f"{target}: {target.stat().st_size} bytes, opened and checked\n")
    return 0


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
    return _exit_now(_run(_run_app(settings)))


def _run(work: Coroutine[None, None, int]) -> int:
    """Run a coroutine without waiting, as `asyncio.run` would, for threads that are still resolving host names."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


def _exit_now(code: int) -> NoReturn:
    """Exit without waiting for threads; everything else is closed by now."""
    logging.shutdown()
    os._exit(code)


async def _run_app(settings: Settings) -> int:
    try:
        from bot import app, i18n

        i18n.load_catalogues()
        await app.run(settings)
    except Exception as error:  # noqa: BLE001 - the last place that can report it well
        return _log_fatal_error(error)
    return 0


def _log_fatal_error(error: Exception) -> int:
    for leaf in _leaf_errors(error):
        if isinstance(leaf, CannotRun | MustRestart):
            log.critical("%s", leaf)
            return 2 if isinstance(leaf, CannotRun) else 1
    log.critical("the bot stops because of a bug", exc_info=error)
    return 1


def _leaf_errors(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaf_errors(inner)
    else:
        yield error


if __name__ == "__main__":
    sys.exit(main())
