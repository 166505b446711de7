"""What is made of the results when no Task is left: tables, a picture, an analysis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyveg.core import params
from pyveg.core.errors import LockLostError, PyvegError
from pyveg.core.events import EngineStatus, Observer
from pyveg.core.execute import describe
from pyveg.core.layout import LEDGER
from pyveg.core.ledger import make_ledger
from pyveg.core.ports import Store
from pyveg.core.tasks import TaskGraph, TaskResult
from pyveg.runs.execution import Execution
from pyveg.runs.run import Run

if TYPE_CHECKING:
    from pyveg.jobs.analyses import Written


def draw(run: Run, *, picture: bool) -> tuple[str | None, str | None]:
    """Where the summary is, and a picture of it, drawn anew."""
    series, place = run.series(), run.place
    if run.summary_key is None or series is None or place is None or run.figure_key is None:
        return None, None
    summary = f"{run.url}/{run.summary_key}"
    if not picture:
        return summary, None
    from pyveg.analysis.figures import series_png

    title = f"{place.latitude}° N, {place.longitude}° E,"
    drawn = series_png(series, title, run.metrics)
    if drawn is None:
        return summary, None
    run.store.write(run.figure_key, drawn)
    return summary, f"{run.url}/{run.figure_key}"


@dataclass(frozen=True)
class Analysed:
    """What came out of the analysis at the end of a run."""

    told: tuple[str, ...] = ()
    """A line for each collection."""
    reports: tuple[str, ...] = ()
    """Where its report is."""
    failed: str = ""
    """Why there is none."""


def analyse(
    store: Store,
    given: bool | Mapping[str, Any],
    n_threads: int,
    tell: Callable[[str], None],
) -> Analysed:
    """Analyse the results; gives a line for each collection, or why there is no analysis."""
    from pyveg.analysis.folder import FOLDER
    from pyveg.analysis.settings import AnalysisSettings
    from pyveg.jobs import analyses

    chosen = given if isinstance(given, Mapping) else {}
    try:
        done = analyses.run_analysis(
            analyses.Place(store, store, FOLDER),
            settings=params.build(AnalysisSettings, {"n_threads": n_threads, **chosen}, "analysis"),
            tell=tell,
        )
    except LockLostError:
        raise
    except PyvegError as error:
        return Analysed(failed=str(error))
    except Exception as error:  # noqa: BLE001 - the run itself is done, and must be reported
        return Analysed(failed=describe(error))
    reports = tuple(one.report for one in done if one.report)
    return Analysed(tuple(_told(one) for one in done), reports)


def _told(one: Written) -> str:
    """What happened, the verdict, and where the report is."""
    happened = " ".join(one.statement.happened)
    return " ".join(
        part for part in (f"{one.collection}:", happened, one.verdict.headline, one.report) if part
    )


def tell_execution(store: Store, execution: Execution, notify: Observer) -> str | None:
    """Where the page is that tells how the run was carried out; a run does not fail for it."""
    from pyveg.jobs.execution_report import write_execution

    try:
        return write_execution(store, execution)
    except LockLostError:
        raise
    except Exception as error:  # noqa: BLE001 - the run itself is done, and must be reported
        reason = f"there is no execution report: {describe(error)}"
        notify(EngineStatus(reason, urgent=True))
        return None


def write_ledger(store: Store, graph: TaskGraph, results: Mapping[str, TaskResult]) -> str | None:
    """Where the table of inputs is, for Modules that work on such."""
    table = make_ledger(graph, results)
    if table is None:
        return None
    store.write(LEDGER, table)
    return f"{store.url}/{LEDGER}"
