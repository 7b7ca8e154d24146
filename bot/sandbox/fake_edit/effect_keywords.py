"""The keywords of each effect, as regular expressions, in the languages of the bot.

They ignore case and accents, and match phrases about the whole picture, such as
"darker", rather than words such as "dark", which may describe a hat.
"""

import re
import unicodedata
from enum import StrEnum
from functools import cache


class EditEffect(StrEnum):
    """An effect of the fake edit, in the order of application."""

    ROTATE_LEFT = "a quarter turn to the left"
    UPSIDE_DOWN = "half a turn"
    ROTATE_RIGHT = "a quarter turn to the right"
    MIRROR = "left and right exchanged"
    BLUR = "blur"
    BRIGHTER = "brighter"
    DARKER = "darker"
    POSTER = "few colours, as on a poster"
    WATERCOLOUR = "watercolour"
    SKETCH = "pencil lines"
    NEGATIVE = "negative"
    NIGHT = "night"
    SNOW = "snow"
    SEPIA = "sepia"
    BLACK_AND_WHITE = "black and white"
    FRAME = "a frame"


_IT_EN = r"(?: (?:it|this|that|the|my|whole|picture|photo|image|by|to|90|degrees|°))*"
_IT_ES = r"(?: (?:la|esta|mi|el|lo|foto|imagen|a|hacia|un|poco|90|grados|°))*"
_IT_RU = r"(?: (?:её|ее|его|это|эту|фото|фотографию|снимок|картинку|изображение|на|90|градусов|°))*"

EFFECT_KEYWORDS: dict[EditEffect, tuple[str, ...]] = {
    EditEffect.ROTATE_LEFT: (
        rf"\b(?:rotate|turn|tilt){_IT_EN} left\b",
        r"\b(?:anti|counter)-?clockwise",
        rf"\b(?:gir|rot)\w+{_IT_ES} izquierda",
        r"\bsentido antihorario",
        rf"\b(?:поверн|развер|вращ|крут)\w*{_IT_RU} (?:налево|влево)",
        r"\bпротив часовой",
        r"(?:向左|往左|朝左)边?(?:旋转|转)",
        r"转.{0,6}(?:向左|往左)",
        r"逆时针",
    ),
    EditEffect.UPSIDE_DOWN: (
        r"\bupside[- ]down",
        rf"\b(?:rotate|turn){_IT_EN} (?:180|around)\b",
        r"\bon its head\b",
        r"\bboca abajo",
        r"\bcabeza abajo",
        r"\bpatas arriba",
        rf"\b(?:gir|rot)\w+{_IT_ES} 180",
        r"\bвверх (?:ногами|тормашками)",
        r"\bперевер(?:ни|нуть|нут)",
        rf"\b(?:поверн|развер)\w*{_IT_RU} 180",
        r"颠倒|倒过来|倒置|上下翻转",
        r"(?:旋转|转)\s*(?:180|一百八十)",
    ),
    EditEffect.ROTATE_RIGHT: (
        rf"\b(?:turn|tilt){_IT_EN} right\b",
        r"(?<!-)\bclockwise",
        r"\brotate\b",
        rf"\b(?:gir|rot)\w+{_IT_ES} derecha",
        r"\b(?:gira|girar|girala|rota|rotar|rotala)\b",
        r"\bsentido horario",
        rf"\b(?:развер|вращ|крут)\w*{_IT_RU} (?:направо|вправо)",
        r"\b(?:повернуть|поверни)\b",
        r"\bпо часовой",
        r"顺时针|旋转|(?:向右|往右|朝右)边?转",
    ),
    EditEffect.MIRROR: (
        r"\bmirror",
        r"\bflip\b(?! (?:\w+ )?upside)",
        r"\bespejo",
        r"\breflej\w+",
        r"\bvoltea\w*(?: \w+)? horizontal",
        r"\b(?:от)?зеркал",
        r"\bотраз(?:и|ить)",
        r"镜像|镜面|左右翻转|水平翻转|左右颠倒",
    ),
    EditEffect.BLUR: (
        r"\bblur(?:red|ring)?\b",
        r"\b(?:make it|more) blurry",
        r"\bdreamy",
        r"\bdesenfo[cq]",
        r"\bborros",
        r"\bdifumin",
        r"\bразмы(?:т|в)|\bразмой|\bрасфокус|\bблюр",
        r"模糊|虚化|柔焦",
    ),
    EditEffect.BRIGHTER: (
        r"\bbright(?:er|en)\w*",
        r"\blight(?:er|en)\w*",
        r"\bmake (?:it|this) (?:bright|light|sunny)\b",
        r"\bmore light\b",
        r"\btoo dark",
        r"\bmas (?:clar[oa]|luz|brillo|brillante|luminos[oa])",
        r"\baclar\w+|\bilumin\w+",
        r"\bdemasiado oscur",
        r"\b(?:по)?(?:ярче|светлее)|\bосветл|\bбольше света|\bслишком темн",
        r"更亮|[调变提增]亮|明亮|亮[一些点]|太暗",
    ),
    EditEffect.DARKER: (
        r"\bdark(?:er|en)\w*",
        r"\bmake (?:it|this) dark\b",
        r"\bless (?:bright|light)",
        r"\btoo bright",
        r"\bmas oscur|\boscurec|\bmenos (?:luz|brillo)|\bdemasiado (?:clar|brill)",
        r"\b(?:по)?темнее|\bзатемн|\bменьше света|\bслишком (?:ярк|светл)",
        r"更暗|[调变压]暗|暗[一些点]|太亮",
    ),
    EditEffect.POSTER: (
        r"\bposter",
        r"\bpop[- ]?art",
        r"\barte pop",
        r"\bпостер|\bплакат|\bпоп-?арт",
        r"海报|色调分离|波普",
    ),
    EditEffect.WATERCOLOUR: (r"\bwater-?colou?r", r"\bacuarela", r"\bакварел", r"水彩"),
    EditEffect.SKETCH: (
        r"\bsketch|\bpencil|\bline drawing",
        r"\bboceto|\blapiz|\bdibujo",
        r"\bнабросок|\bэскиз|\bкарандаш",
        r"素描|铅笔|速写|线稿",
    ),
    EditEffect.NEGATIVE: (
        r"\binvert|\bnegative",
        r"\bnegativo|\binvert\w+|\binvierte",
        r"\bнегатив|\bинверт",
        r"负片|反色|反相",
    ),
    EditEffect.NIGHT: (r"\bnight\b", r"\bnoche\b", r"\bноч[ьи]", r"夜晚|夜景|晚上|黑夜|夜里"),
    EditEffect.SNOW: (
        r"\bsnow(?!m[ae]n|board)|\bwinter",
        r"\bniev|\bnev(?:ar|ad|and)|\binvierno|\bcopos",
        r"\bсне(?:г|ж)(?!ови)|\bзим[аоуын]",
        r"雪(?!人)|冬天|冬季",
    ),
    EditEffect.SEPIA: (
        r"\bsepia|\bvintage|\bretro\b|\b(?:like|as) an old photo",
        r"\bfoto antigua|\bcomo antigua",
        r"\bсепи|\bвинтаж|\bретро|\b(?:под )?старин|\bкак стар(?:ое|ую|ая) фото",
        r"复古|怀旧|棕褐|泛黄|像?老照片",
    ),
    EditEffect.BLACK_AND_WHITE: (
        r"\bblack(?: and | & | n |-and-|[-/])white",
        r"\bb ?[&/] ?w\b|\bbw\b",
        r"\bgr[ae]y ?scale|\bmonochrom|\bdesaturat",
        r"\bblanco y negro|\bescala de grises|\bmonocrom",
        r"\bч[её]рно[- ]?бел|\bчб\b|\bч/б|\bмонохром|\bоттенк\w+ серого",
        r"黑白|灰度|单色",
    ),
    EditEffect.FRAME: (
        r"\bframe[ds]?\b|\bborder\b",
        r"\bmarco\b|\benmarc",
        r"\bрамк|\bв рам[уе]\b|\bобрам",
        r"相框|画框|边框|(?:加|带|个)框",
    ),
}

