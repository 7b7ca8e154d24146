"""The text of /privacy, with every number taken from the code that implements it."""

from bot.i18n import Sentence, sentence
from bot.kie.models import RECORD_RETENTION_MONTHS, RESULT_RETENTION_DAYS, UPLOAD_RETENTION_DAYS
from bot.ops.retention import message_retention_days
from bot.settings import Settings


def build_privacy_notice(settings: Settings) -> Sentence:
    """Return who receives an image, in which form, and who keeps what for how long."""
    return sentence(
        "privacy",
        transport=settings.image_transport,
        days=settings.keep_days,
        messages=message_retention_days(settings.keep_days),
        uploads=UPLOAD_RETENTION_DAYS,
        results=RESULT_RETENTION_DAYS,
        records=RECORD_RETENTION_MONTHS,
    )
