"""A Dask scheduler and workers as processes of this machine, to be killed by tests."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from pyveg.testing.tied_process import TiedProcess

_STARTING = 60.0
"""How long a process may take to start on a busy machine, seconds."""
_PAGE = ("--no-dashboard", "--dashboard-address", "127.0.0.1:0")
"""Its page of numbers, on any port."""


class DaskProcesses:
    """A scheduler, and workers as they are added; all of it ends with the context.

    Parameters
    ----------
    folder : Path
        For files that they write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._workers: list[TiedProcess] = []
        self._count = 0

    def __enter__(self) -> DaskProcesses:
        self._folder.mkdir(parents=True, exist_ok=True)
        self.file = self._folder / "scheduler.json"
        self._scheduler = self._start("scheduler", "--port", "0", "--host", "127.0.0.1", *_PAGE)
        end = time.monotonic() + _STARTING
        while not self.file.is_file() or not self.file.read_text():
            if self._scheduler.poll() is not None or time.monotonic() > end:
                raise RuntimeError("the scheduler did not start")
            time.sleep(0.05)
        self.address: str = json.loads(self.file.read_text())["address"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in (*self._workers, self._scheduler):
            process.end()

    def add_workers(
        self,
        count: int,
        *,
        threads: int = 1,
        preload: Path | None = None,
        environment: Mapping[str, str] | None = None,
        memory_limit: str = "0",
    ) -> None:
        """Start workers, each with a nanny that starts it again, and wait until they are there.

        Parameters
        ----------
        count, threads : int
        preload : Path, optional
            A script that each of them runs before it begins.
        environment : mapping of str to str, optional
            More variables.
        memory_limit : str
            Of each worker, as Dask reads it; "0" for none.
        """
        more = ["--preload", str(preload)] if preload is not None else []
        self._workers.append(
            self._start(
                "worker",
                *(
                    "--nworkers",
                    str(count),
                    "--nthreads",
                    str(threads),
                    "--memory-limit",
                    memory_limit,
                ),
                *("--host", "127.0.0.1", "--no-dashboard", "--local-directory", str(self._folder)),
                *more,
                environment=environment,
            )
        )
        self._count += count
        self._wait_for_workers()

    def worker_ids(self) -> dict[str, int]:
        """Address -> id of the process of each worker; the nannies' own are not among them."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            ids: dict[str, int] = client.run(os.getpid)
        return ids

    def variables(self, name: str) -> list[str]:
        """An environment variable in each worker; empty where it is not set."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            values: dict[str, str] = client.run(os.environ.get, name, "")
        return list(values.values())

    def kill_scheduler(self) -> None:
        """As if its machine had gone."""
        self._scheduler.end()

    def _wait_for_workers(self) -> None:
        """Until as many have come as were started; one of them may have left again."""
        end = time.monotonic() + _STARTING
        while self.log.count("Registered to:") < self._count:
            if time.monotonic() > end:
                raise RuntimeError(f"no worker came: {self.log[-2000:]}")
            time.sleep(0.05)

    def _start(
        self, command: str, *options: str, environment: Mapping[str, str] | None = None
    ) -> TiedProcess:
        with (self._folder / f"{command}.log").open("ab") as log:
            return TiedProcess(
                [
                    *(sys.executable, "-m", "dask", command),
                    *("--scheduler-file", str(self.file), *options),
                ],
                log,
                environment={**os.environ, **(environment or {})},
            )

    @property
    def log(self) -> str:
        """What all of them have written so far."""
        return "".join(path.read_text() for path in sorted(self._folder.glob("*.log")))
