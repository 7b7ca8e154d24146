"""Callbacks: where Kie is asked to call back, and whether it does.

A callback saves looks, nothing depends on one. It is expected until a task is found
finished without it; then tasks are looked at as if there were none, until one comes.
"""

import logging

log = logging.getLogger(__name__)


class Callbacks:
    """What this process knows of Kie's callbacks; without a public address none are asked for."""

    def __init__(self, public_url: str | None) -> None:
        self._public_url = public_url
        self._are_coming = True
        #: jobs about which Kie has called back, or may have, and that have not been seen to be finished yet;
        #: no more than there are orders under way or running
        self._heard: set[int] = set()

    @property
    def are_asked_for(self) -> bool:
        """Whether orders name an address to call back to."""
        return self._public_url is not None

    def address(self, reference: str) -> str | None:
        """Return where to call back about the attempt of this reference."""
        return None if self._public_url is None else f"{self._public_url}/kie/callback/{reference}"

    def is_awaited(self, job_id: int) -> bool:
        """Say whether a callback about a job's task can be waited for, so that looks are only for one that got lost."""
        return self.are_asked_for and self._are_coming and job_id not in self._heard

    def was_heard(self, job_id: int) -> bool:
        """Say whether Kie has called back about a job that is not finished yet."""
        return job_id in self._heard

    def heard(self, job_id: int, *, is_late: bool) -> None:
        """Note a callback; a late one only shows that they come."""
        self._are_coming = True
        if not is_late:
            self._heard.add(job_id)

    def may_have_missed(self, job_id: int) -> None:
        """Note that Kie may have called back while nobody listened."""
        self._heard.add(job_id)

    def found_finished(self, job_id: int) -> None:
        """Note that a look found a task finished: if there was no callback, no longer wait for others."""
        if self.is_awaited(job_id):
            log.warning(
                "job %d: finished, and Kie has not called back: until it does again, tasks are looked at more often",
                job_id,
                extra={"job": job_id},
            )
            self._are_coming = False

    def forget(self, job_id: int) -> None:
        """Forget a job whose task nobody waits for any more."""
        self._heard.discard(job_id)
