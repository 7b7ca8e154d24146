"""A fixture that speeds up these long tests, none of which is about TLS."""

from collections.abc import Iterator

import pytest

from tests.stateful.crashable_bot import skip_certificate_loading


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    """Skip loading certificates, which takes most of the time."""
    with skip_certificate_loading():
        yield
