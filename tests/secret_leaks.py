"""Searches for leaked secrets: canary values must be nowhere but where they belong.

The tokens and keys of the tests are canaries. When a test closes a bot, they are searched for in what it logged, what
it stored, what it sent to the other side, and what users read. Users' texts are searched for in the log.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bot.sandbox.kie.local_kie import LocalKie
from bot.sandbox.telegram import LocalTelegram


def find_secret_leaks(
    telegram: LocalTelegram,
    kie: LocalKie,
    folder: Path,
    logs: Iterable[str],
    *,
    token: str,
    key: str,
    kie_knows_the_token: bool = False,
) -> list[str]:
    """Return the places that leak a secret, in upper or lower case or percent-encoded."""
    secrets = {"token": token.partition(":")[2], "key": key}
    of_kie = {} if kie_knows_the_token else {"token": secrets["token"]}
    files = [file for file in folder.rglob("*.db*") if file.is_file()]
    places: list[tuple[str, Iterable[str], Mapping[str, str]]] = [
        *((file.name, [file.read_bytes().decode("latin-1")], secrets) for file in files),
        ("what Kie was told", (f"{call.path} {call.headers} {call.body}" for call in kie.calls), of_kie),
        ("what Telegram was told", (repr(call.params) for call in telegram.calls), secrets),
        ("what the chats show", (repr(dict(chat.messages)) for chat in telegram.state.chats.values()), secrets),
    ]
    found = [f"the {name} in {place}" for place, texts, those in places for name in _find_secrets(texts, those)]
    return found + [f"a secret in a log: {log[-500:]}" for log in logs if list(_find_secrets([log], secrets))]


def _find_secrets(texts: Iterable[str], secrets: Mapping[str, str]) -> Iterator[str]:
    """Yield the names of the secrets that are in any of the texts."""
    left = {name: (secret.lower(), "".join(f"%{ord(char):02x}" for char in secret)) for name, secret in secrets.items()}
    for text in texts:
        plain = text.lower()
        for name in [name for name, spellings in left.items() if any(each in plain for each in spellings)]:
            del left[name]
            yield name


class LogCapture(logging.Handler):
    """Captures the bot's log at INFO and above."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the formatted record."""
        self.lines.append(self.format(record))


@contextmanager
def capture_log() -> Iterator[LogCapture]:
    """Capture the bot's log."""
    bot, listener = logging.getLogger("bot"), LogCapture()
    before = bot.level
    bot.addHandler(listener)
    bot.setLevel(logging.INFO)
    try:
        yield listener
    finally:
        bot.setLevel(before)
        bot.removeHandler(listener)


def find_logged_user_content(telegram: LocalTelegram, lines: Iterable[str]) -> list[str]:
    """Return users' texts and file ids that the log repeats."""
    messages = [each for chat in telegram.state.chats.values() for each in chat.messages.values()]
    written = {
        str(each.get("text", each.get("caption", ""))) for each in messages if not telegram.state.is_from_bot(each)
    }
    log = "\n".join(lines)
    words = {each.removeprefix("/edit ") for each in written}
    # commands are not private, and a short word may be in the log by chance
    private = {each for each in words if len(each) > 5 and not each.startswith("/")} | set(telegram.state.files._files)
    return [each for each in private if each in log]
