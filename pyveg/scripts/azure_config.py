"""`pyveg_azure_config`: write an azure_config.py to fill in."""

from __future__ import annotations

import click

from pyveg.scripts.edge import CONTEXT, debug_option, plain_errors, version_option


@click.command(context_settings=CONTEXT)
@click.option(
    "--output_file", default="azure_config.py", show_default=True, help="The file to write."
)
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@debug_option
@version_option
def main(output_file: str, force: bool, debug: bool) -> None:
    """Write an azure_config.py to fill in: your storage and Batch accounts, and the pool.

    Commands look for it in the working directory, or where --azure_config FILE or the environment
    variable PYVEG_AZURE_CONFIG says. Keep it out of version control.
    """
    with plain_errors(debug=debug):
        from pyveg.jobs import azure_template

        path = azure_template.write(output_file, force=force)
        click.echo(f"written: {path}")
        click.echo("fill it in, and keep it out of version control")


if __name__ == "__main__":
    main()
