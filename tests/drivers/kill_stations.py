"""Kill the server of stations, or the sender of a camera, at random moments; nothing may be lost.

::

    python tests/drivers/kill_stations.py --nodes 200 --images 5 --kills 10 --web_workers 4
    python tests/drivers/kill_stations.py --spool 500 --sender_kills 50

Each node has a station of its own and sends its images with the functions of `pyveg_station_send`.
Afterwards each image that was spooled must have moved to ``sent/``, and be there in one row and one
file, with nothing beside them.
"""

from __future__ import annotations

import argparse
import io
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image

from pyveg.cameras import station_send
from pyveg.cameras.station_send import Later, Server
from pyveg.testing.service_server import ServiceServer

SETTINGS = {"longitude": 0, "latitude": 50, "utc_offset": 0, "people": "keep"}
SHAPE = (240, 320)
_START = datetime(2026, 6, 1)


def spool(folder: Path, station: str, count: int, seed: int) -> None:
    """Put images into the folder of a node."""
    folder.mkdir(parents=True)
    noise = np.random.default_rng(seed).integers(0, 255, (*SHAPE, 3), dtype=np.uint8)
    for number in range(count):
        when = _START + timedelta(minutes=30 * number)
        stream = io.BytesIO()
        Image.fromarray(np.roll(noise, number, axis=0)).save(stream, "JPEG", quality=60)
        (folder / f"{station}_{when:%Y_%m_%d_%H%M%S}.jpg").write_bytes(stream.getvalue())


def node(target: Server, folder: Path, until: float) -> None:
    """Send until all is sent."""
    failures = 0
    while time.monotonic() < until:
        try:
            station_send.send_all(target, folder, settled=0)
        except Later:
            failures += 1
            time.sleep(min(2.0, station_send.backoff(failures)))
            continue
        return


def told(server: ServiceServer, spools: dict[str, Path], count: int) -> list[str]:
    """What is wrong."""
    wrong, data = [], server.folder / "service"
    with closing(sqlite3.connect(data / "stations.sqlite")) as table:
        for station, folder in spools.items():
            rows = [
                row[0]
                for row in table.execute("SELECT file FROM images WHERE station = ?", (station,))
            ]
            home = data / "stations" / station
            files = [p.relative_to(data / "stations").as_posix() for p in home.rglob("*.jpg")]
            sent = len(list((folder / "sent").glob("*")))
            if sorted(rows) != sorted(files) or not len(rows) == sent == count:
                wrong.append(f"{station}: {len(rows)} rows, {len(files)} files, {sent} sent")
            if left := [p.name for p in home.rglob(".*")]:
                wrong.append(f"{station}: {left} left")
    return wrong


def station_of(server: ServiceServer, name: str) -> str:
    """Make a station; its key."""
    made = server.request("PUT", f"/v1/stations/{name}", SETTINGS)
    if made.status != 201:
        raise RuntimeError(made.body.decode())
    return str(made.json["key"])


def kill_server(server: ServiceServer, folder: Path, asked: argparse.Namespace) -> list[str]:
    """Many nodes, and a server that dies."""
    spools, threads = {}, []
    until = time.monotonic() + asked.seconds
    for number in range(asked.nodes):
        name = f"node-{number}"
        spools[name] = folder / name
        spool(spools[name], name, asked.images, number)
        target = Server(server.address, name, station_of(server, name), 30)
        threads.append(threading.Thread(target=node, args=(target, spools[name], until)))
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for _ in range(asked.kills):
        time.sleep(random.uniform(0.3, 1.5))
        server.kill()
        server.start()
    for thread in threads:
        thread.join()
    print(f"{asked.nodes * asked.images} images in {time.monotonic() - begin:.1f} s")
    return told(server, spools, asked.images)


def kill_sender(server: ServiceServer, folder: Path, asked: argparse.Namespace) -> list[str]:
    """One node with much to send, which dies again and again."""
    name, key = "spooler", folder / "key"
    spools = {name: folder / name}
    spool(spools[name], name, asked.spool, 1)
    key.write_text(station_of(server, name))
    words = ["--watch", str(spools[name]), "--server", server.address, "--key_file", str(key)]
    command = [sys.executable, station_send.__file__, *words, "--once"]
    for _ in range(asked.sender_kills):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            time.sleep(random.uniform(0.1, 0.35))
            process.send_signal(signal.SIGKILL)
    left = len(list(spools[name].glob("*.jpg")))
    print(f"after {asked.sender_kills} kills {left} of {asked.spool} are left")
    subprocess.run(command, check=True)
    return told(server, spools, asked.spool)


def main() -> int:
    """Read the command line; 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=0)
    parser.add_argument("--images", type=int, default=5)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--web_workers", type=int, default=4)
    parser.add_argument("--spool", type=int, default=0)
    parser.add_argument("--sender_kills", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    random.seed(asked.seed)
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with ServiceServer(folder / "service", web_workers=asked.web_workers) as server:
            if asked.nodes:
                wrong += kill_server(server, folder, asked)
            if asked.spool:
                wrong += kill_sender(server, folder, asked)
    print("\n".join(wrong) or "all is there, each once")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
