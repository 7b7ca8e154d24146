"""An error in the settings is one line that names the variable and the remedy, and contains no secret."""

import re
from pathlib import Path

import pytest

from bot.settings import SECRET_SETTINGS, CannotRun, Settings, load_settings

TOKEN = "1234:" + "obviously-fake"
KEY = "obviously-fake-key"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only the two secrets are set, and there is no .env."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("KIE_API_KEY", KEY)
    monkeypatch.chdir(tmp_path)


def _problem() -> str:
    with pytest.raises(CannotRun) as caught:
        load_settings()
    return str(caught.value)


def test_two_secrets_are_enough() -> None:
    settings = load_settings()
    assert settings.secrets == (TOKEN, KEY, settings.webhook_secret)
    assert settings.creates_per_10_seconds == 20


@pytest.mark.parametrize("value", [None, "", "  "])
@pytest.mark.parametrize("name", ["TELEGRAM_BOT_TOKEN", "KIE_API_KEY"])
def test_a_missing_secret_is_named_with_where_to_get_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str | None
) -> None:
    monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    assert _problem().startswith(name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "99999"),
        ("PORT", "web"),
        ("KIE_TIMEOUT_SECONDS", "0"),
        ("CREATES_PER_10_SECONDS", "0"),
        ("MAX_RUNNING", "-1"),
        ("TELEGRAM_API_URL", "api.telegram.org"),
        ("KIE_API_URL", "ftp://kie"),
        ("KIE_UPLOAD_URL", "https://kie?x=1"),
        ("ADMIN_IDS", "1,ada"),
        ("ALLOWED_IDS", "1.5"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "xml"),
        ("IMAGE_TRANSPORT", "pigeon"),
        ("IMAGE_TRANSPORT", "direct"),
        ("TASK_DEADLINE_SECONDS", "soon"),
        ("KEEP_DAYS", "0"),
        ("KEEP_DAYS", "inf"),
        ("KEEP_DAYS", "nan"),
        ("KIE_API_URL", "https://kie:77777"),
        ("KIE_UPLOAD_URL", "https://kie:abc"),
        ("CREATES_PER_10_SECONDS", "1" * 21),
        ("ADMIN_IDS", "1" * 25),
        ("ADMIN_IDS", "1" * 5000),
        ("TELEGRAM_MESSAGES_PER_SECOND", "inf"),
        ("ALLOW_TOKEN_IN_URLS", "maybe"),
        ("TELEGRAM_UPDATES", "webhook"),
        ("DAILY_EDITS", "-1"),
        ("DAILY_EDITS_PER_USER", "many"),
        ("DAILY_CREDITS", "inf"),
        ("LOW_CREDITS", "nan"),
        *(
            ("PUBLIC_URL", value)
            for value in (
                "bot.example.org",
                "http://bot.example.org",
                "http://0.0.0.0:8080",
                "http://localhost.example.org",
                "ftp://127.0.0.1",
                "https://",
                "https://bot.example.org?",
                "https://bot.example.org/#door",
                "https://ada:canary@bot.example.org",
                "https://bot example.org",
                "https://böt.example.org",
                "https://bot.example.org:77777",
            )
        ),
        ("KIE_WEBHOOK_KEY", "two words"),
        ("METRICS_PORT", "99999"),
        ("METRICS_PORT", "8080"),
        ("TELEGRAM_API_URL", "https://api.telegram.org/bot"),
        ("TELEGRAM_API_URL", "https://api.telegram.org/bot/"),
        ("TELEGRAM_API_URL", "https://api.telegram.org/bot" + TOKEN),
        ("SSLKEYLOGFILE", "/nowhere/keys"),
        ("SSLKEYLOGFILE", "/"),
    ],
)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert name in _problem().splitlines()[-1]


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e308", "1e400", "-1", "9" * 30, "9" * 5000])
@pytest.mark.parametrize(
    "name",
    [name.upper() for name, field in Settings.model_fields.items() if field.annotation in (int, float, int | None)],
)
def test_a_number_that_nobody_can_mean_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert _problem().startswith(name)


def test_a_secret_in_the_place_of_another_setting_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIE_WEBHOOK_KEY", "canary/with/slashes")
    monkeypatch.delenv("KIE_API_KEY")
    monkeypatch.setenv("KIE_API_KEY_FILE", "canary/with/slashes")
    assert "canary" not in _problem()


