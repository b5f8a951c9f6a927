"""Figures for Prometheus: taken when they are asked for, from what is measured anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric: ``samples`` are pairs of label values and number."""

    name: str
    help: str
    kind: str
    labels: tuple[str, ...]
    samples: tuple[tuple[tuple[str, ...], float], ...]


def figure(
    name: str,
    help_text: str,
    samples: Iterable[tuple[tuple[str, ...], float]],
    *labels: str,
    kind: str = "gauge",
) -> Figure:
    """A metric called ``mcx_NAME``."""
    return Figure(f"mcx_{name}", help_text, kind, labels, tuple(samples))


def one(name: str, help_text: str, value: float, kind: str = "gauge") -> Figure:
    """A metric without labels."""
    return figure(name, help_text, [((), value)], kind=kind)


class Collector:
    """Hands the figures of one scrape to prometheus-client."""

    def __init__(self, figures: Callable[[], Iterable[Figure]]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for told in self._figures():
            family = CounterMetricFamily if told.kind == "counter" else GaugeMetricFamily
            metric = family(told.name, told.help, labels=told.labels)
            for labels, value in told.samples:
                metric.add_metric(list(labels), value)
            yield metric


def registry(figures: Callable[[], Iterable[Figure]]) -> CollectorRegistry:
    """A registry of its own, so that two servers in one process do not collide."""
    from prometheus_client import CollectorRegistry

    found = CollectorRegistry(auto_describe=False)
    found.register(Collector(figures))
    return found


def text_of(found: CollectorRegistry) -> tuple[bytes, str]:
    """The scrape and its content type."""
    from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

    return generate_latest(found), CONTENT_TYPE_LATEST
