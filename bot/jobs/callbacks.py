"""Callbacks: where Kie is asked to call back, and how surely it does.

A callback saves looks, nothing depends on one. How many get lost is learned from each
task that is found finished, with a callback or without.
"""

import logging
import re
from urllib.parse import unquote, urlsplit

from bot.jobs.losses import Losses

log = logging.getLogger(__name__)

#: Before the reference in an address to call back to.
PATH = "/kie/callback/"


#: An address to call back to; references are `secrets.token_urlsafe(24)`.
_WITH_REFERENCE = re.compile(rf".*{PATH}([A-Za-z0-9_-]{{32}})/?")


def reference_in(address: str) -> str | None:
    """Return the reference in an address to call back to; None where it is cut short, or of another form than ours."""
    try:
        found = _WITH_REFERENCE.fullmatch(unquote(urlsplit(address).path))
    except ValueError:
        return None
    return None if found is None else found[1]


class Callbacks:
    """What this process knows of Kie's callbacks; without a public address none are asked for."""

    def __init__(self, public_url: str | None) -> None:
        self._public_url = public_url
        self._losses = Losses()
        #: jobs about which Kie has called back, and that have not been seen to be finished yet; here and below no
        #: more than there are orders under way or running
        self._heard: set[int] = set()
        #: the task that such a callback named, if it named one
        self._named: dict[int, str] = {}
        #: the same about which it may have called back while nobody listened
        self._missed: set[int] = set()

    @property
    def are_asked_for(self) -> bool:
        """Whether orders name an address to call back to."""
        return self._public_url is not None

    def address(self, reference: str) -> str | None:
        """Return where to call back about the attempt of this reference."""
        return None if self._public_url is None else f"{self._public_url}{PATH}{reference}"

    def lost_share(self, job_id: int) -> float:
        """Return how likely it is that nobody will call back about a job's task; 1 where nobody can be expected to."""
        is_awaited = self.are_asked_for and job_id not in self._heard and job_id not in self._missed
        return self._losses.share if is_awaited else 1.0

    def was_heard(self, job_id: int) -> bool:
        """Say whether Kie has called back about a job that is not finished yet."""
        return job_id in self._heard

    def heard(self, job_id: int, task_id: str | None) -> None:
        """Note a callback about a task that is waited for, and which task it named."""
        self._heard.add(job_id)
        if task_id is not None:
            self._named[job_id] = task_id

    def named(self, job_id: int) -> str | None:
        """Return the task that the latest callback about a job has named."""
        return self._named.get(job_id)

    def may_have_missed(self, job_id: int) -> None:
        """Note that Kie may have called back while nobody listened."""
        self._missed.add(job_id)

    def found_finished(self, job_id: int) -> bool:
        """Note that a look found a task finished, after a callback or because none came in time; True if it got lost.

        Of one that may have come while nobody listened nobody can say so.
        """
        if not self.are_asked_for or job_id in self._missed:
            return False
        lost, before = job_id not in self._heard, self._losses
        self._losses = before.after(lost=lost)
        if lost:
            log.info("job %d: finished, and Kie has not called back", job_id, extra={"job": job_id})
        if self._losses.share > 0.5 >= before.share:
            log.warning(
                "Kie does not call back any more: until it does again, tasks are looked at as without callbacks"
            )
        return lost

    def forget(self, job_id: int) -> None:
        """Forget a job whose task nobody waits for any more."""
        self._heard.discard(job_id)
        self._missed.discard(job_id)
        self._named.pop(job_id, None)