@pytest.mark.parametrize("name", ["TELEGRAM_BOT_TOKEN", "KIE_API_KEY", "KIE_WEBHOOK_KEY"])
def test_a_wrong_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "canary with spaces")
    problem = _problem()
    assert problem.startswith(name)
    assert "canary" not in problem


@pytest.mark.parametrize("name", [name.upper() for name in SECRET_SETTINGS])
def test_a_secret_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    value = f"99:in-a-file-{name.lower()}"
    (tmp_path / "secret").write_text(f"{value}\n", encoding="utf-8")
    monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "secret"))
    assert value in load_settings().secrets


@pytest.mark.parametrize("name", [name.upper() for name in SECRET_SETTINGS])
def test_a_file_of_a_secret_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(f"{name}_FILE", "nowhere/secret")
    assert f"{name}_FILE nowhere/secret cannot be read" in _problem()


def test_a_secret_in_the_place_of_its_files_name_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KIE_API_KEY")
    monkeypatch.setenv("KIE_API_KEY_FILE", KEY)
    assert _problem() == (
        "KIE_API_KEY_FILE cannot be read (No such file or directory): name a file that holds the secret"
    )


def test_a_file_that_holds_no_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary in several words", encoding="utf-8")
    monkeypatch.delenv("TELEGRAM_BOT_TOKEN")
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN_FILE", str(tmp_path / "secret"))
    problem = _problem()
    assert problem.startswith("TELEGRAM_BOT_TOKEN")
    assert "canary" not in problem


@pytest.mark.parametrize("name", ["TELEGRAM_BOT_TOKEN", "KIE_API_KEY"])
def test_a_secret_in_two_places_is_not_guessed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("99:other", encoding="utf-8")
    monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "secret"))
    assert f"{name} and {name}_FILE are both set" in _problem()


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("https://bot.example.org", "https://bot.example.org"),
        ("https://bot.example.org:8443/darkroom/", "https://bot.example.org:8443/darkroom"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost/", "http://localhost"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_address_that_reaches_us_is_taken_without_its_last_slash(
    monkeypatch: pytest.MonkeyPatch, value: str, read: str
) -> None:
    monkeypatch.setenv("PUBLIC_URL", value)
    assert load_settings().public_url == read


def test_the_key_of_callbacks_is_a_secret_like_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIE_WEBHOOK_KEY", "obviously-fake-webhook-key")
    assert "obviously-fake-webhook-key" in load_settings().secrets
    assert "webhook-key" not in repr(load_settings())


def test_the_webhook_mode_needs_an_address_and_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_UPDATES", "Webhook")
    assert "needs PUBLIC_URL" in _problem()
    monkeypatch.setenv("PUBLIC_URL", "https://bot.example.org")
    assert load_settings().telegram_updates == "webhook"


def test_the_secret_of_the_webhook_is_the_tokens_own_and_fit_for_telegram(monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_settings().webhook_secret
    assert re.fullmatch(r"[A-Za-z0-9_-]{32,256}", first)
    assert TOKEN not in first
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", f"{TOKEN}-2")
    assert load_settings().webhook_secret != first


def test_the_environment_beats_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=1111\nHOST=127.0.0.2\n")
    monkeypatch.setenv("PORT", "2222")
    assert (load_settings().port, load_settings().host) == (2222, "127.0.0.2")


def test_ids_may_be_separated_as_people_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_IDS", "1, 2,-1003 4")
    assert load_settings().admin_ids == {1, 2, -1003, 4}


def test_seconds_accept_decimals_and_words_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASK_DEADLINE_SECONDS", "1.5")
    monkeypatch.setenv("LOG_LEVEL", "debug")
    assert (load_settings().task_deadline_seconds, load_settings().log_level) == (1.5, "DEBUG")


@pytest.mark.parametrize(("name", "value"), [("TELEGRAM_UPDATES", "polling"), ("DAILY_EDITS", "0"), ("PUBLIC_URL", "")])
def test_a_value_that_asks_for_nothing_new_is_accepted(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    load_settings()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"PORT=\xff\xfe")
    assert _problem().startswith(".env")


def test_an_address_may_be_in_the_brackets_that_it_has_in_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "[::1]")
    assert load_settings().host == "::1"


def test_an_address_with_the_token_in_it_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_API_URL", "https://api.telegram.org/bot" + TOKEN)
    assert TOKEN not in _problem()


def test_settings_show_no_secret() -> None:
    assert TOKEN not in repr(load_settings())
    assert KEY not in repr(load_settings())
