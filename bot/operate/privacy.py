"""Privacy: what /privacy says, with every figure from where it is made true."""

from bot.kie.keeping import RECORDS_KEPT, RESULTS_KEPT, UPLOADS_KEPT
from bot.operate.retention import remembered_days
from bot.settings import Settings
from bot.texts import Sentence, sentence


def privacy(settings: Settings) -> Sentence:
    """Say who receives a picture, in which form, and what is kept by whom for how long."""
    return sentence(
        "privacy",
        transport=settings.image_transport,
        days=settings.keep_days,
        messages=remembered_days(settings.keep_days),
        uploads=UPLOADS_KEPT,
        results=RESULTS_KEPT,
        records=RECORDS_KEPT,
    )
