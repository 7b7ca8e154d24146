"""Plain words of four languages are understood, alone, together, and when they say what not to do."""

import pytest

from bot.sandbox.edits.vocabulary import Edit
from bot.sandbox.edits.words import wanted

WISHES = {
    Edit.LEFT: ("rotate it to the left", "gira la foto a la izquierda", "поверни фото влево", "向左旋转"),
    Edit.UPSIDE_DOWN: ("turn it upside down", "ponla boca abajo", "переверни вверх ногами", "上下颠倒"),
    Edit.RIGHT: ("turn the picture right", "gírala a la derecha", "поверни вправо", "顺时针转90度"),
    Edit.MIRROR: ("Mirror it", "como en un espejo", "отрази зеркально", "镜像"),
    Edit.BLUR: ("blur the background", "desenfoca el fondo", "размой фон", "背景虚化"),
    Edit.BRIGHTER: ("make it brighter", "más claro, por favor", "сделай ярче", "亮一点"),
    Edit.DARKER: ("a bit darker", "más oscuro", "потемнее", "调暗"),
    Edit.POSTER: ("posterise", "posteriza la foto", "как плакат", "海报风格"),
    Edit.WATERCOLOUR: ("as a watercolor", "una acuarela", "акварель", "水彩画"),
    Edit.SKETCH: ("a pencil sketch", "un dibujo a lápiz", "рисунок карандашом", "素描"),
    Edit.NEGATIVE: ("invert the colours", "en negativo", "негатив", "负片"),
    Edit.NIGHT: ("now at night", "de noche", "ночью", "夜晚"),
    Edit.SNOW: ("make it snow", "que nieve", "пусть идёт снег", "下雪"),
    Edit.SEPIA: ("in sepia", "tono sepia", "сепия", "怀旧"),
    Edit.BLACK_AND_WHITE: ("BLACK-AND-WHITE", "en blanco y negro", "Чёрно-белое", "黑白"),
    Edit.FRAME: ("put a frame around it", "ponle un marco", "в рамке", "加个相框"),
}

TOGETHER = (
    "black and white with a frame, and let it snow",
    "en blanco y negro, con un marco y que nieve",
    "чёрно-белое, в рамке и со снегом",
    "黑白，加相框，下雪",
)

KNOWN_NOTHING_OF = (
    "give the cat a hat",
    "a dark blue coat",
    "a bright red scarf",
    "build a snowman",
    "what is left of the cake",
    "turn the cat on the left into a dog",
    "Restore this photo: remove scratches, stains and noise",
    "снеговик",
    "雪人",
    "",
    " ",
    "🎉",
)


@pytest.mark.parametrize(("edit", "prompt"), [(edit, prompt) for edit in Edit for prompt in WISHES[edit]])
def test_every_wish_is_understood_in_every_language(edit: Edit, prompt: str) -> None:
    assert wanted(prompt) == [edit]


@pytest.mark.parametrize("prompt", TOGETHER)
def test_several_wishes_combine(prompt: str) -> None:
    assert wanted(prompt) == [Edit.SNOW, Edit.BLACK_AND_WHITE, Edit.FRAME]


@pytest.mark.parametrize("prompt", KNOWN_NOTHING_OF)
def test_words_that_are_about_something_else_call_for_nothing(prompt: str) -> None:
    assert wanted(prompt) == []


@pytest.mark.parametrize(
    "prompt",
    [
        "sepia without a frame",
        "sepia, no frame",
        "sepia and remove the frame",
        "sepia sin marco",
        "сепия без рамки",
        "怀旧，不要相框",
    ],
)
def test_what_is_to_be_left_out_is_left_out(prompt: str) -> None:
    assert wanted(prompt) == [Edit.SEPIA]


def test_one_refusal_does_not_forbid_the_same_thing_elsewhere() -> None:
    assert wanted("no frame around the cat, but a frame around the dog") == [Edit.FRAME]


@pytest.mark.parametrize(
    ("prompt", "turn"),
    [
        ("rotate", Edit.RIGHT),
        ("rotate 180 degrees", Edit.UPSIDE_DOWN),
        ("rotate it counter-clockwise", Edit.LEFT),
        ("rotate it clockwise", Edit.RIGHT),
        ("旋转180度", Edit.UPSIDE_DOWN),
        ("flip it upside down", Edit.UPSIDE_DOWN),
    ],
)
def test_a_picture_is_turned_one_way_only(prompt: str, turn: Edit) -> None:
    assert wanted(prompt) == [turn]


@pytest.mark.parametrize(("prompt", "edit"), [("it is too dark", Edit.BRIGHTER), ("it is too bright", Edit.DARKER)])
def test_a_complaint_is_a_wish_for_the_opposite(prompt: str, edit: Edit) -> None:
    assert wanted(prompt) == [edit]
