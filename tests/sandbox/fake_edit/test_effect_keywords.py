"""Effects are found in prompts in four languages, alone, combined, and negated."""

import pytest

from bot.sandbox.fake_edit.effect_keywords import EditEffect, find_effects

PROMPTS_BY_EDIT = {
    EditEffect.ROTATE_LEFT: ("rotate it to the left", "gira la foto a la izquierda", "поверни фото влево", "向左旋转"),
    EditEffect.UPSIDE_DOWN: ("turn it upside down", "ponla boca abajo", "переверни вверх ногами", "上下颠倒"),
    EditEffect.ROTATE_RIGHT: ("turn the picture right", "gírala a la derecha", "поверни вправо", "顺时针转90度"),
    EditEffect.MIRROR: ("Mirror it", "como en un espejo", "отрази зеркально", "镜像"),
    EditEffect.BLUR: ("blur the background", "desenfoca el fondo", "размой фон", "背景虚化"),
    EditEffect.BRIGHTER: ("make it brighter", "más claro, por favor", "сделай ярче", "亮一点"),
    EditEffect.DARKER: ("a bit darker", "más oscuro", "потемнее", "调暗"),
    EditEffect.POSTER: ("posterise", "posteriza la foto", "как плакат", "海报风格"),
    EditEffect.WATERCOLOUR: ("as a watercolor", "una acuarela", "акварель", "水彩画"),
    EditEffect.SKETCH: ("a pencil sketch", "un dibujo a lápiz", "рисунок карандашом", "素描"),
    EditEffect.NEGATIVE: ("invert the colours", "en negativo", "негатив", "负片"),
    EditEffect.NIGHT: ("now at night", "de noche", "ночью", "夜晚"),
    EditEffect.SNOW: ("make it snow", "que nieve", "пусть идёт снег", "下雪"),
    EditEffect.SEPIA: ("in sepia", "tono sepia", "сепия", "怀旧"),
    EditEffect.BLACK_AND_WHITE: ("BLACK-AND-WHITE", "en blanco y negro", "Чёрно-белое", "黑白"),
    EditEffect.FRAME: ("put a frame around it", "ponle un marco", "в рамке", "加个相框"),
}

COMBINED_PROMPTS = (
    "black and white with a frame, and let it snow",
    "en blanco y negro, con un marco y que nieve",
    "чёрно-белое, в рамке и со снегом",
    "黑白，加相框，下雪",
)

UNKNOWN_PROMPTS = (
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


@pytest.mark.parametrize(
    ("effect", "prompt"), [(effect, prompt) for effect in EditEffect for prompt in PROMPTS_BY_EDIT[effect]]
)
def test_every_effect_is_understood_in_every_language(effect: EditEffect, prompt: str) -> None:
    assert find_effects(prompt) == [effect]


@pytest.mark.parametrize("prompt", COMBINED_PROMPTS)
def test_several_effects_combine(prompt: str) -> None:
    assert find_effects(prompt) == [EditEffect.SNOW, EditEffect.BLACK_AND_WHITE, EditEffect.FRAME]


@pytest.mark.parametrize("prompt", UNKNOWN_PROMPTS)
def test_words_that_are_about_something_else_call_for_nothing(prompt: str) -> None:
    assert find_effects(prompt) == []


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
    assert find_effects(prompt) == [EditEffect.SEPIA]


def test_one_refusal_does_not_forbid_the_same_thing_elsewhere() -> None:
    assert find_effects("no frame around the cat, but a frame around the dog") == [EditEffect.FRAME]


@pytest.mark.parametrize(
    ("prompt", "rotation"),
    [
        ("rotate", EditEffect.ROTATE_RIGHT),
        ("rotate 180 degrees", EditEffect.UPSIDE_DOWN),
        ("rotate it counter-clockwise", EditEffect.ROTATE_LEFT),
        ("rotate it clockwise", EditEffect.ROTATE_RIGHT),
        ("旋转180度", EditEffect.UPSIDE_DOWN),
        ("flip it upside down", EditEffect.UPSIDE_DOWN),
    ],
)
def test_a_picture_is_turned_one_way_only(prompt: str, rotation: EditEffect) -> None:
    assert find_effects(prompt) == [rotation]


@pytest.mark.parametrize(
    ("prompt", "effect"), [("it is too dark", EditEffect.BRIGHTER), ("it is too bright", EditEffect.DARKER)]
)
def test_a_complaint_asks_for_the_opposite(prompt: str, effect: EditEffect) -> None:
    assert find_effects(prompt) == [effect]
