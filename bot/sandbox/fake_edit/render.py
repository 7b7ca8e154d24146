"""The fake edit: a deterministic result in place of the model's.

It applies the effects that the prompt asks for, or else shows the prompt. The result
has a watermark and, for tests, metadata about its origin.
"""

import hashlib
import io
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw, ImageOps, PngImagePlugin

from bot.sandbox.fake_edit.effect_keywords import EditEffect, find_effects
from bot.sandbox.fake_edit.effects import INPUT_EFFECTS, RESULT_EFFECTS
from bot.sandbox.fake_edit.prompt_note import add_prompt_note
from bot.sandbox.fake_edit.watermark import add_watermark

#: the longer side of a result in pixels, about the real model's
SIDE = 1024
ORIGIN_KEY = "stand-in"


@dataclass(frozen=True)
class EditOrigin:
    """What a result was made from, as in its metadata."""

    task_id: str
    #: sha256 of each input file, in order, as hex
    inputs: tuple[str, ...]
    prompt: str


def render_fake_edit(
    pictures: Sequence[bytes], prompt: str, output_format: str, *, ratio: str = "auto", task_id: str = ""
) -> bytes:
    """Return a fake edit as a `png` or `jpeg` file; several pictures become a collage.

    `ratio` is `auto` or width to height such as `16:9`, to which the result is cropped.
    Blocks for some 100 ms: call it in a thread.
    """
    effects = find_effects(prompt)
    images = [_apply_input_effects(_open_upright(picture), effects) for picture in pictures]
    image = make_collage(images, SIDE) if len(images) > 1 else images[0]
    if ratio != "auto":
        image = _crop_to_ratio(image, ratio)
    for apply_effect in (RESULT_EFFECTS[effect] for effect in effects if effect in RESULT_EFFECTS):
        image = apply_effect(image)
    if not effects:
        image = add_prompt_note(image, prompt)
    hashes = tuple(hashlib.sha256(picture).hexdigest() for picture in pictures)
    return _encode(add_watermark(image), output_format, EditOrigin(task_id, hashes, prompt))


def read_origin(result: bytes) -> EditOrigin | None:
    """Read the origin from a result's metadata; None if it has none."""
    with Image.open(io.BytesIO(result)) as image:
        image.load()
        note = image.info.get("comment") or image.info.get(ORIGIN_KEY)
    if note is None:
        return None
    read = json.loads(note)
    return EditOrigin(read["task"], tuple(read["inputs"]), read["prompt"])


def _open_upright(picture: bytes) -> Image.Image:
    """Decode a picture upright, on white where it is transparent, its longer side `SIDE`."""
    with Image.open(io.BytesIO(picture)) as image:
        image.draft("RGB", (SIDE, SIDE))
        upright = ImageOps.exif_transpose(image)
        if not upright.has_transparency_data:
            return _scale_to_fit(upright.convert("RGB"), SIDE)
        drawn = _scale_to_fit(upright.convert("RGBA"), SIDE)
        return Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn).convert("RGB")


def _scale_to_fit(image: Image.Image, side: int) -> Image.Image:
    """Scale to fit, up or down; each side keeps at least a pixel."""
    scale = side / max(image.size)
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))


def _apply_input_effects(image: Image.Image, effects: Sequence[EditEffect]) -> Image.Image:
    for apply_effect in (INPUT_EFFECTS[effect] for effect in effects if effect in INPUT_EFFECTS):
        image = apply_effect(image)
    return image


def _crop_to_ratio(image: Image.Image, ratio: str) -> Image.Image:
    across, down = (int(side) for side in ratio.split(":"))
    width = min(image.width, max(1, image.height * across // down))
    return ImageOps.fit(image, (width, max(1, width * down // across)))


def _encode(image: Image.Image, output_format: str, origin: EditOrigin) -> bytes:
    content = {"task": origin.task_id, "inputs": origin.inputs, "prompt": origin.prompt}
    note = json.dumps(content)
    options: dict[str, Any] = {"comment": note, "quality": 90}
    if output_format == "png":
        chunk = PngImagePlugin.PngInfo()
        chunk.add_text(ORIGIN_KEY, note)
        options = {"pnginfo": chunk, "compress_level": 1}
    out = io.BytesIO()
    image.save(out, output_format, **options)
    return out.getvalue()


#: longer or thinner pictures are cropped to this, to leave room for the others
MAX_SIDE_RATIO = 3.0


def make_collage(images: Sequence[Image.Image], side: int) -> Image.Image:
    """Join pictures in rows, at most twice `side` pixels wide and `side` high."""
    rows = _collage_rows(images)
    across = [sum(_limited_ratio(image) for image in row) for row in rows]
    width = min(2.0 * side, side / sum(1 / ratio for ratio in across))
    ends = _cumulative_ends([width / ratio for ratio in across])
    album = Image.new("RGB", (max(1, round(width)), max(1, ends[-1])), "white")
    for row, ratio, top, bottom in zip(rows, across, [0, *ends], ends, strict=False):
        _paste_row(album, row, width / ratio, (top, bottom))
    return album


def _collage_rows(images: Sequence[Image.Image]) -> list[Sequence[Image.Image]]:
    number = 1 if len(images) <= 3 else 2 if len(images) <= 8 else 3
    starts = [round(len(images) * row / number) for row in range(number + 1)]
    return [images[start:end] for start, end in itertools.pairwise(starts)]


def _limited_ratio(image: Image.Image) -> float:
    return min(MAX_SIDE_RATIO, max(1 / MAX_SIDE_RATIO, image.width / image.height))


def _cumulative_ends(lengths: Sequence[float]) -> list[int]:
    """Return where each length ends when they are laid end to end, in whole pixels."""
    return [round(sum(lengths[: number + 1])) for number in range(len(lengths))]


def _paste_row(album: Image.Image, row: Sequence[Image.Image], height: float, rows: tuple[int, int]) -> None:
    top, bottom = rows
    draw = ImageDraw.Draw(album)
    gap = max(1, min(album.size) // 100)
    ends = _cumulative_ends([_limited_ratio(image) * height for image in row])
    for image, left, right in zip(row, [0, *ends], ends, strict=False):
        album.paste(ImageOps.fit(image, (max(1, right - left), max(1, bottom - top))), (left, top))
        if left:
            draw.line((left, top, left, bottom), fill="white", width=gap)
    if top:
        draw.line((0, top, album.width, top), fill="white", width=gap)
