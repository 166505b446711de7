"""`pyveg_score_images`: a model over images, without writing a config."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from pyveg.scripts.edge import (
    CONTEXT,
    debug_option,
    ended_in_order,
    plain_errors,
    trust_option,
    version_option,
)
from pyveg.scripts.engine_options import TakesOlderOptions, engine_option
from pyveg.scripts.given import files_for
from pyveg.scripts.running import on_interrupt_option, print_plan, run_and_tell, warn

if TYPE_CHECKING:
    from pyveg.core.report import RunReport
    from pyveg.jobs.run import OnInterrupt, PreparedRun

_TOP = ("output_location", "output_location_type", "runner", "n_workers")
_SCORE = (
    "images",
    "model",
    "record",
    "scorer",
    "threshold",
    "images_per_task",
    "shard_by",
    "private_hosts",
    "timeout",
    "run_mode",
)
_AGAIN = ("from_cache", "runner", "n_workers", "engine", "azure_config", "trust")
"""What may be said of a run that is finished as it was begun."""


@click.command(cls=TakesOlderOptions, context_settings=CONTEXT)
@click.argument("paths", required=False, nargs=-1, metavar="[IMAGES]...", shell_complete=files_for)
@click.option(
    "--images",
    multiple=True,
    help="Images: a folder, a quoted pattern, a file, @LIST, azure://CONTAINER/PREFIX, any URL. "
    "May be given more than once.",
)
@click.option("--model", help='An .onnx file or the address of a model server; "demo" to try.')
@click.option("--record", help="What says how to use the model; MODEL.json beside it if left out.")
@click.option("--scorer", help="What runs it: onnx (if left out), kserve_v2, tfserving.")
@click.option("--threshold", type=float, help="Least confidence that is kept. [0.1]")
@click.option("--all_files", is_flag=True, help="Take files of any ending for images.")
@click.option("--format", type=click.Choice(["1.6", "1.1"]), help="Of the results. [1.6]")
@click.option("--output_location", help="Where to write to; a date stamp is added.")
@click.option(
    "--output_location_type", help='"local", "azure", "s3" ...; what fits --run_mode if left out.'
)
@click.option("--run_mode", help='Where tasks run: "local" (if left out), or an engine.')
@click.option("--images_per_task", type=int, help="Images of a task, at most. [2000]")
@click.option(
    "--shard_by",
    type=click.Choice(["count", "folder"]),
    help='"folder": no task has images of two folders. [count]',
)
@click.option(
    "--private_host",
    "private_hosts",
    multiple=True,
    metavar="HOST",
    help="A host in a private network that addresses of images may lead to.",
)
@click.option("--timeout", type=float, help="Limit for one task, minutes.")
@click.option("--runner", help="processes (if left out), threads or serial.")
@click.option("--n_workers", type=click.IntRange(1), help="Tasks at once, on this machine.")
@engine_option
@click.option("--name", help="Name of the job. [images]")
@click.option("--from_cache", help="Folder, URL or container of a run to finish.")
@click.option("--write_config", metavar="FILE", help="Write all of this to a config too.")
@click.option("--azure_config", help="Your accounts at Azure; else ./azure_config.py.")
@trust_option
@on_interrupt_option
@click.option("--dry_run", is_flag=True, help="Print the plan and stop.")
@debug_option
@version_option
def main(on_interrupt: OnInterrupt, dry_run: bool, debug: bool, **given: Any) -> None:
    """Look for animals, people and whatever else a model knows in many images.

    \b
    pyveg_score_images photos --model demo --output_location results

    One JSON in MegaDetector's results format has what was found, or why an image could not be
    looked at; failures.csv has the latter alone. Images that are broken or gone are no failure of
    the run.

    Exit code 0: all fine; 1: some tasks failed, or no image could be looked at; 2: the command
    line is wrong; 130: interrupted.
    """  # noqa: D301 - click wants the character
    given["images"] = (*given.pop("paths"), *given["images"])
    with plain_errors(debug=debug), ended_in_order():
        from pyveg.azure_config import use_file
        from pyveg.scripts.progress import suited_progress
        from pyveg.scripts.scoring_progress import ImageProgress

        use_file(given["azure_config"])
        prepared = _prepared(given)
        warn(prepared)
        if dry_run:
            print_plan(prepared)
            return
        ends: list[bool] = []
        code = run_and_tell(
            prepared,
            on_interrupt,
            "score-images",
            azure_config=given["azure_config"],
            debug=debug,
            progress=ImageProgress(suited_progress()),
            more=lambda report: _results(report, ends),
        )
        sys.exit(code or any(ends))


def _prepared(given: dict[str, Any]) -> PreparedRun:
    from pyveg.jobs.command import keep, to_text
    from pyveg.jobs.engines import from_options
    from pyveg.jobs.resolve import resolve
    from pyveg.jobs.run import prepare

    engines = from_options(given["engine"])
    if given["from_cache"] is not None and not given["images"]:
        _check_alone(given)
        again = {name: given[name] for name in ("runner", "n_workers")}
        return prepare(
            from_cache=given["from_cache"], engines=engines, trust_record=given["trust"], **again
        )
    settings = _settings(given, engines)
    # Before the config is written: one that cannot work is not worth a file.
    pipeline = resolve(settings, given["write_config"])
    from pyveg.jobs.scoring import ABOUT

    if given["write_config"]:
        keep(settings, given["write_config"], ABOUT)
    prepared = prepare(pipeline, from_cache=given["from_cache"])
    return replace(prepared, config_text=to_text(settings, ABOUT))


def _settings(given: dict[str, Any], engines: dict[str, Any]) -> dict[str, Any]:
    """Of a config that says the same."""
    from pyveg.jobs.scoring import make_settings
    from pyveg.scripts.run_command import location_type

    for name, example in (
        ("images", "photos"),
        ("model", "--model demo"),
        ("output_location", "--output_location results"),
    ):
        # A run that is finished stays where it is.
        if not given[name] and not (name == "output_location" and given["from_cache"]):
            raise click.UsageError(f"the {name.replace('_', ' ')} must be given, such as {example}")
    top = {name: given[name] for name in _TOP}
    top["engines"] = engines or None
    top["output_location"] = top["output_location"] or "results"
    top["output_location_type"] = top["output_location_type"] or location_type(given["run_mode"])
    score = {name: given[name] for name in _SCORE}
    settings = make_settings(top, score, {"format": given["format"]}, given["name"])
    if given["all_files"]:
        settings["special_config"][settings["name"]]["endings"] = []
    return settings


def _check_alone(given: dict[str, Any]) -> None:
    """Without images, a run is finished as it was begun."""
    other = next((name for name, value in given.items() if value and name not in _AGAIN), None)
    if other:
        option = "private_host" if other == "private_hosts" else other
        raise click.UsageError(
            f"--{option} changes nothing in a run that is finished as it was begun; give the "
            "images and all else too, or leave it out"
        )


def _results(report: RunReport, ends: list[bool]) -> Iterator[str]:
    """Where results are, and how many images there were; whether all failed goes into `ends`."""
    from pyveg.jobs.scoring import JOIN
    from pyveg.modules.scoring.combine import FAILURES, RESULTS, SHEET
    from pyveg.scripts.shell import from_here

    for task in report.graph:
        result = report.results[task.id]
        if task.step.module != JOIN or not result.state.good:
            continue
        where = f"{from_here(report.url)}/{task.step.scope.root}"
        images, failed = result.notes.get("images", 0), result.notes.get("failed_images", 0)
        ends.append(bool(images) and images == failed)
        yield f"detections: {where}/{RESULTS}"
        if task.step.settings["pictures"]:
            yield f"pictures: {where}/{SHEET}"
        yield f"images: {images:,}" + (f", {failed:,} failed: {where}/{FAILURES}" if failed else "")


if __name__ == "__main__":
    main()
