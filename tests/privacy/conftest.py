"""Lives are long: nothing here is about large pictures."""

from collections.abc import Iterator

import pytest

from tests.machine.life import quickened


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    """Spare what takes most of the time."""
    with quickened():
        yield
