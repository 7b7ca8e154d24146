"""How long to wait before another try, and for how long to try at all."""

LONGEST_PAUSE = 60.0

#: Tries after which something that is not known to be a passing trouble is given up; about five minutes.
MOST_TRIES = 10

#: Seconds after which an edit that cannot even be ordered is given up, so that a day's outage is survived.
GIVE_UP_AFTER = 48 * 3600.0

#: Seconds after which a message that cannot be sent is given up.
PARCEL_EXPIRES = 3 * 86_400.0

#: Seconds of fetching a finished picture in vain after which the person is told.
UNFETCHED_TOLD = 60.0

#: How often something is sent that may have arrived each time.
MOST_SENDS_IN_DOUBT = 3

#: Seconds until something is sent again that may have arrived: once soon, and then after most troubles are over.
UNCERTAIN_PAUSES = (5.0, 60.0)


def pause(tries: int) -> float:
    """Return the seconds to wait after that many tries before: 1, 2, 4, ... 60."""
    return float(min(LONGEST_PAUSE, 2.0 ** min(tries, 16)))
