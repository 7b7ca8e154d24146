"""The settings: environment variables and `.env`, read once and checked before anything starts.

Each error is one line that names the variable and the remedy, and never repeats a secret value. A misspelt limit is an
error as well (`misspelt_settings`), because it would be ignored and nothing would be limited.
"""

import hmac
import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, NoDecode, SettingsConfigDict

from bot.logs import Redaction
from bot.misspelt_settings import Misspelling, find_misspellings
from bot.process_isolation import erase_environment_variable


class CannotRun(Exception):
    """The operator has to change something before the bot can run: exit code 2."""


class MustRestart(Exception):
    """The bot cannot continue, but a restart may help: exit code 1."""


#: Settings that a file may hold instead, named by the variable with the suffix _FILE.
SECRET_SETTINGS = ("telegram_bot_token", "kie_api_key", "kie_webhook_key")

#: More edits or credits than anybody needs.
MAX_LIMIT = 1_000_000_000

# The paths of the bot's HTTP endpoints; the proxy examples and the Dockerfile repeat them.
HEALTH_PATH = "/healthz"
READY_PATH = "/readyz"
METRICS_PATH = "/metrics"
TELEGRAM_WEBHOOK_PATH = "/telegram/webhook"

#: Kie calls back at this path, followed by the reference of the order.
KIE_CALLBACK_PATH = "/kie/callback/"

#: Answers the ownership proof, next to the URLs that Kie calls; the webhook's path answers it as well.
OWNERSHIP_PROOF_PATH = f"{KIE_CALLBACK_PATH}proof"

IdSet = Annotated[frozenset[int], NoDecode]


MISSING_SETTING_REMEDIES = {
    "TELEGRAM_BOT_TOKEN": "is missing: put the token that @BotFather gave you into .env",
    "KIE_API_KEY": "is missing: put your key from https://kie.ai/api-key into .env",
}


