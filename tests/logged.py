"""What a log for machines says."""

import json
import logging
from typing import Any

import pytest

from bot import logs


def entries(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return what it says at INFO about jobs."""
    form = logs.JsonFormatter(logs.Redaction([]))
    said = [json.loads(form.format(record)) for record in caplog.records if record.levelno == logging.INFO]
    return [each for each in said if "job" in each]
