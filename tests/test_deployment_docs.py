"""The documents and files for operators: they name only what exists, and work as they are."""

import asyncio
import configparser
import json
import os
import re
import subprocess
import sys
from functools import cache
from importlib.resources import files
from pathlib import Path

import pytest
from fluent.syntax import FluentParser
from fluent.syntax import ast as ftl

from bot import i18n
from bot.inbound import kie_callback, telegram_webhook
from bot.inbound.http_endpoints import HttpEndpoints
from bot.settings import KIE_CALLBACK_PATH, SECRET_SETTINGS, TELEGRAM_WEBHOOK_PATH, Settings
from tests.process_harness import PROJECT_ROOT

OPERATING_PAGE = PROJECT_ROOT / "docs" / "operating.md"
OPERATING_FILES = PROJECT_ROOT / "docs" / "operating"
OPERATING_TEXT = OPERATING_PAGE.read_text(encoding="utf-8")
COMPOSE = (OPERATING_FILES / "compose.yaml").read_text(encoding="utf-8")
DOCKERFILE = (PROJECT_ROOT / "Dockerfile").read_text(encoding="utf-8")
PAGES = [
    OPERATING_PAGE,
    PROJECT_ROOT / "docs" / "monitoring.md",
    PROJECT_ROOT / "README.md",
    PROJECT_ROOT / "SECURITY.md",
]

NAMES = {name.upper() for name in Settings.model_fields}


@cache
def _admin_messages() -> dict[str, str]:
    """Return the bot's messages to admins by name, with … for each placeholder."""
    body = FluentParser().parse(files(i18n).joinpath("en.ftl").read_text(encoding="utf-8")).body
    messages = [each for each in body if isinstance(each, ftl.Message) and each.id.name.startswith("admin-")]
    return {each.id.name: "".join(map(_render_element, each.value.elements)) for each in messages if each.value}


def _render_element(element: ftl.TextElement | ftl.Placeable) -> str:
    return element.value if isinstance(element, ftl.TextElement) else "…"


def _table_rows() -> list[str]:
    """Return the messages that the table of messages to admins explains."""
    _, _, section = OPERATING_TEXT.partition("\n## What it tells admins\n")
    return re.findall(r"^\| “(.+?)” \|", section.partition("\n## ")[0], re.MULTILINE)


def test_every_message_to_admins_is_explained_by_its_first_words() -> None:
    unexplained = [name for name, said in _admin_messages().items() if not any(map(said.startswith, _table_rows()))]
    assert unexplained == []


@pytest.mark.parametrize("row", _table_rows())
def test_an_explained_message_is_one_that_there_is(row: str) -> None:
    assert len([said for said in _admin_messages().values() if said.startswith(row)]) == 1