#: what negates the keyword after it
NEGATIONS = (
    r"\b(?:no|not|non|without|don't|dont|do not|never|less|fix|remove|undo)(?: (?:the|a|any|make it|that|this))*\s*$",
    r"\b(?:sin|quita|quitar|elimina|nada de|menos)(?: (?:el|la|los|las|mas))*\s*$",
    r"\b(?:без|не|нет|убери|убрать|удали)(?: (?:это|эту|этот|делай))*\s*$",
    r"(?:不要|别|不|没有|去掉|去除|无)(?:有|加|下)?\s*$",
)


#: at most one of these is applied
ROTATIONS = (EditEffect.ROTATE_LEFT, EditEffect.UPSIDE_DOWN, EditEffect.ROTATE_RIGHT)
#: how far before a keyword its negation may be, in characters
NEGATION_WINDOW = 24


def find_effects(prompt: str) -> list[EditEffect]:
    """Return the effects that a prompt asks for, in the order of application."""
    text = normalize_text(prompt)
    found = [effect for effect, keywords in EFFECT_KEYWORDS.items() if _is_requested(_compile_any(keywords), text)]
    rotations = [effect for effect in found if effect in ROTATIONS]
    return [effect for effect in found if effect not in rotations[1:]]


def normalize_text(text: str) -> str:
    """Case-fold, remove accents, narrow full-width forms, and collapse spaces."""
    return " ".join(_remove_accents(text.casefold().replace("’", "'")).split())


def _remove_accents(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


def _is_requested(pattern: re.Pattern[str], text: str) -> bool:
    starts = (match.start() for match in pattern.finditer(text))
    negation = _compile_any(NEGATIONS)
    return any(not negation.search(text[max(0, start - NEGATION_WINDOW) : start]) for start in starts)


@cache
def _compile_any(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(_remove_accents("|".join(patterns)))
