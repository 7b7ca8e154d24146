"""The stand-in edit: what the sandbox shows in place of a model's work.

The same pictures and prompt always give the same result. It does what the
words ask for as far as it knows them, else it shows the words; it is marked as
a stand-in, and carries a note for machines on where it came from.
"""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageOps, PngImagePlugin

from bot.sandbox.edits.album import side_by_side
from bot.sandbox.edits.looks import OF_ALL, OF_EACH
from bot.sandbox.edits.mark import marked
from bot.sandbox.edits.note import with_note
from bot.sandbox.edits.vocabulary import Edit
from bot.sandbox.edits.words import wanted

#: pixels of the longer side that an edited picture is brought to, about the real model's
SIDE = 1024
NOTE = "stand-in"


@dataclass(frozen=True)
class Origin:
    """What a result was made from."""

    task_id: str
    #: sha256 of each input file, in order, as hex
    inputs: tuple[str, ...]
    prompt: str


def edit(
    pictures: Sequence[bytes], prompt: str, output_format: str, *, ratio: str = "auto", task_id: str = ""
) -> bytes:
    """A marked stand-in edit as a `png` or `jpeg` file.

    Several pictures stand side by side. `ratio` is `auto` or width to height
    such as `16:9`, and is cut to. Blocks for some 100 ms: call it in a thread.
    """
    edits = wanted(prompt)
    images = [_turned(_open(picture), edits) for picture in pictures]
    image = side_by_side(images, SIDE) if len(images) > 1 else images[0]
    if ratio != "auto":
        image = _cut_to(image, ratio)
    for look in (OF_ALL[edit] for edit in edits if edit in OF_ALL):
        image = look(image)
    if not edits:
        image = with_note(image, prompt)
    hashes = tuple(hashlib.sha256(picture).hexdigest() for picture in pictures)
    return _file(marked(image), output_format, Origin(task_id, hashes, prompt))


def origin(result: bytes) -> Origin | None:
    """Read the note in a result file; None if it has none."""
    with Image.open(io.BytesIO(result)) as image:
        image.load()
        note = image.info.get("comment") or image.info.get(NOTE)
    if note is None:
        return None
    read = json.loads(note)
    return Origin(read["task"], tuple(read["inputs"]), read["prompt"])


def _open(picture: bytes) -> Image.Image:
    """The picture upright, on white where it is transparent, its longer side `SIDE`."""
    with Image.open(io.BytesIO(picture)) as image:
        image.draft("RGB", (SIDE, SIDE))
        upright = ImageOps.exif_transpose(image)
        if not upright.has_transparency_data:
            return _within(upright.convert("RGB"), SIDE)
        drawn = _within(upright.convert("RGBA"), SIDE)
        return Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn).convert("RGB")


def _within(image: Image.Image, side: int) -> Image.Image:
    """Scale to fit, up or down; the thinnest picture keeps a pixel."""
    scale = side / max(image.size)
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))


def _turned(image: Image.Image, edits: Sequence[Edit]) -> Image.Image:
    for look in (OF_EACH[edit] for edit in edits if edit in OF_EACH):
        image = look(image)
    return image


def _cut_to(image: Image.Image, ratio: str) -> Image.Image:
    across, down = (int(side) for side in ratio.split(":"))
    width = min(image.width, max(1, image.height * across // down))
    return ImageOps.fit(image, (width, max(1, width * down // across)))


def _file(image: Image.Image, output_format: str, made_from: Origin) -> bytes:
    content = {"task": made_from.task_id, "inputs": made_from.inputs, "prompt": made_from.prompt}
    note = json.dumps(content)
    options: dict[str, Any] = {"comment": note, "quality": 90}
    if output_format == "png":
        chunk = PngImagePlugin.PngInfo()
        chunk.add_text(NOTE, note)
        options = {"pnginfo": chunk, "compress_level": 1}
    out = io.BytesIO()
    image.save(out, output_format, **options)
    return out.getvalue()
