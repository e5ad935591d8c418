"""Counts what this process does, and writes all figures down in Prometheus' text format. The library's only home.

A registry of its own: nothing else in the process can add to what is shown.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import product

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.domain.evidence import Verdict
from controller.domain.figures import Written
from controller.domain.incident import TRANSITIONS, Incident, Source, State
from controller.domain.model import (
    Attempt,
    Delivery,
    DeliveryStatus,
    Effect,
    EffectKind,
    EffectStatus,
    Event,
    RoundRecord,
)
from controller.domain.power import Accepted, PowerAction
from controller.domain.reasons import Reason
from controller.metrics import families
from controller.metrics.base import Meter, StepEnd
from controller.metrics.families import FAMILIES, Family, Kind
from controller.metrics.samples import Sample

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER = "other"


class PrometheusMeter:
    """See :class:`controller.metrics.base.Meter`; :meth:`written` is a store's listener."""

    def __init__(self) -> None:
        # Twice the lines, for nothing that anybody asked.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._counted: set[str] = set()
        ProcessCollector(registry=self._registry)
        self._opened = self._counter(families.OPENED)
        self._transitions = self._counter(families.TRANSITIONS)
        self._holds = self._counter(families.HOLDS)
        self._rounds = self._counter(families.ROUNDS)
        self._to_off = self._histogram(families.TO_OFF)
        self._to_release = self._histogram(families.TO_RELEASE)
        self._intents = self._counter(families.INTENTS)
        self._outcomes = self._counter(families.OUTCOMES)
        self._effects = self._counter(families.EFFECTS)
        self._deliveries = self._counter(families.DELIVERIES)
        self._steps = self._counter(families.STEPS)
        self._step_time = self._histogram(families.STEP_TIME)
        self._lateness = self._histogram(families.LATENESS)
        self._running = self._gauge(families.RUNNING)
        self._polls = self._counter(families.POLLS)
        self._readings = self._counter(families.READINGS)
        self._requests = self._counter(families.REQUESTS)
        self._request_time = self._histogram(families.REQUEST_TIME)
        self._begin_at_zero()
        self._now = _Now(family for family in FAMILIES.values() if family.name not in self._counted)
        self._registry.register(self._now)

    # -- what the engine and the API tell
    def step_begun(self, *, late_s: float) -> None:
        """See the port."""
        self._lateness.observe(max(0.0, late_s))
        self._running.inc()

    def step_ended(self, state: State, end: StepEnd, *, took_s: float) -> None:
        """See the port."""
        self._running.dec()
        self._steps.labels(state, end).inc()
        self._step_time.observe(took_s)

    def cloud_polled(self, *, told: bool) -> None:
        """See the port."""
        self._polls.labels("told" if told else "nothing").inc()

    def cloud_read(self, *, well: bool) -> None:
        """See the port."""
        self._readings.labels("well" if well else "failed").inc()

    def answered(self, method: str, route: str, status: int, *, took_s: float) -> None:
        """See the port. What callers may choose freely is no label: it would be kept for ever."""
        self._requests.labels(method if method in _METHODS else _OTHER, route, str(status)).inc()
        self._request_time.labels(route).observe(took_s)

    # -- what was committed
    def written(self, written: Sequence[Written]) -> None:
        """Count what one transaction stored."""
        saved = {one.id: one for one in written if isinstance(one, Incident)}
        for one in written:
            match one:
                case Event(kind="opened"):
                    self._count_opened(saved.get(one.incident_id))
                case Event(kind="state"):
                    self._count_transition(one, saved.get(one.incident_id))
                case RoundRecord():
                    self._rounds.labels(one.verdict).inc()
                case Attempt():
                    self._count_attempt(one)
                case Effect() if one.status is not EffectStatus.INTENDED:
                    self._effects.labels(one.kind, one.status).inc()
                case Delivery() if one.status is not DeliveryStatus.PENDING:
                    self._deliveries.labels(one.channel, one.status).inc()
                case _:
                    pass

    def _count_opened(self, incident: Incident | None) -> None:
        if incident is not None:
            self._opened.labels(incident.source).inc()

    def _count_transition(self, event: Event, incident: Incident | None) -> None:
        self._transitions.labels(event.from_state, event.to_state).inc()
        if event.to_state == State.HELD:
            for reason in event.reasons:
                self._holds.labels(reason).inc()
        if incident is None:
            return
        proven_at = incident.proof.proven_at
        if event.to_state == State.RELEASING and proven_at is not None:
            command = "sent" if incident.command.may_have_been_sent else "none"
            self._to_off.labels(command).observe(_seconds(incident, proven_at))
        if event.to_state == State.FENCED and incident.released_at is not None:
            self._to_release.observe(_seconds(incident, incident.released_at))

    def _count_attempt(self, attempt: Attempt) -> None:
        by = "hostfence" if attempt.automatic else "person"
        if attempt.finished_at is None:
            self._intents.labels(attempt.action, by).inc()
        elif attempt.accepted is not None:
            self._outcomes.labels(attempt.action, by, attempt.accepted).inc()

    # -- showing
    def text(self, samples: Iterable[Sample]) -> bytes:
        """All figures; ``samples`` are those that are read now."""
        self._now.samples = list(samples)
        return generate_latest(self._registry)

    def _gauge(self, family: Family) -> Gauge:
        self._counted.add(family.name)
        return Gauge(family.name, family.text, family.labels, registry=self._registry)

    def _counter(self, family: Family) -> Counter:
        self._counted.add(family.name)
        return Counter(family.name, family.text, family.labels, registry=self._registry)

    def _histogram(self, family: Family) -> Histogram:
        self._counted.add(family.name)
        return Histogram(family.name, family.text, family.labels, buckets=family.buckets, registry=self._registry)

    def _begin_at_zero(self) -> None:
        """A counter that appears with its first event shows no increase then: what may matter is there at once."""
        whom, told, read = ("hostfence", "person"), ("told", "nothing"), ("well", "failed")
        steps = product((state for state in State if state.open), StepEnd)
        known: tuple[tuple[Counter | Histogram, Iterable[tuple[str, ...]]], ...] = (
            (self._opened, product(Source)),
            (self._transitions, ((state, to) for state, targets in TRANSITIONS.items() for to in targets)),
            (self._holds, product(Reason)),
            (self._rounds, product(Verdict)),
            (self._to_off, (("sent",), ("none",))),
            (self._intents, product(PowerAction, whom)),
            (self._outcomes, product(PowerAction, whom, Accepted)),
            (self._effects, product(EffectKind, (EffectStatus.DONE, EffectStatus.FAILED))),
            (self._steps, steps),
            (self._polls, product(told)),
            (self._readings, product(read)),
        )
        for figure, all_labels in known:
            for labels in all_labels:
                figure.labels(*labels)


class _Now(Collector):
    """What is read at the moment of the question."""

    def __init__(self, shown: Iterable[Family]) -> None:
        self._shown = tuple(shown)
        self.samples: list[Sample] = []

    def collect(self) -> Iterator[Metric]:  # type: ignore[explicit-override]  # typing has it from 3.12 on
        """Every figure of these, those without a value too: what is missing now is known to exist."""
        by_family: dict[str, list[Sample]] = {}
        for sample in self.samples:
            by_family.setdefault(sample.family.name, []).append(sample)
        for family in self._shown:
            kind = CounterMetricFamily if family.kind is Kind.COUNTER else GaugeMetricFamily
            metric = kind(family.name, family.text, labels=family.labels)
            for sample in by_family.get(family.name, ()):
                metric.add_metric(sample.labels, sample.value)
            yield metric


def _seconds(incident: Incident, at: datetime) -> float:
    return max(0.0, (at - incident.disconnect_at).total_seconds())


def _keeps_the_port(meter: PrometheusMeter) -> Meter:
    return meter
