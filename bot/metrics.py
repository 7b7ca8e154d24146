"""The process's Prometheus metrics: what it has counted and timed since it started.

Made once, in `app`. Labels have low cardinality, and none identifies a user. docs/monitoring.md lists all metrics.
"""

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

#: Seconds. An edit waits for nothing on a quiet day, and for hours while a circuit breaker is open.
QUEUE_WAIT_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0)

#: Seconds. Kie mostly takes about ten, sometimes a minute, and now and then the better part of an hour.
KIE_WORK_BUCKETS = (2.0, 4.0, 6.0, 8.0, 10.0, 12.5, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 300.0, 900.0, 3600.0)

#: Seconds, including Kie's time, the time in the queue, and up to an hour of waiting for a prompt.
ANSWER_BUCKETS = (1.0, 2.5, 5.0, 7.5, 10.0, 12.5, 15.0, 20.0, 30.0, 45.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 21_600.0)

#: Seconds. After a callback it is half a second, after a late poll up to thirty.
DELIVERY_BUCKETS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0, 300.0, 3600.0)

#: Polls of one task; every task is polled at least once.
POLL_BUCKETS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 50.0)


class Metrics:
    """The counters and histograms; the metrics endpoint adds the gauges."""

    def __init__(self) -> None:
        # otherwise each series has a second one, with the time at which it was created
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        self.requests_accepted = Counter(
            "darkroom_requests_accepted", "Requests that were complete and got into the queue.", registry=registry
        )
        self.requests_finished = Counter(
            "darkroom_requests_finished",
            "Requests that ended, and why without an image.",
            ["outcome", "reason"],
            registry=registry,
        )
        self.answers = Counter("darkroom_answers", "How sending the answers ended.", ["ending"], registry=registry)
        self.updates = Counter("darkroom_updates", "Updates from Telegram that were stored.", registry=registry)
        self._telegram_calls = Counter(
            "darkroom_telegram_calls",
            "Calls to Telegram by HTTP status, none where no response came.",
            ["method", "code"],
            registry=registry,
        )
        self._kie_calls = Counter(
            "darkroom_kie_calls", "Calls to Kie by outcome.", ["call", "outcome"], registry=registry
        )
        self.callbacks = Counter(
            "darkroom_kie_callbacks",
            "Callbacks from Kie, and tasks that were found finished without one.",
            ["kind"],
            registry=registry,
        )
        self.credits_spent = Counter(
            "darkroom_kie_credits_spent", "Credits that finished tasks cost.", registry=registry
        )
        self.queue_wait = Histogram(
            "darkroom_queue_wait_seconds",
            "From the complete request to the order that Kie took.",
            buckets=QUEUE_WAIT_BUCKETS,
            registry=registry,
        )
        self.kie_work = Histogram(
            "darkroom_kie_work_seconds",
            "What Kie took for an image, by its own clock.",
            buckets=KIE_WORK_BUCKETS,
            registry=registry,
        )
        self.answer_time = Histogram(
            "darkroom_answer_seconds",
            "From the request to its answer.",
            ["outcome"],
            buckets=ANSWER_BUCKETS,
            registry=registry,
        )
        self.delivery_time = Histogram(
            "darkroom_delivery_seconds",
            "From the moment at which Kie had an image to that at which it was sent.",
            buckets=DELIVERY_BUCKETS,
            registry=registry,
        )
        self.task_polls = Histogram(
            "darkroom_task_looks", "Polls of a task until it was over.", buckets=POLL_BUCKETS, registry=registry
        )

    def count_telegram_call(self, method: str, code: str) -> None:
        """Count a call to the Bot API, by its method and its HTTP status."""
        self._telegram_calls.labels(method, code).inc()

    def count_kie_call(self, call: str, outcome: str) -> None:
        """Count a call to Kie, by its name and its outcome."""
        self._kie_calls.labels(call, outcome).inc()
