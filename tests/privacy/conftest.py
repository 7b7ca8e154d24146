"""Lives are long: nothing here is about large pictures."""

from collections.abc import Iterator

import pytest

from tests.stateful.crashable_bot import skip_certificate_loading


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    """Spare what takes most of the time."""
    with skip_certificate_loading():
        yield
