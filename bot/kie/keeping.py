"""For how long Kie keeps things, by the longest of its statements (documentation of 2025 and 2026)."""

#: Days after the upload of a picture (the newest pages say one).
UPLOADS_KEPT = 3

#: Days after a picture was made.
RESULTS_KEPT = 14

#: Months for which the record of a task is kept, with the words of the order.
RECORDS_KEPT = 2


def keeps_result(age: float) -> bool:
    """Say whether Kie may still have a picture that was made so many seconds ago."""
    return age < RESULTS_KEPT * 86_400.0
