"""Redaction: takes secrets out of foreign words.

What Kie, Telegram or a library says passes through here where it comes in, before it can become a sentence, a row, a
figure or an error of ours; and once more what is logged or printed. The words of people are theirs and stay.
"""

import re
from collections.abc import Callable, Iterable

#: Returns a text with every secret in it replaced.
Redact = Callable[[str], str]

#: Stands in the place of a secret.
MARK = "[secret]"

#: Characters of a secret; what is shorter keeps nothing secret, and would be found in every other word.
_SHORTEST = 6

#: Where a character may be escaped: in an address, perhaps twice, in JSON within JSON, in HTML; and, beside letters,
#: digits and what stands in tokens, by a backslash alone.
_ESCAPES = re.compile(r"%(?:25)*[2-7][0-9a-f]|\\u00[2-7][0-9a-f]|&#", re.IGNORECASE)
_ANY_ESCAPES = re.compile(rf"{_ESCAPES.pattern}|\\[^a-z0-9]", re.IGNORECASE)
_HARMLESS = re.compile(r"[A-Za-z0-9_:-]*")


def _spelled(char: str) -> str:
    """Return a pattern for a character, as it is and in every escaped spelling."""
    code = ord(char)
    in_address = "".join(f"%(?:25)*{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
    plain = r"\\{1,4}" if char == "\\" else re.escape(char) if char.isalnum() else rf"\\{{0,8}}{re.escape(char)}"
    return rf"(?:{plain}|{in_address}|\\{{1,8}}u{code:04x}|&#(?:0*{code}|x0*{code:x});)"


#: What a bot token looks like, for tokens that are not ours to know; in an address it may be of any length. Each begins
#: in one place of a run of digits only, or endless digits would be gone through again and again.
_TOKEN = re.compile(rf"[0-9](?<![0-9]{{2}})[0-9]{{5,}}+{_spelled(':')}[a-z0-9_-]{{30,}}", re.IGNORECASE)
_TOKEN_IN_ADDRESS = re.compile(rf"bot(?<=[/f]bot)[0-9]++{_spelled(':')}[a-z0-9_-]+", re.IGNORECASE)


class Redaction:
    """Replaces the known secrets, in whatever case and spelling, and whatever looks like a bot token, in any text."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {form for secret in secrets for form in (secret, _half(secret)) if len(form) >= _SHORTEST}
        longest_first = sorted(known, key=len, reverse=True)
        is_harmless = all(map(_HARMLESS.fullmatch, longest_first))
        self._escapes = _ESCAPES if is_harmless else _ANY_ESCAPES
        self._lowered = [secret.lower() for secret in longest_first]
        self._known = re.compile("|".join("".join(map(_spelled, each)) for each in longest_first), re.IGNORECASE)

    def __call__(self, text: str) -> str:
        """Return `text` with every secret replaced."""
        if self._lowered and self._may_hold_one(text):
            text = self._known.sub(MARK, text)
        return _TOKEN.sub(MARK, _TOKEN_IN_ADDRESS.sub(f"bot{MARK}", text))

    def _may_hold_one(self, text: str) -> bool:
        """Say quickly whether it is worth a closer look: mostly it is not."""
        lowered = text.lower()
        return any(secret in lowered for secret in self._lowered) or self._escapes.search(text) is not None


def _half(secret: str) -> str:
    """Return the part of a bot token that is secret, behind the bot's id; of anything else the whole."""
    return secret.partition(":")[2] or secret
