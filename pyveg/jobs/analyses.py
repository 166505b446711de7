"""Analyse the results of a run, wherever they are, and write what comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyveg.analysis.analyse import Analysis, Progress, analyse_series
from pyveg.analysis.data.columns import CAMPAIGN
from pyveg.analysis.data.inputs import read_input
from pyveg.analysis.folder import (
    COLUMNS,
    FOLDER,
    REPORT,
    analyses_in,
    columns_file,
    folder_name,
    read_analysis,
    table_files,
    write_analysis,
)
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.sites import Sites, compare_sites, read_site, sites_table
from pyveg.analysis.statement import Statement
from pyveg.analysis.verdict import Verdict
from pyveg.core import registry
from pyveg.core.errors import ConfigError, DataError, NotARunError
from pyveg.core.ports import Store
from pyveg.jobs.locations import find_store
from pyveg.runs.series_file import is_series_file

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Written:
    """An analysis that was written."""

    collection: str
    verdict: Verdict
    folder: str
    """Where it is: path or URL."""
    report: str | None
    statement: Statement = field(default_factory=Statement)
    """What happened, first; then what the verdict rests on."""


@dataclass(frozen=True)
class Place:
    """Where results are, and where their analysis goes."""

    results: Store | Path
    """The Store of a run, a `results_summary.json` by itself, or a table of dates and values."""
    output: Store
    prefix: str


def find(where: str | Path, output_dir: str | Path | None = None) -> Place:
    """Find results by a folder, a URL, a container, a `results_summary.json` or a table.

    Parameters
    ----------
    where : str or Path
    output_dir : str or Path, optional
        Folder for the analysis; else "analysis" in the run, or beside the summary.
    """
    text = str(where)
    output = None if output_dir is None else registry.store_at(str(output_dir))
    if text.endswith(".json") or is_series_file(text):
        beside = output or registry.store_at(str(Path(text).parent))
        return Place(Path(text), beside, "" if output else FOLDER)
    store = find_store(text)
    return Place(store, output or store, "" if output else FOLDER)


def run_analysis(
    place: Place,
    *,
    collections: Sequence[str] = (),
    metrics: Sequence[str] | None = None,
    settings: AnalysisSettings | None = None,
    spatial: bool = True,
    swap_coordinates: bool = False,
    report: bool = True,
    tell: Tell | None = None,
) -> list[Written]:
    """Analyse the vegetation collections of some results, and write tables, figures and report.

    Parameters
    ----------
    place : Place
    collections : sequence of str
        All where empty.
    metrics, settings, spatial, swap_coordinates
        See `pyveg.analyse`.
    report : bool
        Whether figures and report are made too.
    tell : callable, optional
        Given a line about every step.
    """
    given = read_input(place.results, swap_coordinates=swap_coordinates)
    if not given.series:
        raise NotARunError(
            f"there is no vegetation in {given.source}",
            "give the results of a job with a vegetation collection",
        )
    chosen = [given.choose(name) for name in collections] or list(given.series)
    _check_folders([series.collection for series in chosen])
    done = []
    for series in chosen:
        say = _line(tell, series.collection)
        analysis = analyse_series(
            series,
            settings=settings,
            metrics=metrics,
            run=given.run,
            others=given.of_place(),
            spatial=spatial,
            source=given.source,
            progress=_steps(say),
        )
        # Before the report, which can be drawn again from it.
        folder = write_analysis(analysis, place.output, place.prefix)
        made = None
        if report:
            say("figures and report")
            made = write_report(analysis, place.output, folder)
        url = f"{place.output.url}/{folder}"
        done.append(Written(series.collection, analysis.verdict, url, made, analysis.statement))
    return done


def _check_folders(names: Sequence[str]) -> None:
    """Two analyses must not be written to one folder."""
    seen: dict[str, str] = {}
    for name in names:
        # Some file systems take capitals for small letters.
        other = seen.setdefault(folder_name(name).lower(), name)
        if other != name:
            raise ConfigError(
                f'"{other}" and "{name}" would be written to one folder',
                "rename one of them, or name one with --collection",
            )


def report_again(where: str | Path, tell: Tell | None = None) -> list[Written]:
    """Draw figures and reports anew for analyses that were written before."""
    text = str(where)
    store = find_store(text)
    folders = analyses_in(store)
    if not folders:
        raise NotARunError(
            f"there is no analysis in {store.url}", "make one with pyveg_gee_analysis --input_dir"
        )
    done = []
    for folder in folders:
        analysis = read_analysis(store, folder)
        _line(tell, analysis.series.collection)("figures and report")
        made = write_report(analysis, store, folder)
        url = f"{store.url}/{folder}" if folder else store.url
        done.append(
            Written(analysis.series.collection, analysis.verdict, url, made, analysis.statement)
        )
    return done


def write_report(analysis: Analysis, store: Store, folder: str) -> str:
    """Write every figure as PNG and SVG, and the report; gives its path or URL."""
    from pyveg.analysis.figures import all_figures, save_figure
    from pyveg.analysis.report import report_html

    base = f"{folder}/" if folder else ""
    figures = all_figures(analysis)
    for name, figure in figures.items():
        png, svg = save_figure(figure)
        store.write(f"{base}figures/{name}.png", png)
        store.write(f"{base}figures/{name}.svg", svg)
    store.write(f"{base}{REPORT}", report_html(analysis, figures=figures).encode())
    return f"{store.url}/{base}{REPORT}"


def _line(tell: Tell | None, collection: str) -> Tell:
    def say(text: str) -> None:
        if tell is not None:
            tell(f"analysis of {collection}: {text}")

    return say


def _steps(say: Tell) -> Progress:
    def progress(step: str, number: int, count: int) -> None:
        say(f"{step} ({number + 1}/{count})")

    return progress


@dataclass(frozen=True)
class Summary:
    """Places side by side, and where that was written."""

    sites: Sites
    folder: str
    left_out: tuple[str, ...]
    """What could not be read, and why."""


def summarise(
    where: Sequence[str | Path], output_dir: str | Path, *, alpha: float = 0.05, fdr: str = "bh"
) -> Summary:
    """Compare all analyses under some locations; see `pyveg.analysis.sites`.

    Raises
    ------
    NotARunError
        If there is none.
    """
    from pyveg.analysis.figures import save_figure
    from pyveg.analysis.figures.sites import site_figures

    compared, left_out = [], []
    for one in where:
        text = str(one)
        store = find_store(text)
        for folder in analyses_in(store):
            try:
                compared.append(read_site(store, folder))
            except DataError as error:
                left_out.append(str(error))
    if not compared:
        raise NotARunError(
            f"there is no analysis in {', '.join(map(str, where))}",
            "make them with pyveg_gee_analysis --input_dir RUN",
        )
    sites = compare_sites(compared, alpha=alpha, fdr=fdr)
    output = registry.store_at(str(output_dir))
    tables = {"sites": sites.sites, "tests": sites.tests, "shares": sites.shares}
    for name, table in tables.items():
        for file, data in table_files(name, table).items():
            output.write(file, data)
    declared = {**CAMPAIGN, "sites": sites_table(sites.means, sites.trends)}
    output.write(COLUMNS, columns_file(declared))
    for name, figure in site_figures(sites, alpha).items():
        png, svg = save_figure(figure)
        output.write(f"{name}.png", png)
        output.write(f"{name}.svg", svg)
    return Summary(sites, output.url, tuple(left_out))
