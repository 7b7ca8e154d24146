"""Sends raw bytes to our servers, such as no client library would send."""

import asyncio

#: Seconds within which there has to be a response, or the end of the connection.
TIMEOUT_SECONDS = 5.0


def url_port(url: str) -> int:
    """Return the port of a URL like http://127.0.0.1:8080/path."""
    return int(url.split("/")[2].rpartition(":")[2])


def request_head(line: bytes, *headers: bytes) -> bytes:
    """Return a request without a body."""
    return b"\r\n".join([line, b"Host: x", *headers, b"", b""])


def request_with_body(line: bytes, *headers: bytes, body: bytes = b"{}") -> bytes:
    """Return a request with a body and its Content-Length."""
    return request_head(line, *headers, b"Content-Length: %d" % len(body)) + body


async def send_raw(url: str, sent: bytes, *, breaks_off: bool = False) -> bytes:
    """Send bytes on a new connection, and return the head of the response; empty if there is none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", url_port(url))
    try:
        writer.write(sent)
        if breaks_off:
            writer.write_eof()
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await reader.readuntil(b"\r\n\r\n")
    except (ConnectionError, asyncio.IncompleteReadError):
        return b""
    finally:
        writer.close()


def response_status(response: bytes) -> int:
    """Return the status of a response; 0 where there is none."""
    words = response.split(b" ", 2)
    return int(words[1]) if len(words) == 3 and words[0].startswith(b"HTTP/") else 0
