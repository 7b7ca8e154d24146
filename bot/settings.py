"""The environment, read once: every setting of the bot, checked before anything starts.

A mistake ends the program with one line that names the variable and says what
to do. A value that is secret is never repeated in that line.
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
    """The bot cannot go on as it is, but a restart may help: exit code 1."""


#: What may also come from a file, named by the variable with _FILE behind it.
SECRET_SETTINGS = ("telegram_bot_token", "kie_api_key", "kie_webhook_key")

#: More edits, or credits, than anybody has.
MAX_LIMIT = 1_000_000_000

IdSet = Annotated[frozenset[int], NoDecode]


class DatabaseSettings(BaseSettings):
    """Where the database is: all that has to be known to look after it."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_path: str = "data/darkroom.db"


class RawSecrets(BaseSettings):
    """What stands where the secrets belong, whatever it is."""

    model_config = DatabaseSettings.model_config

    telegram_bot_token: str = ""
    kie_api_key: str = ""
    kie_webhook_key: str = ""


class Settings(DatabaseSettings):
    """Every setting; the names of the variables are these in capitals."""

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
        """Take the secrets that are in files, which is how Docker and systemd hand them over."""
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
        """Refuse what examples of other programs show: the beginning of a method's address, up to the token."""
        if re.search(r"/bot([0-9]|$)", value):
            raise ValueError("must end before /bot, like https://api.telegram.org: the bot adds that and the token")
        return value

    @field_validator("host", "metrics_host")
    @classmethod
    def _strip_ipv6_brackets(cls, value: str) -> str:
        """Take an IPv6 address in the brackets that it has in URLs, too."""
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
                "IMAGE_TRANSPORT=direct hands your bot token to Kie inside every picture's address: "
                "use IMAGE_TRANSPORT=upload, or accept that with ALLOW_TOKEN_IN_URLS=true"
            )
        return self

    @model_validator(mode="after")
    def _require_separate_metrics_port(self) -> "Settings":
        if self.metrics_port and self.metrics_port == self.port:
            raise ValueError(
                f"METRICS_PORT {self.metrics_port} is that of the public door (PORT), which never shows metrics: "
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
        """What Telegram says with each update that it brings; derived, so that there is one less to set and keep."""
        return hmac.digest(self.telegram_bot_token.get_secret_value().encode(), b"darkroom webhook", "sha256").hex()

    @property
    def callback_key(self) -> bytes:
        """What the references of orders are signed with; derived as well."""
        return hmac.digest(self.telegram_bot_token.get_secret_value().encode(), b"darkroom callback", "sha256")

    def ownership_proof(self, nonce: str) -> str:
        """Return what only a bot with this token answers to a nonce; the token cannot be found out from it."""
        message = f"darkroom proof {nonce}".encode("utf-8", "surrogatepass")
        return hmac.digest(self.telegram_bot_token.get_secret_value().encode(), message, "sha256").hex()

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that must never be seen outside the process."""
        known = (self.telegram_bot_token, self.kie_api_key, self.kie_webhook_key)
        return (*(each.get_secret_value() for each in known if each is not None), self.webhook_secret)


def _read_secret_file(values: dict[str, Any], name: str) -> str:
    """Return what is in the file of a secret, without the end of its line."""
    variable, path = name.upper(), str(values[f"{name}_file"])
    if values.get(name):
        raise ValueError(f"{variable} and {variable}_FILE are both set: remove one of them")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        # the secret itself, put here by mistake, must not be repeated
        shown = f" {path}" if set("/.") & set(path) else ""
        raise ValueError(f"{variable}_FILE{shown} cannot be read ({why}): name a file that holds the secret") from None


MISSING_SETTING_REMEDIES = {
    "TELEGRAM_BOT_TOKEN": "is missing: put the token that @BotFather gave you into .env",
    "KIE_API_KEY": "is missing: put your key from https://kie.ai/api-key into .env",
}


def _is_http_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and not parts.query
    except ValueError:  # of the port
        return False


def _is_public_url(value: str) -> bool:
    """Say whether others may be told to call us there; what is secret in an address would be told as well."""
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
    """Read the environment and `.env` in the working directory; the environment wins.

    Raises CannotRun with one line per mistake.
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
    """Name what is set in the environment or in `.env` under a name that is only close to one of ours.

    Raises CannotRun when `.env` cannot be read.
    """
    try:
        in_file = DotEnvSettingsSource(Settings).env_vars
    except (OSError, UnicodeDecodeError):
        raise CannotRun(".env cannot be read: make it a text file in UTF-8 that this user may read") from None
    return list(find_misspellings([*os.environ, *in_file], Settings.model_fields))


def _refuse_unusable_key_log(path: str | None) -> None:
    """Try the file in which Python's ssl notes the keys of connections: aiohttp opens it as soon as it is loaded."""
    try:
        if path:
            Path(path).open("ab").close()
    except OSError as error:
        raise CannotRun(
            f"SSLKEYLOGFILE {path} cannot be written ({error.strerror}): name a file that this user may write, or "
            "remove it"
        ) from None


def redact_for_terminal(words: str) -> str:
    """Return words for a terminal without the secrets, also where a setting is wrong and nobody knows which."""
    return Redaction(read_raw_secrets())(words)


def read_raw_secrets() -> tuple[str, ...]:
    """Return what the environment and `.env` name as secrets, right or not; files of their own are not read."""
    try:
        given = RawSecrets()
    except (ValidationError, OSError, UnicodeDecodeError):  # of .env
        given = RawSecrets(_env_file=None)
    return (given.telegram_bot_token, given.kie_api_key, given.kie_webhook_key)


def erase_secrets() -> None:
    """Take the secrets out of the environment once they are read: whoever can look at that shall not find them."""
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
    return f"{name} is not right: {message[:1].lower()}{message[1:]}"