@pytest.mark.parametrize("page", [*PAGES, *sorted(OPERATING_FILES.iterdir())], ids=lambda path: path.name)
def test_every_variable_that_is_named_is_a_setting(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z0-9]+)+)(?:=[^`\s]*)?`", text))
    given = set(re.findall(r"^(?: +|Environment=)([A-Z][A-Z_]+)[:=]", text, re.MULTILINE))
    assert (named | given) <= NAMES


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_to_what_there_is(page: Path) -> None:
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", page.read_text(encoding="utf-8")):
        target = (page.parent / path) if path else page
        assert target.exists(), path
        if anchor:
            assert anchor in _anchors(target), anchor


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_compose_hands_over_secrets_where_the_settings_look_for_them() -> None:
    handed = re.findall(r"^      (\w+)_FILE: /run/secrets/(\w+)$", COMPOSE, re.MULTILINE)
    assert handed
    for variable, name in handed:
        assert name == variable.lower()
        assert name in SECRET_SETTINGS
        assert f"\n      - {name}\n" in COMPOSE
        assert f"\n  {name}:\n    file: ../../secrets/{name}\n" in COMPOSE


def test_the_image_is_built_on_one_that_cannot_change() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", DOCKERFILE, re.MULTILINE))
    foreign = [base for base in bases if base not in stages]
    assert foreign
    assert [base for base in foreign if not re.fullmatch(r"[a-z.:0-9-]+@sha256:[0-9a-f]{64}", base)] == []


def test_a_container_gets_nothing_that_the_bot_does_not_need() -> None:
    for line in ("read_only: true", "cap_drop:\n      - ALL", "security_opt:\n      - no-new-privileges:true"):
        assert f"\n    {line}\n" in COMPOSE
    [memory] = re.findall(r"^    mem_limit: (\w+)$", COMPOSE, re.MULTILINE)
    [processes] = re.findall(r"^    pids_limit: (\d+)$", COMPOSE, re.MULTILINE)
    fences = ["--cap-drop ALL", "--security-opt no-new-privileges", "--read-only", f"--memory {memory}"]
    commands = [each for page in PAGES for each in _commands(page) if each.startswith("docker run -d")]
    assert commands
    for command in commands:
        assert [fence for fence in (*fences, f"--pids-limit {processes}") if fence not in command] == []
        assert f"-e {SECRET_SETTINGS[0].upper()}_FILE=/run/secrets/{SECRET_SETTINGS[0]} " in command


def _commands(page: Path) -> list[str]:
    """Return the commands that a page shows, each on one line."""
    shown = re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return "\n".join(shown).replace("\\\n", " ").splitlines()


def test_the_proxies_write_no_address_of_an_order_down_while_the_bot_is_away() -> None:
    nginx, caddy = ((OPERATING_FILES / name).read_text(encoding="utf-8") for name in ("nginx.conf", "Caddyfile"))
    called = KIE_CALLBACK_PATH
    [location] = re.findall(rf"^    location {called} {{\n(.+?)^    }}", nginx, re.MULTILINE | re.DOTALL)
    assert "        error_log /dev/null emerg;\n" in location
    assert "    access_log off;\n" in nginx
    assert "{\n\tlog {\n\t\texclude http.log.error\n\t}\n}\n" in re.sub(r"^\s*#.*\n", "", caddy, flags=re.MULTILINE)


def test_compose_and_the_proxies_lead_to_the_port_of_the_image() -> None:
    [port] = re.findall(r"^    PORT=(\d+)", DOCKERFILE, re.MULTILINE)
    assert int(port) == Settings.model_fields["port"].default
    assert f'"127.0.0.1:{port}:{port}"' in COMPOSE
    for name in ("nginx.conf", "Caddyfile"):
        onward = re.findall(r"127\.0\.0\.1:(\d+)", (OPERATING_FILES / name).read_text(encoding="utf-8"))
        assert set(onward) == {port}


def test_the_proxies_let_the_two_paths_through_and_as_much_as_the_door_takes() -> None:
    nginx, caddy = ((OPERATING_FILES / name).read_text(encoding="utf-8") for name in ("nginx.conf", "Caddyfile"))
    called = KIE_CALLBACK_PATH
    let_in = re.findall(r"^    location (?:= )?(\S+) {\n(?: +client.*\n)? +proxy_pass", nginx, re.MULTILINE)
    assert let_in == [called, TELEGRAM_WEBHOOK_PATH]
    assert f"@bot path {called}* {TELEGRAM_WEBHOOK_PATH}\n" in caddy
    assert f"client_max_body_size {telegram_webhook.MAX_BODY_BYTES // 1024**2}m;" in nginx
    assert f"client_max_body_size {kie_callback.MAX_BODY_BYTES // 1024}k;" in nginx
    assert f"max_size {telegram_webhook.MAX_BODY_BYTES // 1024**2}MiB\n" in caddy


def test_the_unit_starts_the_bot_again_unless_something_has_to_be_changed() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # as configparser's documentation says
    unit.read_string((OPERATING_FILES / "darkroom.service").read_text(encoding="utf-8"))
    service = unit["Service"]
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("on-failure", "2")
    assert service["ExecStart"].endswith("-m bot run")
    written_to = f"/var/lib/{service['StateDirectory']}"
    assert f"`DATABASE_PATH={written_to}/darkroom.db`" in OPERATING_TEXT


def _health_check(port: int) -> int:
    """Run the image's health check, and return its exit code."""
    [command] = re.findall(r"^HEALTHCHECK .*\\\n +CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)
    _, *words = json.loads(command)
    environment = {"PORT": str(port), "PATH": os.environ["PATH"], "http_proxy": "http://127.0.0.1:9"}
    return subprocess.run([sys.executable, *words], env=environment, stderr=subprocess.DEVNULL, check=False).returncode


async def test_the_health_check_of_the_image_tells_whether_the_bot_lives() -> None:
    async def missing() -> list[str]:
        return ["receiver"]

    door = HttpEndpoints(failed_conditions=missing, prove_ownership=str)
    port = int((await door.open("127.0.0.1", 0)).rpartition(":")[2])
    alive = await asyncio.to_thread(_health_check, port)
    await door.close()
    assert (alive, await asyncio.to_thread(_health_check, port)) == (0, 1)
