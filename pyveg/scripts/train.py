"""`pyveg_train`: train a model, promote the best checkpoint, predict with it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pyveg.scripts.edge import (
    CONTEXT,
    azure_config_option,
    debug_option,
    ended_in_order,
    plain_errors,
    version_option,
)
from pyveg.scripts.engine_options import TakesOlderOptions, engine_option
from pyveg.scripts.job_options import top_of, where_options
from pyveg.scripts.running import on_interrupt_option, print_plan, run_and_tell, warn

if TYPE_CHECKING:
    from pyveg.jobs.run import OnInterrupt

_BOTH = ("run_mode", "timeout")


@click.command(cls=TakesOlderOptions, context_settings=CONTEXT)
@click.option("--catalog", help="CSV file: id_str, file_loc, and a column of counts per label.")
@click.option("--manifest", help="JSON file of images to predict; or a folder of images.")
@click.option("--script", help="Your trainer; the reference one for chips if left out.")
@click.option("--predict_script", help="Your program for predictions; likewise.")
@click.option("--option", "options", multiple=True, help="An argument of the trainer, as it is.")
@click.option("--images", help="Folder that paths of the catalogue begin at; its own if left out.")
@click.option("--checkpoint", help="File of a model to begin from.")
@click.option("--checkpoints", help="Folder of checkpoints to promote the best of; no training.")
@click.option("--models", default="models", help="Folder or URL of promoted models. [models]")
@click.option("--model", default="chips", help="Name of the model there. [chips]")
@click.option("--simulate", metavar="FOLDER", help="Write simulated chips to learn from, and stop.")
@where_options
@click.option("--timeout", type=float, help="Limit for each program, minutes.")
@click.option("--runner", help="processes (if left out), threads or serial.")
@click.option("--n_workers", type=click.IntRange(1), help="Tasks at once, on this machine.")
@engine_option
@azure_config_option
@on_interrupt_option
@click.option("--dry_run", is_flag=True, help="Print the plan and stop.")
@debug_option
@version_option
def main(
    on_interrupt: OnInterrupt, dry_run: bool, debug: bool, simulate: str | None, **given: Any
) -> None:
    """Train a model, promote the best checkpoint if it is better, and predict with it.

    \b
    pyveg_train --simulate chips
    pyveg_train --catalog chips/catalogue.csv --manifest photos --output_location out

    Without --catalog the model that is promoted predicts; with --checkpoints the best of those
    is promoted first. A trainer of yours is called as
    python SCRIPT [OPTION]... --catalog FILE --save-dir FOLDER --checkpoint FILE, without a shell.

    Exit code 0: all fine; 1: something failed; 2: the command line is wrong; 130: interrupted.
    """  # noqa: D301 - click wants the character
    with plain_errors(debug=debug), ended_in_order():
        from pyveg.azure_config import use_file

        if simulate is not None:
            _simulate(Path(simulate))
            return
        use_file(given["azure_config"])
        prepared = _prepared(given)
        warn(prepared)
        if dry_run:
            print_plan(prepared)
            return
        accounts = given["azure_config"]
        code = run_and_tell(prepared, on_interrupt, "run", azure_config=accounts, debug=debug)
        sys.exit(code)


def _simulate(folder: Path) -> None:
    from pyveg.training.catalogue import load_catalogue
    from pyveg.training.simulated_chips import write

    catalogue = write(folder, 80)
    click.echo(f"{len(load_catalogue(catalogue).rows)} chips: {catalogue}")


def _prepared(given: dict[str, Any]) -> Any:
    from pyveg.jobs.command import to_text
    from pyveg.jobs.engines import from_options
    from pyveg.jobs.resolve import resolve
    from pyveg.jobs.run import prepare
    from pyveg.jobs.training import ABOUT, make_settings

    if not (given["catalog"] or given["checkpoints"] or given["manifest"]):
        raise click.UsageError(
            "say what to learn from (--catalog), to promote (--checkpoints) or to predict "
            "(--manifest)"
        )
    if given["catalog"] and given["checkpoints"]:
        raise click.UsageError("--catalog trains and promotes; give it or --checkpoints")
    if given["output_location"] is None:
        raise click.UsageError("say where results go: --output_location FOLDER")
    top = top_of(given, from_options(given["engine"]))
    both = {name: given[name] for name in _BOTH}
    train = {name: given[name] for name in ("catalog", "script", "options", "images", "checkpoint")}
    predict = {"manifest": _manifest(given["manifest"]), "script": given["predict_script"]}
    promote = {name: given[name] for name in ("models", "model", "checkpoints")}
    settings = make_settings(top, {**train, **both}, promote, {**predict, **both})
    return replace(prepare(resolve(settings)), config_text=to_text(settings, ABOUT))


def _manifest(given: str | None) -> str | None:
    """A manifest, made beside the images of a folder where that is named."""
    if given is None or not Path(given).is_dir():
        return given
    from pyveg.jobs.training import manifest_of_folder
    from pyveg.photos import ENDINGS

    path = Path(given, "manifest.json")
    if not path.exists():
        path.write_text(manifest_of_folder(Path(given), ENDINGS), encoding="utf-8")
    return str(path)


if __name__ == "__main__":
    main()
