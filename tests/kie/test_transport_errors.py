"""Every exception of the HTTP library becomes an error of ours; one that it adds later fails here."""

import ssl

import httpx
import pytest

from bot.kie.client import _NETWORK_ERRORS, _no_response_error
from bot.kie.errors import KieUnavailable, OrderUncertain

RAISED_BY_HTTPX: list[type[Exception]] = sorted(
    (
        found
        for found in map(httpx.__dict__.get, httpx.__all__)
        if isinstance(found, type) and issubclass(found, Exception)
    ),
    key=lambda found: found.__name__,
)
OTHERS: list[type[Exception]] = [TimeoutError, ConnectionResetError, ssl.SSLError]


@pytest.mark.parametrize("kind", RAISED_BY_HTTPX + OTHERS)
def test_every_exception_of_the_library_is_caught(kind: type[Exception]) -> None:
    assert issubclass(kind, _NETWORK_ERRORS)


@pytest.mark.parametrize("kind", OTHERS)
def test_only_what_may_have_left_is_unclear_and_nothing_is_quoted(kind: type[Exception]) -> None:
    errors = [_no_response_error(kind("Bearer secret"), may_have_arrived=arrived) for arrived in (False, True)]
    assert [type(error) for error in errors] == [KieUnavailable, OrderUncertain]
    assert [error.text for error in errors] == [f"no answer ({kind.__name__})"] * 2


def test_the_library_has_the_exceptions_that_were_looked_at() -> None:
    known = (
        "CloseError ConnectError ConnectTimeout CookieConflict DecodingError HTTPError HTTPStatusError InvalidURL"
        " LocalProtocolError NetworkError PoolTimeout ProtocolError ProxyError ReadError ReadTimeout"
        " RemoteProtocolError RequestError RequestNotRead ResponseNotRead StreamClosed StreamConsumed"
        " StreamError TimeoutException TooManyRedirects TransportError UnsupportedProtocol WriteError WriteTimeout"
    )
    assert {kind.__name__ for kind in RAISED_BY_HTTPX} == set(known.split())
