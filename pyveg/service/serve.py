"""A server put together: its lock, table and socket, the supervisor, and web processes.

One process holds the lock, the socket and the supervisor. It answers requests itself; with more
than one web process they answer, and it watches over them.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

from pyveg.azure_config import use_file
from pyveg.core import params, registry
from pyveg.core.errors import ConfigError, MissingPackageError
from pyveg.core.texts import said
from pyveg.service import keys, notes, table
from pyveg.service.config import ServiceConfig
from pyveg.service.desk import Desk
from pyveg.service.stations import desk as stations
from pyveg.service.supervisor import Supervisor
from pyveg.service.table import TableError

_LOCK = "server.lock"
_CONFIG = "running.json"
"""The config of the running server, for its web processes."""
_PACKAGES = ("fastapi", "prometheus-client", "uvicorn")
_BACKLOG = 1024
_LOOK = 0.5
_LINGERING = 10.0
"""Seconds for which web processes of a server that was killed may still have its port."""
Tell = Callable[[str], None]


def serve(config: ServiceConfig, tell: Tell, *, stop_jobs: bool = False) -> None:
    """Serve until a signal ends it. Jobs go on without it, and are found again by the next one.

    Parameters
    ----------
    config : ServiceConfig
    tell : callable
        Takes what the operator should read.
    stop_jobs : bool
        Whether jobs that run are interrupted at the end, to be resumed by the next server.

    Raises
    ------
    ConfigError
        If another server has the table, the port is taken, or the table is on a network disk.
    """
    use_file(config.azure_config)  # the supervisor looks at runs in containers too
    with ExitStack() as stack:
        stack.enter_context(_alone(config))
        warning = ready(config)
        listening = stack.enter_context(listen(config))
        desk = Desk(config)
        supervisor = Supervisor(
            config, desk.jobs_table, desk.callers, desk.processes_known, desk.health
        )
        thread = threading.Thread(target=supervisor.run, name="pyveg-supervisor")
        thread.start()
        tell(f"pyveg_serve: {address(config, listening)} (process {os.getpid()})")
        tell(f"jobs: {config.folder}; runs: {config.runs}")
        if warning:
            tell(f"warning: {warning}")
        try:
            if config.web_workers == 1:
                from pyveg.service.web.server import answer

                answer(Desk(config, supervisor.wake), listening)
            else:
                _watch_over(config, listening)
        finally:
            supervisor.end()
            thread.join()
            if stop_jobs:
                supervisor.interrupt_jobs()


def check_installed() -> None:
    """Refuse to serve where a package is missing; commands that do not serve need none of them.

    Raises
    ------
    MissingPackageError
    """
    if sys.platform == "win32":
        raise ConfigError(
            "the service needs sessions and locks that Windows has not",
            "run it on Linux or macOS, or in the Linux of WSL",
        )
    if not all(map(registry.is_installed, _PACKAGES)):
        raise MissingPackageError("pyveg_serve", "pyveg[serve]")


def ready(config: ServiceConfig) -> str:
    """Make what is not there yet: folder, key and table.

    Returns
    -------
    str
        What is wrong with the table; empty where nothing is. A damaged one is not the end: the
        service answers, says so, and tries again.

    Raises
    ------
    ConfigError
        If the folder cannot be written, or is on a network disk.
    """
    warning = ""
    try:
        table.make(config.table_path)
    except TableError as error:
        if not config.table_path.exists():
            raise ConfigError(error.wrong, error.cure) from None
        warning = str(error)
    try:
        stations.prepare(config)
    except TableError as error:
        warning = warning or str(error)
    keys.make(config.folder)
    return warning


def opened(config: ServiceConfig) -> Desk:
    """The desk of a service for commands, whether its server runs or not.

    Raises
    ------
    ConfigError, TableError
    """
    use_file(config.azure_config)
    if not config.table_path.exists():
        table.make(config.table_path)
        keys.make(config.folder)
    return Desk(config)


@contextmanager
def _alone(config: ServiceConfig) -> Iterator[None]:
    """Hold the table against other servers; the lock goes with this process, however it ends."""
    import fcntl  # not there on Windows

    path = config.folder / _LOCK
    try:
        config.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        stream = path.open("a+")
    except OSError as error:
        raise ConfigError(
            f"the folder of the service, {config.folder}, cannot be written: {said(error)}",
            "give another as data in service_config.py",
        ) from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            stream.seek(0)
            raise ConfigError(
                f"{config.table_path} is served by process {stream.read().strip() or '?'} already",
                "stop that one, or give another folder as data in service_config.py",
            ) from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


@contextmanager
def listen(config: ServiceConfig) -> Iterator[socket.socket]:
    """The socket that requests come to.

    Raises
    ------
    ConfigError
        If the port is taken, or the address is none of this machine.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    # Its protocol is named, as asyncio sends answers without delay only where it knows it: head
    # and body of an answer are 40 ms apart otherwise.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            _bind(made, config)
            made.listen(_BACKLOG)
        except OSError as error:
            raise ConfigError(
                f"the port {config.port} of {config.host} cannot be had: {said(error)}",
                "stop what has it, or give another with --port",
            ) from None
        yield made


def _bind(made: socket.socket, config: ServiceConfig) -> None:
    """Take the port; web processes of a server that was killed may have it for a moment more.

    They end by themselves, as soon as Python has started in those that were being made.
    """
    end = time.monotonic() + (_LINGERING if config.web_workers > 1 and config.port else 0.0)
    while True:
        try:
            made.bind((config.host, config.port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= end:
                raise
            time.sleep(_LOOK / 5)
        else:
            return


def address(config: ServiceConfig, listening: socket.socket) -> str:
    """The address of a server as its operator opens it."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    return config.public_url or f"http://{host}:{listening.getsockname()[1]}"


def _watch_over(config: ServiceConfig, listening: socket.socket) -> None:
    """Keep web processes going until a signal comes."""
    notes.write(config.folder, _CONFIG, params.to_json(config))
    over = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        over.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    reading, writing = os.pipe()  # its end tells web processes that this one is gone
    workers = [_web_process(config, listening, reading) for _ in range(config.web_workers)]
    try:
        while not over.wait(_LOOK):
            for place, worker in enumerate(workers):
                if worker.poll() is not None:
                    workers[place] = _web_process(config, listening, reading)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for worker in workers:
            worker.terminate()
        for worker in workers:
            with suppress(subprocess.TimeoutExpired):
                worker.wait(10)
        os.close(writing)
        os.close(reading)


def _web_process(
    config: ServiceConfig, listening: socket.socket, reading: int
) -> subprocess.Popen[bytes]:
    numbers = [listening.fileno(), reading]
    path = config.folder / _CONFIG
    return subprocess.Popen(
        [sys.executable, "-m", "pyveg.service.serve", str(path), *map(str, numbers)],
        pass_fds=numbers,
        stdin=subprocess.DEVNULL,
    )


def _end_with(reading: int) -> None:
    """End this process when the one that has the other end of a pipe is gone.

    At once, since the next server needs the port.
    """
    with suppress(OSError):
        os.read(reading, 1)
    os._exit(1)


def main(path: Path, listening: int, reading: int) -> None:
    """Answer requests at a socket that another process has opened."""
    threading.Thread(target=_end_with, args=(reading,), daemon=True).start()
    from pyveg.service.web.server import answer  # a second, in which the other may be killed

    config = params.build(ServiceConfig, json.loads(path.read_text(encoding="utf-8")), str(path))
    answer(Desk(config), socket.socket(fileno=listening))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
