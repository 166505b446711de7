"""`pyveg_calibrate`: how often the tests are right, on simulated places of known fate."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Hashable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from pyveg.core.errors import ConfigError
from pyveg.scripts.edge import CONTEXT, debug_option, ended_in_order, plain_errors, version_option

if TYPE_CHECKING:
    import pandas as pd

    from pyveg.calibration.workers import Progress


@click.command(context_settings=CONTEXT)
@click.option("--output_dir", required=True, help="Where tables, figure and places go.")
@click.option(
    "--n_places", type=click.IntRange(1), default=400, show_default=True, help="Stable places."
)
@click.option(
    "--n_falling",
    type=click.IntRange(0),
    help="Declining places, and as many collapsing. [half of --n_places]",
)
@click.option(
    "--years",
    type=click.IntRange(2, 100),
    default=10,
    show_default=True,
    help="Length of each record.",
)
@click.option(
    "--gaps",
    default="0,0.2,0.4",
    show_default=True,
    help="Shares of dates to take away from the same places.",
)
@click.option(
    "--chips",
    type=click.IntRange(1, 20),
    default=2,
    show_default=True,
    help="Along a side of a place.",
)
@click.option("--indicators", default="", help='Names, such as "ar1,variance,trend". [all]')
@click.option(
    "--surrogates", type=click.IntRange(19), default=199, show_default=True, help="Per test."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--zoo",
    is_flag=True,
    help="Count verdicts on simulated records instead: situations in which resilience does not "
    "change, and some in which it is lost. --n_places is records of each; --n_workers counts too.",
)
@click.option("--n_workers", type=click.IntRange(1), help="Processes. [one per core]")
@debug_option
@version_option
def main(**options: Any) -> None:
    """Run simulated places through the pipeline and count the alarms of the tests.

    Stable places show the rate of false alarms; places whose rain declines by a quarter, or so
    far that the vegetation collapses, show the power. A place takes about five seconds of one
    core. A calibration that was interrupted goes on with the same command; other --gaps,
    --indicators and --surrogates test the same places again.

    Exit code 0: done; 2: something is wrong; 130: interrupted.
    """
    with plain_errors(debug=options["debug"]), ended_in_order(), ExitStack() as stack:
        if options["zoo"]:
            _zoo(options, stack)
            return
        from pyveg.calibration.calibrate import Checks, calibrate
        from pyveg.calibration.simulated_places import World
        from pyveg.calibration.workers import cores

        calibration = calibrate(
            options["output_dir"],
            n_places=options["n_places"],
            n_falling=options["n_falling"],
            world=World(years=options["years"], chips=options["chips"], seed=options["seed"]),
            checks=Checks(
                gaps=tuple(_numbers(options["gaps"])),
                indicators=tuple(_parts(options["indicators"])),
                surrogates=options["surrogates"],
            ),
            n_workers=options["n_workers"] or cores(),
            progress=_progress(stack, "places"),
        )
        stack.close()
        click.echo(table(calibration.summary))
        for path in calibration.files:
            click.echo(f"written: {path}")


def _zoo(options: dict[str, Any], stack: ExitStack) -> None:
    """Count the verdicts on the zoo, and tell how often memory was said to rise."""
    from pyveg.calibration.workers import cores
    from pyveg.calibration.zoo.cells import zoo_cells
    from pyveg.calibration.zoo.write import write_zoo
    from pyveg.scripts.zoo_tables import zoo_lines

    found = write_zoo(
        options["output_dir"],
        zoo_cells(options["n_places"]),
        n_workers=options["n_workers"] or cores(),
        progress=_progress(stack, "records"),
    )
    stack.close()
    for line in zoo_lines(found.rates, found.scores):
        click.echo(line)
    for path in found.files:
        click.echo(f"written: {path}")


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in _parts(text)]
    except ValueError:
        raise ConfigError(
            f'--gaps "{text}" are no shares', "write numbers with commas: 0,0.2,0.4"
        ) from None


def _progress(stack: ExitStack, what: str) -> Progress:
    """A bar where somebody looks at it, a line now and then elsewhere."""
    if not sys.stdout.isatty():
        return _Lines(what)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeElapsedColumn as Elapsed
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (
        TextColumn(what), BarColumn(), MofNCompleteColumn(), Elapsed(), Remaining(),
        TextColumn("{task.description}"),
    )  # fmt: skip
    bar = stack.enter_context(Progress(*columns))
    line = bar.add_task("")

    def advance(done: int, total: int, name: str) -> None:
        bar.update(line, completed=done, total=total, description=name)

    return advance


class _Lines:
    """Prints how far it is, every so many seconds and at the end."""

    def __init__(self, what: str, every: float = 10.0) -> None:
        self._what, self._every = what, every
        self._start, self._first = time.monotonic(), 0
        self._last = float("-inf")

    def __call__(self, done: int, total: int, name: str) -> None:
        now = time.monotonic()
        if not name:  # what was done at an earlier start took none of this time
            self._first = done
        if done < total and now - self._last < self._every:
            return
        self._last = now
        left = ""
        if done > self._first and done < total:
            seconds = (now - self._start) / (done - self._first) * (total - done)
            left = f", about {seconds / 60:.0f} min left"
        click.echo(f"{done}/{total} {self._what}{left}")


def table(summary: pd.DataFrame) -> str:
    """The summary for people: rates in percent with their intervals, and the area of the ROC."""
    from pyveg.scripts.tables import aligned

    head = ["test", "scenario", "gaps", "tested", "alarms %", "95 %", "by chance", "AUC", "95 %"]
    order = summary.sort_values(["metric", "indicator"], kind="stable")
    return aligned([head, *(_line(row) for row in order.to_dict("records"))])


def _line(row: dict[Hashable, Any]) -> list[str]:
    return [
        f"{row['metric']}: {row['indicator']}",
        str(row["scenario"]),
        f"{100 * row['gaps']:.0f} %",
        f"{row['tested']}/{row['places']}",
        _number(100 * row["rate"], 1),
        _range(100 * row["rate_low"], 100 * row["rate_high"], 1),
        _range(100 * row["chance_low"], 100 * row["chance_high"], 1),
        _number(row["auc"], 2),
        _range(row["auc_low"], row["auc_high"], 2),
    ]


def _number(value: float, decimals: int) -> str:
    return "" if math.isnan(value) else f"{value:.{decimals}f}"


def _range(low: float, high: float, decimals: int) -> str:
    return "" if math.isnan(low) else f"{low:.{decimals}f}-{high:.{decimals}f}"


if __name__ == "__main__":
    main()
