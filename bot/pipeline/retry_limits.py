"""How long and how often a step is tried before it is given up, or the person is told."""

#: Tries after which something that is not known to be a passing trouble is given up; about five minutes.
MAX_TRIES = 10

#: Seconds after which an edit that cannot even be ordered is given up, so that a day's outage is survived.
SUBMIT_GIVE_UP_SECONDS = 48 * 3600.0

#: Seconds after which a message that cannot be sent is given up.
OUTBOX_MESSAGE_EXPIRY = 3 * 86_400.0

#: Seconds of fetching a finished picture in vain after which the person is told.
DOWNLOAD_DELAY_NOTICE_SECONDS = 60.0

#: How often something is sent that may have arrived each time.
MAX_UNCERTAIN_SENDS = 3

#: Seconds until something is sent again that may have arrived: once soon, and then after most troubles are over.
UNCERTAIN_RESEND_DELAYS = (5.0, 60.0)
