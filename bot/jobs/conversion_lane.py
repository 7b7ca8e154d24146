"""The conversion lane: the few jobs that have a picture decoded at present, each of another person.

Decoding may take half a minute where a file is made for that, and there is one process for it. So such jobs have places
of their own, and what needs no decoding never waits for them. Who is next is said by the conversion queue.
"""

from collections.abc import Mapping

from bot.job import Job

#: While a picture of one person is decoded, that of the next is fetched, or handed on.
MOST_CONVERTED = 2


class ConversionLane:
    """Who is in the lane, in memory: whoever was there when the process ended is still in the queue."""

    def __init__(self) -> None:
        self._jobs: dict[int, int] = {}

    @property
    def jobs(self) -> Mapping[int, int]:
        """The jobs in the lane, and whose they are."""
        return dict(self._jobs)

    def enter(self, job: Job) -> bool:
        """Take a place for a job; False if there is none, or its person has one."""
        is_free = len(self._jobs) < MOST_CONVERTED and job.person not in self._jobs.values()
        if is_free:
            self._jobs[job.id] = job.person
        return is_free

    def leave(self, job: Job) -> None:
        """Give the place of a job back."""
        self._jobs.pop(job.id, None)
