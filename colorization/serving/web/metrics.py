"""What the server counts, as Prometheus reads it."""

import prometheus_client as prometheus

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """Counters of one application.

    Args:
        work_queue: `work_queue.WorkQueue`.
    """

    media_type = prometheus.CONTENT_TYPE_LATEST

    def __init__(self, work_queue):
        self._registry = prometheus.CollectorRegistry()
        self._requests = prometheus.Counter(
            "colorization_requests",
            "Requests answered.",
            ["endpoint", "status"],
            registry=self._registry,
        )
        self._seconds = prometheus.Histogram(
            "colorization_request_seconds",
            "Seconds from a request's receipt to its answer, waiting included.",
            ["endpoint"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._failures = prometheus.Counter(
            "colorization_failures",
            "Requests that were not fulfilled.",
            ["reason"],
            registry=self._registry,
        )
        self._pixels = prometheus.Counter(
            "colorization_pixels", "Pixels of the photos colored.", registry=self._registry
        )
        for name, text, value in (
            ("waiting", "Photos that wait for their turn.", lambda: work_queue.num_waiting),
            ("running", "Photos that are being colored.", lambda: work_queue.num_running),
        ):
            gauge = prometheus.Gauge(f"colorization_queue_{name}", text, registry=self._registry)
            gauge.set_function(value)
        # Memory, processor time and open files.
        prometheus.ProcessCollector(registry=self._registry)

    def count_request(self, endpoint, status, seconds):
        """Counts an answer."""
        self._requests.labels(endpoint, status).inc()
        self._seconds.labels(endpoint).observe(seconds)

    def count_failure(self, reason):
        """Counts a `problems.Problem` by its reason."""
        self._failures.labels(reason).inc()

    def count_pixels(self, num_pixels):
        """Counts the pixels of a photo that was colored."""
        self._pixels.inc(num_pixels)

    def text(self):
        """All of them, in the text format of Prometheus."""
        return prometheus.generate_latest(self._registry)
