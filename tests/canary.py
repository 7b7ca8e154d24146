"""The canaries: secrets that are to be found nowhere but with those whom they are for.

Both the tokens and the keys of the tests are canaries, and every bot that a test
has opened is searched for them when it is closed: what it logged, what it stored,
and what it said to the other side. So it is with what people write to it, which is in no log.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.sandbox.kie import LocalKie
from bot.sandbox.telegram import LocalTelegram


def leaks(
    telegram: LocalTelegram, kie: LocalKie, folder: Path, logs: Iterable[str], *, token: str, key: str
) -> list[str]:
    """Name the places where a secret is that must not be there."""
    secret = token.partition(":")[2]
    told_to_kie = any(secret in f"{call.path} {call.headers} {call.body}" for call in kie.calls)
    told_to_telegram = any(key in repr(call.params) for call in telegram.calls)
    stored = {file.name: file.read_bytes() for file in folder.rglob("*.db*") if file.is_file()}
    found = [f"the token in {name}" for name, content in stored.items() if secret.encode() in content]
    found += [f"the key in {name}" for name, content in stored.items() if key.encode() in content]
    found += ["the token in what Kie was told"] if told_to_kie else []
    found += ["the key in what Telegram was told"] if told_to_telegram else []
    found += [f"a secret in a log: {log[-500:]}" for log in logs if secret in log or key in log]
    return found


class Listener(logging.Handler):
    """Hears what the bot logs at INFO and above."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line as it is written."""
        self.lines.append(self.format(record))


@contextmanager
def listening() -> Iterator[Listener]:
    """Listen to the bot."""
    bot, listener = logging.getLogger("bot"), Listener()
    before = bot.level
    bot.addHandler(listener)
    bot.setLevel(logging.INFO)
    try:
        yield listener
    finally:
        bot.setLevel(before)
        bot.removeHandler(listener)


def repeated(telegram: LocalTelegram, lines: Iterable[str]) -> list[str]:
    """Name what people wrote, and the files of theirs, that a log repeats."""
    messages = [each for chat in telegram.cloud.chats.values() for each in chat.messages.values()]
    written = {str(each.get("text", each.get("caption", ""))) for each in messages if not telegram.cloud.is_mine(each)}
    log = "\n".join(lines)
    words = {each.removeprefix("/edit ") for each in written}
    # commands alone are nobody's, and a word or two may be said by chance
    private = {each for each in words if len(each) > 5 and not each.startswith("/")} | set(telegram.cloud.files._stored)
    return [each for each in private if each in log]
