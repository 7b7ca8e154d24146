"""Conversions that take as long as a test wants: each converter process waits to be released."""

import os
import sys
from pathlib import Path

import pytest

#: The script that the bot starts in place of Python. Shells read a pipe byte by byte, so each consumes one line.
SCRIPT = '#!/bin/sh\nread go < {gate}\nexec {python} "$@"\n'


class SlowConversions:
    """Converter processes that wait until they are released."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        gate, script = folder / "gate", folder / "python"
        os.mkfifo(gate)
        self._gate = os.open(gate, os.O_RDWR)
        script.write_text(SCRIPT.format(gate=gate, python=sys.executable))
        script.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(script))

    def release(self, count: int = 1) -> None:
        """Release `count` of them."""
        os.write(self._gate, b"go\n" * count)

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._gate)
