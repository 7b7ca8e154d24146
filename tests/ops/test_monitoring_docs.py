"""The alerts, the dashboard and their page use metrics that exist, and the alerts fire as described."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.settings import Settings
from tests.bot_harness import open_bot_harness
from tests.inbound.metrics_scrape import MetricsScrape, scrape_metrics
from tests.process_harness import PROJECT_ROOT, make_photo

FOLDER = PROJECT_ROOT / "docs" / "monitoring"
PAGE = (PROJECT_ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
ALERT_RULES = (FOLDER / "alerts.yml").read_text(encoding="utf-8")
ALERT_TESTS = (FOLDER / "alerts_test.yml").read_text(encoding="utf-8")
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))

ALERT_NAMES = re.findall(r"^      - alert: (\w+)$", ALERT_RULES, re.MULTILINE)

SELECTOR = re.compile(r"\b((?:darkroom|process)_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(?:=~|!~|!=|=)"([^"]*)"')

#: Labels that Prometheus adds, and those whose values come from the other side.
PROMETHEUS_LABELS = frozenset({"job", "instance"})
OPEN_LABELS = frozenset({"code", "method"})


@pytest.fixture
async def figures(tmp_path: Path) -> AsyncIterator[MetricsScrape]:
    """The metrics of a bot that has made an edit and knows its credit balance."""
    async with open_bot_harness(tmp_path, metrics_port=0) as house:
        await house.request_edit(make_photo(size=(16, 16)))
        await house.bot.db.transact(lambda tx: tx.credits.set_balance(100.0, house.clock.instant()))
        yield await scrape_metrics(house)


def _queries() -> dict[str, list[str]]:
    """Return the queries of each alert and panel."""
    rules = re.findall(r"alert: (\w+)\n +expr: (?:>-\n)?(.*?)\n +(?:for|labels):", ALERT_RULES, re.DOTALL)
    panels = {panel["title"]: [each["expr"] for each in panel.get("targets", [])] for panel in DASHBOARD["panels"]}
    return {name: [expression] for name, expression in rules} | panels


def _alert_tests() -> list[str]:
    return re.findall(r"^      - series: '(.+)'$", ALERT_TESTS, re.MULTILINE)


def _unknown_in_query(query: str, figures: MetricsScrape) -> Iterator[str]:
    """Yield the metrics, labels and values of a query that do not exist."""
    shown = [(name, labels) for name, labels, _ in figures.samples()]
    for name, matchers in SELECTOR.findall(query):
        known = [labels for sample, labels in shown if sample == name]
        if not known:
            yield name
        for label, values in MATCHER.findall(matchers):
            there = {labels.get(label) for labels in known}
            if label not in PROMETHEUS_LABELS | OPEN_LABELS | {"le"} and not set(values.split("|")) <= there:
                yield f"{name} with {label} {values}"
            if label in OPEN_LABELS and there == {None}:
                yield f"{name} by {label}"


async def test_every_figure_that_is_asked_for_is_shown(figures: MetricsScrape) -> None:
    queries = [query for asked in _queries().values() for query in asked]
    assert len(queries) > 40
    assert [strange for query in [*queries, *_alert_tests()] for strange in _unknown_in_query(query, figures)] == []


async def test_what_is_added_up_by_a_label_has_it_and_shows_it(figures: MetricsScrape) -> None:
    labels = {label for _, these, _ in figures.samples() for label in these}
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            by = {
                label.strip() for names in re.findall(r" by \(([^)]*)\)", target["expr"]) for label in names.split(",")
            }
            assert by <= labels, panel["title"]
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) == by - {"le"}, panel["title"]


async def test_the_page_explains_each_figure_and_no_other(figures: MetricsScrape) -> None:
    explained = re.findall(r"^\| `(\w+)` \|", PAGE.partition("\n## The metrics\n")[2], re.MULTILINE)
    shown = {
        f"{name}_total" if family.type == "counter" else name
        for name, family in figures.families.items()
        if name.startswith("darkroom_")
    }
    assert sorted(explained) == sorted({*shown, "process_cpu_seconds_total"})


def test_the_dashboard_answers_three_questions_and_its_panels_do_not_cover_each_other() -> None:
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert rows == ["Does it work", "What does it cost", "How fast"]
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_each_alert_has_its_section_its_story_and_what_to_do() -> None:
    assert re.findall(r"^### (\w+)$", PAGE, re.MULTILINE) == ALERT_NAMES
    assert re.findall(r"^          runbook: docs/monitoring\.md#(\w+)$", ALERT_RULES, re.MULTILINE) == [
        name.lower() for name in ALERT_NAMES
    ]
    assert len(re.findall(r"^          description: >-$", ALERT_RULES, re.MULTILINE)) == len(ALERT_NAMES)
    assert set(re.findall(r'alertname="(\w+)"', ALERT_TESTS)) == set(ALERT_NAMES)


def test_what_alerts_say_of_settings_is_so() -> None:
    assert f"darkroom_kie_credits_left < {Settings.model_fields['low_credits'].default}\n" in ALERT_RULES
    assert f"`LOW_CREDITS`; its default of {Settings.model_fields['low_credits'].default} is" in PAGE
    [port] = set(re.findall(r"METRICS_PORT=(\d+)", PAGE))
    assert f"127.0.0.1:{port}" in (FOLDER / "prometheus.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "words", [("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")], ids=lambda words: words[-1]
)
def test_promtool_accepts_the_rules_and_their_stories_come_true(words: tuple[str, ...]) -> None:
    promtool = os.environ.get("PROMTOOL") or shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool: install Prometheus, or name it in PROMTOOL")
    done = subprocess.run([promtool, *words], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