class DatabaseSettings(BaseSettings):
    """The location of the database, which is all that maintenance commands need."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_path: str = "data/darkroom.db"


class RawSecrets(BaseSettings):
    """The values of the secret settings, valid or not."""

    model_config = DatabaseSettings.model_config

    telegram_bot_token: str = ""
    kie_api_key: str = ""
    kie_webhook_key: str = ""


class Settings(DatabaseSettings):
    """Every setting; the variables have these names in capitals."""

    telegram_bot_token: SecretStr
    telegram_bot_token_file: str | None = None
    telegram_api_url: str = "https://api.telegram.org"
    kie_api_key: SecretStr
    kie_api_key_file: str | None = None
    kie_api_url: str = "https://api.kie.ai"
    kie_upload_url: str = "https://kieai.redpandaai.co"
    kie_model: str = "google/nano-banana-edit"
    kie_webhook_key: SecretStr | None = None
    kie_webhook_key_file: str | None = None
    kie_timeout_seconds: float = Field(default=30, gt=0, le=600)
    creates_per_10_seconds: int = Field(default=20, ge=1, le=100_000)
    max_running: int = Field(default=95, ge=1, le=100_000)
    telegram_updates: Literal["polling", "webhook"] = "polling"
    telegram_messages_per_second: float = Field(default=30, ge=0.01, le=100_000)
    public_url: str | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    image_transport: Literal["upload", "direct"] = "upload"
    allow_token_in_urls: bool = False
    admin_ids: IdSet = frozenset()
    allowed_ids: IdSet = frozenset()
    daily_edits_per_user: int = Field(default=20, ge=0, le=MAX_LIMIT)
    daily_edits_per_chat: int = Field(default=100, ge=0, le=MAX_LIMIT)
    daily_edits: int = Field(default=500, ge=0, le=MAX_LIMIT)
    daily_credits: float = Field(default=0, ge=0, le=MAX_LIMIT)
    low_credits: float = Field(default=40, ge=0, le=MAX_LIMIT)
    album_window_seconds: float = Field(default=2, gt=0, le=8)
    task_usual_seconds: float = Field(default=10, gt=0, le=86_400)
    task_deadline_seconds: float = Field(default=900, gt=0, le=86_400)
    keep_days: float = Field(default=30, gt=0, le=36_500)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Read the secrets that are in files, as Docker and systemd provide them."""
        return values | {
            name: _read_secret_file(values, name) for name in SECRET_SETTINGS if values.get(f"{name}_file")
        }

    @field_validator("telegram_bot_token")
    @classmethod
    def _check_bot_token(cls, value: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[A-Za-z0-9_-]+:[A-Za-z0-9_-]+", value.get_secret_value()):
            raise ValueError("is no bot token: copy it from @BotFather, like 123456:ABC..., without spaces")
        return value

    @field_validator("kie_api_key")
    @classmethod
    def _check_api_key(cls, value: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[!-~]+", value.get_secret_value()):
            raise ValueError("has spaces or unusual characters: copy it from https://kie.ai/api-key again")
        return value

    @field_validator("kie_webhook_key")
    @classmethod
    def _check_webhook_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[!-~]+", value.get_secret_value()):
            raise ValueError("has spaces or unusual characters: copy it from https://kie.ai/settings again")
        return value

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str | None) -> str | None:
        if value is not None and not _is_public_url(value):
            raise ValueError("must be an address like https://bot.example.org; http is for this machine only")
        return None if value is None else value.rstrip("/")

    @field_validator("telegram_api_url", "kie_api_url", "kie_upload_url")
    @classmethod
    def _check_api_urls(cls, value: str) -> str:
        if not _is_http_url(value):
            raise ValueError("must be an address like https://example.org")
        return value.rstrip("/")

    @field_validator("telegram_api_url")
    @classmethod
    def _refuse_token_in_api_url(cls, value: str) -> str:
        """Refuse a URL that goes on to /bot or the token, which other programs expect."""
        if re.search(r"/bot([0-9]|$)", value):
            raise ValueError("must end before /bot, like https://api.telegram.org: the bot adds that and the token")
        return value

    @field_validator("host", "metrics_host")
    @classmethod
    def _strip_ipv6_brackets(cls, value: str) -> str:
        """Accept an IPv6 address in brackets, as in a URL."""
        return value[1:-1] if value.startswith("[") and value.endswith("]") else value

    @field_validator("admin_ids", "allowed_ids", mode="before")
    @classmethod
    def _parse_ids(cls, value: str | frozenset[int]) -> frozenset[int]:
        if isinstance(value, frozenset):
            return value
        words = value.replace(",", " ").split()
        if not all(re.fullmatch(r"-?\d{1,15}", word) for word in words):
            raise ValueError("must be ids, separated by commas, like 1234567,-100987654")
        return frozenset(int(word) for word in words)

    @field_validator("log_level", "log_format", "image_transport", "telegram_updates", mode="before")
    @classmethod
    def _normalize_case(cls, value: str, info: object) -> str:
        field = getattr(info, "field_name", "")
        return value.strip().upper() if field == "log_level" else value.strip().lower()

    @model_validator(mode="after")
    def _require_consent_to_token_in_urls(self) -> "Settings":
        if self.image_transport == "direct" and not self.allow_token_in_urls:
            raise ValueError(
                "IMAGE_TRANSPORT=direct hands your bot token to Kie in every image URL: "
                "use IMAGE_TRANSPORT=upload, or accept that with ALLOW_TOKEN_IN_URLS=true"
            )
        return self

    @model_validator(mode="after")
    def _require_separate_metrics_port(self) -> "Settings":
        if self.metrics_port and self.metrics_port == self.port:
            raise ValueError(
                f"METRICS_PORT {self.metrics_port} is the same as PORT, where metrics are never served: "
                "choose another one, like 9464"
            )
        return self

    @model_validator(mode="after")
    def _require_public_url_for_webhook(self) -> "Settings":
        if self.telegram_updates == "webhook" and self.public_url is None:
            raise ValueError(
                "TELEGRAM_UPDATES=webhook needs PUBLIC_URL, the https address at which Telegram reaches the bot: "
                "set it, or use TELEGRAM_UPDATES=polling"
            )
        return self

    @property
    def webhook_secret(self) -> str:
        """The secret that Telegram sends with each update; derived from the token, so it needs no setting."""
        return hmac.digest(self.telegram_bot_token.get_secret_value().encode(), b"darkroom webhook", "sha256").hex()

    @property
    def callback_key(self) -> bytes:
        """The key that signs the references of orders; derived from the token."""
        return hmac.digest(self.telegram_bot_token.get_secret_value().encode(), b"darkroom callback", "sha256")

    def ownership_proof(self, nonce: str) -> str:
        """Return the HMAC of a nonce that only a bot with this token can compute; it does not reveal the token."""
        message = f"darkroom proof {nonce}".encode("utf-8", "surrogatepass")
        return hmac.digest(self.telegram_bot_token.get_secret_value().encode(), message, "sha256").hex()

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that must be redacted wherever it appears."""
        values = (getattr(self, name) for name in SECRET_SETTINGS)
        return (*(value.get_secret_value() for value in values if value is not None), self.webhook_secret)


def _read_secret_file(values: dict[str, Any], name: str) -> str:
    """Return the content of a secret's file, without surrounding whitespace."""
    variable, path = name.upper(), str(values[f"{name}_file"])
    if values.get(name):
        raise ValueError(f"{variable} and {variable}_FILE are both set: remove one of them")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not a text file"
        # must not repeat the secret itself, entered here by mistake
        shown = f" {path}" if set("/.") & set(path) else ""
        raise ValueError(f"{variable}_FILE{shown} cannot be read ({why}): name a file that holds the secret") from None


def _is_http_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and not parts.query
    except ValueError:  # of the port
        return False


def _is_public_url(value: str) -> bool:
    """Return whether a URL may be given to Telegram and Kie; it must contain no secret."""
    if not re.fullmatch(r"[!-~]+", value) or set("?#@") & set(value) or not _is_http_url(value):
        return False
    parts = urlsplit(value)
    return parts.scheme == "https" or _is_loopback(parts.hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False


def load_settings() -> Settings:
    """Read the environment and `.env` in the working directory; the environment takes precedence.

    Raises CannotRun with one line per error.
    """
    _refuse_unusable_key_log(os.environ.get("SSLKEYLOGFILE"))
    lifted = [str(each) for each in find_misspelt_settings() if each.lifts_limit]
    try:
        settings = Settings()
    except ValidationError as error:
        problems = [_describe_problem(item["loc"], item["type"], item["msg"]) for item in error.errors()]
        raise CannotRun(redact_for_terminal("\n".join(problems + lifted))) from None
    if lifted:
        raise CannotRun("\n".join(lifted))
    return settings


def find_misspelt_settings() -> list[Misspelling]:
    """Return the misspelt names in the environment and in `.env`. Raises CannotRun when `.env` cannot be read."""
    try:
        in_file = DotEnvSettingsSource(Settings).env_vars
    except (OSError, UnicodeDecodeError):
        raise CannotRun(".env cannot be read: make it a text file in UTF-8 that this user may read") from None
    return list(find_misspellings([*os.environ, *in_file], Settings.model_fields))


def _refuse_unusable_key_log(path: str | None) -> None:
    """Check the file to which Python's ssl logs session keys (SSLKEYLOGFILE): importing aiohttp opens it."""
    try:
        if path:
            Path(path).open("ab").close()
    except OSError as error:
        raise CannotRun(
            f"SSLKEYLOGFILE {path} cannot be written ({error.strerror}): name a file that this user may write, or "
            "remove it"
        ) from None


def redact_for_terminal(text: str) -> str:
    """Return `text` without the secrets, valid or not."""
    return Redaction(read_raw_secrets())(text)


def read_raw_secrets() -> tuple[str, ...]:
    """Return the secrets of the environment and `.env`, valid or not; secret files are not read."""
    try:
        secrets = RawSecrets()
    except (ValidationError, OSError, UnicodeDecodeError):  # of .env
        secrets = RawSecrets(_env_file=None)
    return tuple(getattr(secrets, name) for name in SECRET_SETTINGS)


def erase_secrets() -> None:
    """Remove the secrets from the environment, which other processes of this user could read."""
    for name in [name for name in os.environ if name.lower() in SECRET_SETTINGS]:
        erase_environment_variable(name)


def _describe_problem(where: tuple[int | str, ...], kind: str, message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not where:
        return message
    name = str(where[0]).upper()
    if kind == "missing":
        return f"{name} {MISSING_SETTING_REMEDIES[name]}"
    if kind == "value_error":
        return f"{name} {message}"
    return f"{name} is invalid: {message[:1].lower()}{message[1:]}"
