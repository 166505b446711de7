"""Numbers for Prometheus. They are drawn from the table, so that all web processes say the same."""

from __future__ import annotations

import json
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pyveg.service.desk import Desk
from pyveg.service.states import JobState
from pyveg.service.table import Table
from pyveg.service.web.guard import Tally

_REQUESTS, _SECONDS = "requests", "request_seconds"


def keep(table: Table, tally: Tally) -> None:
    """Add what one web process has counted to the table."""
    counts, seconds = tally.take()
    if not counts:
        return
    with table.write() as at:
        rows = [(_REQUESTS, json.dumps(labels), count) for labels, count in counts.items()]
        at.executemany(
            "INSERT INTO counts VALUES(?, ?, ?)"
            " ON CONFLICT(name, labels) DO UPDATE SET value = value + excluded.value",
            [*rows, (_SECONDS, "[]", seconds)],
        )


def text(desk: Desk) -> bytes:
    """All numbers, as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(_Numbers(desk))
    return generate_latest(registry)


class _Numbers(Collector):
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def collect(self) -> Iterator[Metric]:
        yield self._jobs()
        yield self._of_restarts()
        yield from self._health()
        yield from self._requests()

    def _jobs(self) -> Metric:
        family = GaugeMetricFamily("pyveg_jobs", "Jobs by state.", labels=["process", "state"])
        counts = self._desk.jobs_table.counts()
        for process in sorted({process for process, _ in counts}):
            for state in JobState:
                family.add_metric([process, str(state)], counts.get((process, str(state)), 0))
        return family

    def _of_restarts(self) -> Metric:
        rows = self._desk.table.read("SELECT coalesce(sum(restarts), 0) FROM jobs")
        total = CounterMetricFamily(
            "pyveg_job_restarts", "Processes of jobs that died and were started again."
        )
        total.add_metric([], rows[0][0])
        return total

    def _health(self) -> Iterator[Metric]:
        report = self._desk.report()
        yield GaugeMetricFamily(
            "pyveg_ready", "Whether all works that the service stands on.", value=int(report.well)
        )
        yield GaugeMetricFamily(
            "pyveg_supervisor_age_seconds",
            "Seconds since the supervisor gave a sign of life.",
            value=report.age,
        )
        yield GaugeMetricFamily(
            "pyveg_troubles", "Things that do not work.", value=len(report.troubles)
        )

    def _requests(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "pyveg_http_requests",
            "Requests that were answered.",
            labels=["method", "route", "status"],
        )
        seconds = 0.0
        for row in self._desk.table.read("SELECT name, labels, value FROM counts"):
            if row["name"] == _REQUESTS:
                family.add_metric([str(one) for one in json.loads(row["labels"])], row["value"])
            else:
                seconds = row["value"]
        yield family
        total = CounterMetricFamily("pyveg_http_request_seconds", "Seconds that these took.")
        total.add_metric([], seconds)
        yield total
