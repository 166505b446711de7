"""`pyveg_export`: what a run left, for geographic information systems."""

from __future__ import annotations

from pathlib import Path

import click

from pyveg.scripts.edge import CONTEXT, debug_option, plain_errors, version_option
from pyveg.scripts.given import files_for


@click.command(context_settings=CONTEXT)
@click.argument("run", shell_complete=files_for)
@click.option(
    "--format",
    "kind",
    required=True,
    help="geotiff: images with their reference system; geojson, geoparquet or csv: chips as "
    "polygons with their metrics, a row for each chip and date.",
)
@click.option("--output_dir", help='Folder to write to; else "export" in the working directory.')
@click.option("--collection", multiple=True, help="Vegetation collection; all if left out.")
@click.option("--azure_config", help="Your accounts at Azure; else ./azure_config.py.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@debug_option
@version_option
def main(  # noqa: PLR0917 - click passes options by name
    run: str,
    kind: str,
    output_dir: str | None,
    collection: tuple[str, ...],
    azure_config: str | None,
    force: bool,
    debug: bool,
) -> None:
    """Write images and chips of RUN, a folder or URL, in a standard format.

    Exit code 0: written; 2: something is wrong or missing.
    """
    with plain_errors(debug=debug):
        from pyveg.azure_config import use_file
        from pyveg.jobs.export import export
        from pyveg.jobs.locations import find_store
        from pyveg.runs.run import open_run

        use_file(azure_config)
        folder = Path(output_dir or "export")
        opened = open_run(find_store(run))
        done = export(opened, kind, folder, collections=collection, force=force)
        for path in done[:3]:
            click.echo(f"written: {path}")
        if len(done) > 3:
            click.echo(f"and {len(done) - 3} more files in {folder}")


if __name__ == "__main__":
    main()
