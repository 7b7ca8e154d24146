"""The small sign in the corner of every result: it is a stand-in, and no model made it."""

from functools import lru_cache

from PIL import Image, ImageDraw

from bot.sandbox.fake_edit.text_drawing import load_font

WATERMARK_TEXT = "stand-in"
BACKGROUND_COLOUR, TEXT_COLOUR = (24, 26, 32), (255, 214, 102)


def watermark_box(size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Where the sign is in a picture of this size: left, top, right, bottom."""
    width, height = size
    letters = _font_size(size)
    across, down = min(width, _draw_watermark(letters).width), min(height, _draw_watermark(letters).height)
    away = min(letters // 2, (width - across) // 2, (height - down) // 2)
    return width - away - across, height - away - down, width - away, height - away


def add_watermark(image: Image.Image) -> Image.Image:
    """Put the sign in the lower right corner; in a picture that is too small for it, as much as there is room."""
    left, top, right, bottom = watermark_box(image.size)
    sign = _draw_watermark(_font_size(image.size))
    if sign.size != (right - left, bottom - top):
        sign = sign.resize((right - left, bottom - top))
    image.paste(sign, (left, top), sign)
    return image


def _font_size(size: tuple[int, int]) -> int:
    return max(8, min(size) // 28)


@lru_cache(maxsize=32)
def _draw_watermark(letters: int) -> Image.Image:
    left, top, right, bottom = load_font(letters).getbbox(WATERMARK_TEXT)
    pad = max(2, letters // 2)
    sign = Image.new("RGBA", (round(right - left) + 2 * pad, round(bottom - top) + 2 * pad))
    draw = ImageDraw.Draw(sign)
    corner = (0, 0, sign.width - 1, sign.height - 1)
    draw.rounded_rectangle(
        corner, radius=sign.height // 3, fill=BACKGROUND_COLOUR, outline=TEXT_COLOUR, width=max(1, letters // 14)
    )
    draw.text((pad - left, pad - top), WATERMARK_TEXT, font=load_font(letters), fill=TEXT_COLOUR)
    return sign
