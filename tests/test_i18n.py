"""The catalogues are complete, have the same placeholders, and keep Telegram's limits, in every language."""

import ast
from functools import cache
from importlib.resources import files
from pathlib import Path

import pytest
from fluent.syntax import FluentParser
from fluent.syntax import ast as ftl
from fluent.syntax.visitor import Visitor

from bot import i18n
from bot.edit_options import AnswerAs
from bot.i18n import closest_language, languages, sentence
from bot.i18n.prompt_suggestions import PROMPT_SUGGESTIONS
from bot.kie.errors import BlockCause
from bot.ops.bot_commands import ADMIN_COMMANDS, OFFERED_COMMANDS
from bot.stats.aggregates import EditOutcome
from bot.store.chats import Preference

BOT = Path(__file__).parents[1] / "bot"
LANGUAGES = languages()

#: Names of sentences that the code builds from parts.
COMPOSED = (
    {f"admin-halt-{halt}" for halt in BlockCause}
    | {f"idea-{idea.name}" for idea in PROMPT_SUGGESTIONS.values()}
    | {f"{what}-{preference}".replace("_", "-") for what in ("setting", "choose") for preference in Preference}
    | {f"as-{each}" for each in (*AnswerAs, "auto")}
    | {
        "got-it",
        "got-it-with-time",
        "in-the-queue",
        "in-the-queue-with-time",
        "being-edited",
        "being-edited-with-time",
        "start",
        "help",
        "question-over",
        "cancelled-here",
        "cancelled-in-doubt",
        "result-lost",
        "result-not-sent",
        "result-gone",
        "original-gone",
        "button-again",
        "button-cancel",
        "button-fetch",
        "button-leave",
        *(f"command-{name}" for names in OFFERED_COMMANDS.values() for name in names),
        "button-variation",
        "button-original",
        "button-delete",
        "now-allowed",
        "now-denied",
        "now-blocked",
        "waiting-for-owner",
        "waiting-for-owner-unaware",
        "waiting-for-kie",
        *(end.sentence_name for end in EditOutcome),
        *(f"command-{name}" for name in ADMIN_COMMANDS),
        "stats-days",
        "stats-hours",
        "stats-by-hour",
        "stats-by-day",
        "stats-by-week",
        "stats-failed",
        "stats-others",
        "stats-half",
        "stats-most",
    }
)
#: Sentences that only other sentences refer to.
REFERENCED_ONLY = {"about-to-go", "usually", "limit-used-up", "not-taken-today"}


class VariableCollector(Visitor):
    """Collects the variables that a message refers to."""

    def __init__(self) -> None:
        self.variables: set[str] = set()

    def visit_VariableReference(self, node: ftl.VariableReference) -> None:  # noqa: N802 - the library's name
        self.variables.add(node.id.name)


@cache
def _messages(language: str) -> dict[str, ftl.Message]:
    source = files(i18n).joinpath(f"{language}.ftl").read_text(encoding="utf-8")
    body = FluentParser().parse(source).body
    assert not [entry for entry in body if isinstance(entry, ftl.Junk)]
    return {entry.id.name: entry for entry in body if isinstance(entry, ftl.Message)}


def _variables(language: str, name: str) -> set[str]:
    names = VariableCollector()
    names.visit(_messages(language)[name])
    return names.variables


def _render_example(language: str, name: str) -> str:
    values = {each: 2 if each in NUMBERS else "x" for each in _all_variables(language, name)}
    return sentence(name, **values).translate(language)


NUMBERS = {
    "count",
    "coming",
    "days",
    "length",
    "most",
    "place",
    "messages",
    "uploads",
    "results",
    "records",
    "edits",
    "texts",
    "pictures",
    "waiting",
    "ordered",
}


def _all_variables(language: str, name: str) -> set[str]:
    return set().union(*(_variables(language, each) for each in _messages(language)))


def test_there_are_at_least_these_four() -> None:
    assert {"en", "es", "ru", "zh"} <= set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_catalogue_has_the_same_sentences_with_the_same_things_filled_in(language: str) -> None:
    english = {name: _variables("en", name) for name in _messages("en")}
    assert {name: _variables(language, name) for name in _messages(language)} == english


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_can_be_said_and_fits_into_a_message(language: str) -> None:
    said = {name: _render_example(language, name) for name in _messages(language)}
    assert max(map(len, said.values())) < 4096
    assert [name for name, words in said.items() if name.startswith("answer") and len(words) > 1024] == []
    assert [
        name
        for name, words in said.items()
        if name.startswith(("toast", "original", "result-gone")) and len(words) > 200
    ] == []


def test_the_code_says_exactly_what_there_is() -> None:
    said = set(COMPOSED) | REFERENCED_ONLY
    for path in BOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "sentence":
                name = node.args[0]
                names = (name.body, name.orelse) if isinstance(name, ast.IfExp) else (name,)
                said |= {str(each.value) for each in names if isinstance(each, ast.Constant)}
    assert said == set(_messages("en"))


@pytest.mark.parametrize(
    ("language", "count", "words"),
    [("en", 1, "a minute"), ("en", 2, "2 minutes"), ("ru", 1, "минут"), ("ru", 2, "2 минуты"), ("ru", 5, "5 минут")],
)
def test_plurals_are_those_of_the_language(language: str, count: int, words: str) -> None:
    assert words in sentence("minutes", count=count).translate(language)


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("ru", "ru"),
        ("es-MX", "es"),
        ("zh-hans", "zh"),
        ("zh_CN", "zh"),
        ("EN", "en"),
        ("fr", "en"),
        (None, "en"),
        ("", "en"),
    ],
)
def test_the_closest_language_is_spoken(code: str | None, language: str) -> None:
    assert closest_language(code) == language


def test_what_is_filled_in_cannot_turn_the_sentence_around_it() -> None:
    said = sentence("other-format", format="\u202eשלום\u2069\u2066").translate("en")
    assert "\u2068שלום\u2069" in said
    assert "\u202e" not in said


def test_an_id_can_be_copied_as_it_stands() -> None:
    assert sentence("stranger", id="1234567").translate("en").endswith(": 1234567")


def test_what_is_filled_in_is_never_read_as_a_pattern() -> None:
    assert "{ $id } & <b>" in sentence("model-refuses", words="{ $id } & <b>").translate("en")


def test_an_unknown_sentence_is_a_mistake_that_shows() -> None:
    with pytest.raises(LookupError):
        sentence("nothing-like-it").translate("en")
