"""Fetching a picture that Kie made, and believing that it came only when it is there from its first byte to its last.

A gateway or a proxy that has a bad moment answers with its own page, with JSON, with half a file or with nothing, and
status 200 all the same. Such an answer says as little about the picture as a 503.
"""

from bot.pictures.aside import inspect_aside
from bot.pictures.errors import Format, NotAPicture, PictureError, Recognised, TooMuchWork, Unreadable
from bot.pictures.fetch import Fetcher, Unreachable
from bot.pictures.inspect import Picture


async def fetch_picture(fetcher: Fetcher, url: str) -> tuple[bytes, Picture]:
    """Download a picture; return its bytes and what they are.

    Raises a FetchError, which is Unreachable where something came that is no whole picture; and a PictureError for a
    picture that is one, and of no use.
    """
    content = await fetcher.fetch(url)
    try:
        return content, await inspect_aside(content)
    except (NotAPicture, Unreadable) as error:
        if _is_a_picture(error):
            raise
        raise Unreachable(f"{len(content)} bytes came that are no whole picture: {error}") from None


def _is_a_picture(error: PictureError) -> bool:
    """Say whether it is a picture of another kind, or one that asks for too much; it would be the same next time.

    One in SVG is a page with a drawing, which no image model makes.
    """
    return isinstance(error, TooMuchWork) or (isinstance(error, Recognised) and error.format is not Format.SVG)
