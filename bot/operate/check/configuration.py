"""The settings: every mistake in them, and what the bot can run with but better would not."""

from bot.operate.cautions import cautions, refuse_unknown_model
from bot.operate.check.finding import Finding, Status, ok, sentence
from bot.settings import CannotRun, Settings

NAME = "settings"


def mistakes(error: CannotRun) -> list[Finding]:
    """Return a finding for each mistake that made the settings unusable."""
    return [sentence(NAME, Status.FAILURE, line) for line in str(error).splitlines()]


def usable(settings: Settings) -> list[Finding]:
    """Look at settings without a mistake."""
    warnings = [sentence(NAME, Status.WARNING, caution) for caution in cautions(settings)]
    try:
        refuse_unknown_model(settings)
    except CannotRun as error:
        return [*mistakes(error), *warnings]
    return warnings or [ok(NAME, f"complete; pictures are edited by {settings.kie_model}")]
