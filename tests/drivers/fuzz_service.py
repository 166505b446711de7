"""Ask the service for whatever its own description of the API allows, and for what it does not.

::

    pip install schemathesis
    python tests/drivers/fuzz_service.py --examples 60

No answer may be a fault of the service (500), and it must be ready afterwards. Streams of events
are left out, as they do not end.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pyveg.testing.service_server import ServiceServer


def main() -> None:
    """Read the command line, and tell what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=60, help="requests of each kind at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tool", default=shutil.which("st") or "st", help="where schemathesis is")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fuzz-service-"))
    with ServiceServer(folder, "max_running = 1\nmax_active = 20") as server:
        server.ended(server.submit("steps", count=2))
        command = [given.tool, "run", f"{server.address}/openapi.json"]
        command += ["--header", f"Authorization: Bearer {server.token}"]
        command += ["--checks", "not_a_server_error", "--exclude-path-regex", "events$"]
        command += ["--max-examples", str(given.examples), "--seed", str(given.seed)]
        command += ["--request-timeout", "30", "--generation-database", "none"]
        command += ["--suppress-health-check", "all"]  # a busy machine is no fault
        done = subprocess.run(command, cwd=folder, check=False)
        server.add_caller("after")
        ready = server.get("/readyz", token="")
        faults = [
            line
            for line in server.get("/metrics").body.decode().splitlines()
            if line.startswith("pyveg_http_requests_total") and 'status="500"' in line
        ]
        print(f"ready: {ready.status}; faults: {faults or 'none'}; in {folder}")
    sys.exit(bool(done.returncode or faults or ready.status != 200))


if __name__ == "__main__":
    main()
