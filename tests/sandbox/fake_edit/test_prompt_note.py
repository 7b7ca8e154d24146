"""A prompt without a known effect is drawn on the picture, without missing glyphs."""

import pytest
from PIL import Image

from bot.sandbox.fake_edit.prompt_note import INK_COLOUR, MAX_NOTE_CHARACTERS, PAPER_COLOUR, add_prompt_note, note_text
from bot.sandbox.fake_edit.text_drawing import load_font, to_drawable_text, wrap_lines
from tests.sandbox.fake_edit.image_probes import colour_share, edit_image
from tests.sandbox.kie.api_client import make_picture


@pytest.mark.parametrize("colour", ["black", "white", "#fff4b0"])
def test_words_stand_on_paper_whatever_the_picture(colour: str) -> None:
    noted = edit_image("give the cat a hat", make_picture(colour, "png"))
    assert 0.1 < colour_share(noted, PAPER_COLOUR) < 0.9 or colour == "#fff4b0"
    assert colour_share(noted, INK_COLOUR, tolerance=60) > 0.005


def test_other_words_give_another_picture() -> None:
    assert edit_image("a hat").tobytes() != edit_image("a cat").tobytes()


def test_a_known_effect_needs_no_note() -> None:
    assert colour_share(edit_image("sepia", make_picture("navy", "png")), PAPER_COLOUR) == 0


@pytest.mark.parametrize(
    ("prompt", "shown"),
    [
        ("a  “hat” –\nplease…", "a “hat” - please..."),
        ("надень шляпу", "A prompt of 11 Cyrillic letters, which this stand-in cannot write."),
        ("给猫戴帽子", "A prompt of 5 Chinese characters, which this stand-in cannot write."),
        ("🎉", "A prompt of 1 emoji, which this stand-in cannot write."),
        ("put a шляпа on it", "put a (5 Cyrillic letters) on it"),
        ("шляпа, пожалуйста!", "A prompt of 15 Cyrillic letters, which this stand-in cannot write."),
        ("шляпа, please!", "(5 Cyrillic letters) please!"),
        ("(2 hats)", "(2 hats)"),
        ("¿un gato?", "un gato?"),
        (" \n", "(no words)"),
        ("\ud800\x00", "(no words)"),
    ],
)
def test_what_the_font_lacks_is_told(prompt: str, shown: str) -> None:
    assert note_text(prompt) == shown


def test_accents_are_kept_and_drawn() -> None:
    assert to_drawable_text("piñata, más") == "pin\u0303ata, ma\u0301s"
    assert edit_image("piñata").tobytes() != edit_image("pinata").tobytes()


def test_a_long_prompt_is_cut_and_says_so() -> None:
    shown = note_text("word " * 900)
    assert len(shown) <= MAX_NOTE_CHARACTERS
    assert shown.endswith("…")


def test_everything_said_can_be_drawn() -> None:
    box = bytes(load_font(30).getmask("\uffff"))
    text = to_drawable_text("".join(chr(code) for code in range(32, 0x3000)))
    assert not {letter for letter in text if letter > "~" and bytes(load_font(30).getmask(letter)) == box} - set("̀́̂̃̈")


@pytest.mark.parametrize("width", [1, 5, 12])
def test_no_line_is_longer_than_there_is_room(width: int) -> None:
    lines = wrap_lines("a cat and an extraordinarily long word", width, len)
    assert max(map(len, lines)) <= width
    assert "".join(lines).replace(" ", "") == "acatandanextraordinarilylongword"


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1), (30, 30)])
def test_a_note_sticks_to_any_size(size: tuple[int, int]) -> None:
    assert add_prompt_note(Image.new("RGB", size), "a prompt " * 30).size == size
