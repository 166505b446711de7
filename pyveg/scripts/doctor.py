"""`pyveg_doctor`: what is installed, which credentials there are, which services answer."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from pyveg.core.report import EXIT_FAILED, EXIT_FINE
from pyveg.scripts.edge import CONTEXT, debug_option, plain_errors, version_option


@click.command(context_settings=CONTEXT)
@click.option("--offline", is_flag=True, help="Do not contact any service.")
@click.option("--azure_config", help="Your accounts at Azure; else ./azure_config.py.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@debug_option
@version_option
def main(offline: bool, azure_config: str | None, as_json: bool, debug: bool) -> None:
    """Check packages, disk space, credentials and services, and say how to mend what is wrong.

    Credentials are looked for, but never shown.

    Exit code 0: nothing is wrong; 1: something is.
    """
    with plain_errors(debug=debug):
        from pyveg.azure_config import use_file
        from pyveg.jobs.doctor import Health, examine

        use_file(azure_config)
        findings = examine(online=not offline)
        if as_json:
            click.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
        else:
            for finding in findings:
                click.echo(f"{finding.health:>2} {finding.area}: {finding.text}")
                if finding.cure:
                    click.echo(f"     {finding.cure}")
        troubled = any(finding.health is Health.TROUBLE for finding in findings)
        sys.exit(EXIT_FAILED if troubled else EXIT_FINE)


if __name__ == "__main__":
    main()
