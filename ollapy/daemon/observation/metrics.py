"""Metrics: what this daemon has done, counted for Prometheus. On the event loop, once a request and never once a token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric

from ollapy.api.report import ContextReport
from ollapy.runner.protocol import Usage

# seconds
_WAITS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_STEPS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)

Gauges = Mapping[str, Mapping[str, float]]  # what is measured, and its value by model


class Metrics:
    """Counters and histograms. Labels are names of installed models, routes and words of this program."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"ollapy_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(
                f"ollapy_{name}_seconds",
                text,
                ["model"],
                buckets=buckets,
                registry=registry,
            )

        self._http = counter(
            "http_requests", "Answers sent.", "route", "method", "status"
        )
        self._requests = counter(
            "requests", "Requests to models.", "kind", "model", "outcome"
        )
        self._first = histogram(
            "time_to_first_token", "From a request to the first of its answer.", _WAITS
        )
        self._between = histogram(
            "inter_token", "Between two tokens, an answer's mean.", _STEPS
        )
        self._queue = histogram("queue", "Waiting for a place.", _WAITS)
        self._prompt = counter("prompt_tokens", "Tokens of prompts.", "model")
        self._cached = counter(
            "cached_prompt_tokens", "Those that were not read again.", "model"
        )
        self._restored = counter(
            "restored_prompt_tokens",
            "Those of them that came back from the disk.",
            "model",
        )
        self._dropped = counter(
            "dropped_prompt_tokens", "Those left out to fit.", "model"
        )
        self._generated = counter("generated_tokens", "Tokens of answers.", "model")
        self._preempted = counter("preemptions", "Places given up for others.", "model")
        self._loads = counter("loads", "Models loaded, or not.", "model", "outcome")
        self._load_seconds = histogram("load", "Loading a model.", _WAITS)
        self._unloads = counter(
            "unloads", "Models that have left memory.", "model", "reason"
        )
        self._downloaded = counter("downloaded_bytes", "Bytes of models pulled.")

    def http(self, route: str, method: str, status: int) -> None:
        """An answer was sent, whole or not."""
        self._http.labels(route, method, str(status)).inc()

    def request(self, kind: str, model: str, outcome: str) -> None:
        """A request to a model has ended."""
        self._requests.labels(kind, model, outcome).inc()

    def first_token(self, model: str, seconds: float) -> None:
        """An answer has begun."""
        self._first.labels(model).observe(seconds)

    def read(self, model: str, num_tokens: int) -> None:
        """So much of prompts, or of texts to embed, was asked to be read."""
        self._prompt.labels(model).inc(num_tokens)

    def answer(self, model: str, usage: Usage, context: ContextReport) -> None:
        """An answer has come to its end by itself."""
        self._queue.labels(model).observe(usage.queue_seconds)
        self._cached.labels(model).inc(context.cached_tokens)
        self._restored.labels(model).inc(context.restored_tokens)
        self._dropped.labels(model).inc(context.dropped_tokens)
        self._generated.labels(model).inc(usage.num_generated)
        self._preempted.labels(model).inc(usage.num_preemptions)
        if usage.num_generated > 1:
            mean = usage.decode_seconds / (usage.num_generated - 1)
            self._between.labels(model).observe(mean)

    def load(self, model: str, seconds: float, outcome: str) -> None:
        """A runner has been started, or could not be."""
        self._loads.labels(model, outcome).inc()
        self._load_seconds.labels(model).observe(seconds)

    def unload(self, model: str, reason: str) -> None:
        """A runner goes, or is found gone."""
        self._unloads.labels(model, reason).inc()

    def downloaded(self, num_bytes: int) -> None:
        """So much more of a model is here."""
        self._downloaded.inc(num_bytes)

    def text(self, gauges: Gauges) -> bytes:
        """Prometheus' text format, with how things stand now."""
        now = CollectorRegistry()
        now.register(_Now(gauges))
        return generate_latest(self._registry) + generate_latest(now)


class _Now:
    """Values that are read when they are asked for. A model of the name "" is the daemon itself."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges

    def collect(self) -> Iterable[Metric]:
        for name, values in self._gauges.items():
            labels = [] if "" in values else ["model"]
            family = GaugeMetricFamily(
                f"ollapy_{name}", name.replace("_", " "), labels=labels
            )
            for model, value in values.items():
                family.add_metric([model] if labels else [], value)
            yield family
