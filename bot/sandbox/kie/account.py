"""The local Kie's account: tasks, credits, rate limit and download links, without any I/O.

Every method follows the clock; Kie's refusals raise `KieRefusalError` with Kie's own messages.
"""

import secrets
from collections import deque
from collections.abc import Callable

from bot.sandbox.kie.create_task import (
    INSUFFICIENT_CREDITS_MESSAGE,
    RATE_LIMITED_MESSAGE,
    ApiYear,
    CreateTaskRequest,
    KieRefusalError,
    parse_create_task,
)
from bot.sandbox.kie.tasks import SUCCESS, LocalKieTask, ScriptedOutcome, echoed_param
from bot.sandbox.kie.uploads import random_text

#: the window of the rate limit, in seconds
RATE_WINDOW_SECONDS = 10.0
#: how long a download link works, in seconds (documented: 20 minutes)
LINK_LIFETIME_SECONDS = 20 * 60.0
#: how long a result is kept, in seconds (documented: 14 days, elsewhere 24 hours)
RESULT_LIFETIME_SECONDS = 14 * 24 * 3600.0


class KieAccount:
    """The account; `price` in credits per task, `duration` returns seconds per task."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        duration: Callable[[], float],
        paid_in: float,
        api_year: ApiYear,
        creates_per_10_seconds: int,
        price: float,
    ) -> None:
        self._clock = clock
        self._duration = duration
        self._api_year = api_year
        self._creates_per_10_seconds = creates_per_10_seconds
        self._price = price
        self.paid_in = paid_in
        self.tasks: dict[str, LocalKieTask] = {}
        self.outcomes: deque[ScriptedOutcome] = deque()
        self.refusals: deque[KieRefusalError] = deque()
        self.substituted_task_ids: deque[str] = deque()
        self.refused_by_rate = 0
        self.hidden_polls = 0
        self.echoes_callback = True
        self._links: dict[str, tuple[LocalKieTask, float]] = {}

    @property
    def credits(self) -> float:
        return self.paid_in - sum(task.credits_charged for task in self.tasks.values())

    def create_task(self, body: object, origin: str) -> LocalKieTask:
        """Create a task and hold its price; raises `KieRefusalError`."""
        if self.refusals:
            raise self.refusals.popleft()
        request = parse_create_task(body, self._api_year)
        if self.credits < self._price:
            raise KieRefusalError(402, INSUFFICIENT_CREDITS_MESSAGE)
        self._check_rate()
        task = self._new_task(request, origin)
        self.tasks[task.id] = task
        return task

    def task_for_record_info(self, task_id: str | None) -> LocalKieTask:
        """Return the task for a recordInfo; raises `KieRefusalError`."""
        if not task_id:
            raise KieRefusalError(400, "taskId parameter is required")
        task = self.tasks.get(task_id)
        if task is None or task.hidden_polls > 0:
            if task is not None:
                task.hidden_polls -= 1
            raise KieRefusalError(422, "recordInfo is null")
        return task

    def task_with_result_url(self, url: str) -> LocalKieTask | None:
        """Return the task whose result is at this URL, None after its lifetime."""
        for task in self.tasks.values():
            if url in task.result_urls and self._clock() <= task.due_at + RESULT_LIFETIME_SECONDS:
                return task
        return None

    def create_download_link(self, url: object) -> str:
        """Return the name of a new download link; raises `KieRefusalError` for a URL that is no result."""
        task = self.task_with_result_url(url) if isinstance(url, str) else None
        if task is None:
            raise KieRefusalError(422, "url is wrong")
        name = f"{random_text(24)}.{task.result_url.rpartition('.')[2]}"
        self._links[name] = (task, self._clock() + LINK_LIFETIME_SECONDS)
        return name

    def task_behind_link(self, name: str) -> LocalKieTask | None:
        """Return the task of a link, None after its lifetime."""
        task, until = self._links.get(name, (None, 0.0))
        return task if self._clock() <= until else None

    def creates_in_window(self, seconds: float) -> int:
        """Return the largest number of tasks created within any window of so many seconds."""
        times = [task.created_at for task in self.tasks.values()]
        return max((sum(0 <= time - first < seconds for time in times) for first in times), default=0)

    def seconds_until_changes(self) -> list[float]:
        """Return the seconds until each coming change of a task's state."""
        now = self._clock()
        delays = (at - now for task in self.tasks.values() for at in (task.half_at, task.due_at))
        return [delay for delay in delays if delay > 0]

    def _check_rate(self) -> None:
        since = self._clock() - RATE_WINDOW_SECONDS
        recent = sum(task.created_at > since for task in self.tasks.values())
        if recent >= self._creates_per_10_seconds:
            self.refused_by_rate += 1
            raise KieRefusalError(429, RATE_LIMITED_MESSAGE)

    def _new_task(self, request: CreateTaskRequest, origin: str) -> LocalKieTask:
        now = self._clock()
        suffix = "png" if request.output_format == "png" else "jpg"
        return LocalKieTask(
            id=secrets.token_hex(16),
            request=request,
            param=echoed_param(request, self._api_year, with_callback=self.echoes_callback),
            price=self._price,
            created_at=now,
            due_at=now + self._duration(),
            outcome=self.outcomes.popleft() if self.outcomes else SUCCESS,
            clock=self._clock,
            result_url=f"{origin}/workers/nano/image_{int(now * 1000)}_{random_text(6)}.{suffix}",
            hidden_polls=self.hidden_polls,
        )
