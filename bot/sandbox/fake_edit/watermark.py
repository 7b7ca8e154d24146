"""The watermark in the corner of every result: it is a stand-in, not a model's work."""

from functools import lru_cache

from PIL import Image, ImageDraw

from bot.sandbox.fake_edit.text_drawing import load_font

WATERMARK_TEXT = "stand-in"
BACKGROUND_COLOUR, TEXT_COLOUR = (24, 26, 32), (255, 214, 102)


def watermark_box(size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the watermark's position in a picture of this size: left, top, right, bottom."""
    width, height = size
    letters = _font_size(size)
    across, down = min(width, _draw_watermark(letters).width), min(height, _draw_watermark(letters).height)
    away = min(letters // 2, (width - across) // 2, (height - down) // 2)
    return width - away - across, height - away - down, width - away, height - away


def add_watermark(image: Image.Image) -> Image.Image:
    """Add the watermark in the lower right corner, scaled down in a picture that is too small for it."""
    left, top, right, bottom = watermark_box(image.size)
    glyph = _draw_watermark(_font_size(image.size))
    if glyph.size != (right - left, bottom - top):
        glyph = glyph.resize((right - left, bottom - top))
    image.paste(glyph, (left, top), glyph)
    return image


def _font_size(size: tuple[int, int]) -> int:
    return max(8, min(size) // 28)


@lru_cache(maxsize=32)
def _draw_watermark(letters: int) -> Image.Image:
    left, top, right, bottom = load_font(letters).getbbox(WATERMARK_TEXT)
    pad = max(2, letters // 2)
    glyph = Image.new("RGBA", (round(right - left) + 2 * pad, round(bottom - top) + 2 * pad))
    draw = ImageDraw.Draw(glyph)
    corner = (0, 0, glyph.width - 1, glyph.height - 1)
    draw.rounded_rectangle(
        corner, radius=glyph.height // 3, fill=BACKGROUND_COLOUR, outline=TEXT_COLOUR, width=max(1, letters // 14)
    )
    draw.text((pad - left, pad - top), WATERMARK_TEXT, font=load_font(letters), fill=TEXT_COLOUR)
    return glyph
