"""What a log for machines says."""

import json
import logging
from typing import Any

import pytest

from bot import logs
from bot.redaction import Redaction


def entries(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return what it says at INFO about jobs."""
    form = logs.JsonFormatter(Redaction([]))
    said = [json.loads(form.format(record)) for record in caplog.records if record.levelno == logging.INFO]
    return [each for each in said if "job" in each]
