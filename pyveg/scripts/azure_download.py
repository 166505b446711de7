"""`pyveg_azure_download`: get what a run left in a blob container."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pyveg.scripts.edge import CONTEXT, debug_option, plain_errors, say, version_option

if TYPE_CHECKING:
    from pyveg.storage.azure_download import Downloaded


@click.command(context_settings=CONTEXT)
@click.option("--container", required=True, help="The container, as the run printed it.")
@click.option("--output_zipfile", help="A zip file to write.")
@click.option("--output_dir", help="A folder to write to; files in it that are equal stay.")
@click.option("--summary_json", is_flag=True, help="results_summary.json and the series.")
@click.option("--rgb", is_flag=True, help="RGB images.")
@click.option("--ndvi", is_flag=True, help="NDVI images and their black-and-white form.")
@click.option("--all", "everything", is_flag=True, help="Everything that the run wrote.")
@click.option("--azure_config", help="Your accounts at Azure; else ./azure_config.py.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@debug_option
@version_option
def main(  # noqa: PLR0917 - click passes options by name
    container: str,
    output_zipfile: str | None,
    output_dir: str | None,
    summary_json: bool,
    rgb: bool,
    ndvi: bool,
    everything: bool,
    azure_config: str | None,
    force: bool,
    debug: bool,
) -> None:
    """Download the results of a run from its blob container; the summary and RGB images by default.

    Every file is checked by its length and MD5. A download that was broken off goes on from
    there when the same command is given again.
    """
    if (output_zipfile is None) == (output_dir is None):
        raise click.UsageError("give one of --output_zipfile FILE.zip and --output_dir FOLDER")
    flags = {"summary": summary_json, "rgb": rgb, "ndvi": ndvi, "all": everything}
    kinds = [kind for kind, given in flags.items() if given] or ["summary", "rgb"]
    with plain_errors(debug=debug):
        from pyveg.azure_config import use_file

        use_file(azure_config)
        done = _download(container, kinds, output_zipfile, output_dir, force=force)
        present = f", {done.present} of them were there already" if done.present else ""
        click.echo(f"{done.files} files, {done.size / 1e6:.1f} MB{present}")
        if done.left_out:
            say(
                f"left out: {', '.join(done.left_out)}: commands that are started beside such a "
                "file run it, and no run writes one",
                err=True,
            )
        click.echo(f"written: {output_zipfile or output_dir}")


def _download(
    container: str, kinds: list[str], zipfile: str | None, folder: str | None, *, force: bool
) -> Downloaded:
    from pyveg.core.errors import StoreError
    from pyveg.runs.kinds import chosen
    from pyveg.scripts.download_progress import suited_watcher
    from pyveg.storage.azure import open_container
    from pyveg.storage.azure_download import download_folder, download_zip

    store = open_container(container)
    blobs = [blob for blob in store.inventory() if chosen(blob.key, kinds)]
    if not blobs:
        raise StoreError(
            f"{store.url} has nothing of what was asked for ({', '.join(kinds)})",
            "take whatever there is with --all",
        )
    with suited_watcher() as watcher:
        if zipfile is not None:
            return download_zip(store, blobs, zipfile, force=force, watcher=watcher)
        return download_folder(store, blobs, folder or "", force=force, watcher=watcher)


if __name__ == "__main__":
    main()
