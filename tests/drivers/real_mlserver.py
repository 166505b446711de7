"""The Scorer kserve_v2 against a real MLServer, which serves the demo detector.

Run ``python tests/drivers/real_mlserver.py``; it makes an environment of its own below the cache,
as MLServer holds FastAPI back and takes no Python above 3.12, and installs it there. Another one is
named by ``--server PYTHON``. Exits with 1 where boxes differ by more than 1e-4 from those of the
Scorer onnx, or the server that is stopped and started again is not waited for.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import venv
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data

from pyveg.caches import cache_folder
from pyveg.core import registry
from pyveg.core.scorer import Scorer
from pyveg.scorers.demo import demo_model

MODEL = '''"""An ONNX network in MLServer."""

import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Network(MLModel):
    async def load(self):
        self.session = onnxruntime.InferenceSession(
            self.settings.parameters.uri, providers=["CPUExecutionProvider"]
        )
        self.names = [one.name for one in self.session.get_outputs()]
        return True

    async def predict(self, payload):
        values = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float32)
        found = self.session.run(self.names, {self.session.get_inputs()[0].name: values})
        outputs = [NumpyCodec.encode_output(n, v) for n, v in zip(self.names, found)]
        return InferenceResponse(model_name=self.name, outputs=outputs)
'''
PACKAGES = ("mlserver>=1.6", "onnxruntime")
_PATIENCE = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", type=Path, help="the Python of an environment with MLServer")
    given = parser.parse_args()
    python = given.server or environment()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        where, record = write(folder)
        server = start(python, folder, where)
        try:
            wrong = compare(where, record)
            stop(server)
            server, waited = away(python, folder, where, record)
        finally:
            stop(server)
    print(f"differences: {wrong}; waited {waited:.1f} s for a server that was away")
    sys.exit(int(wrong > 0))


def environment() -> Path:
    """The Python of an environment with MLServer, made where there is none."""
    if sys.version_info >= (3, 13):
        sys.exit("MLServer takes no Python above 3.12; name another one with --server")
    home = cache_folder() / "mlserver"
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    return python


def write(folder: Path) -> tuple[str, Path]:
    """A folder of MLServer's with the demo detector; its address, and the record for us."""
    with socket.socket() as free, socket.socket() as other, socket.socket() as third:
        ports = []
        for one in (free, other, third):
            one.bind(("127.0.0.1", 0))
            ports.append(one.getsockname()[1])
    made = json.loads(demo_model().with_suffix(".json").read_text())
    made["input"]["name"] = "images"
    (folder / "record.json").write_text(json.dumps(made))
    (folder / "network.py").write_text(MODEL)
    tensor = {"datatype": "FP32", "shape": [-1]}
    settings = {
        "name": "detector",
        "implementation": "network.Network",
        "parameters": {"uri": str(demo_model())},
        "inputs": [{"name": "images", **tensor}],
        "outputs": [{"name": name, **tensor} for name in ("boxes", "logits")],
    }
    (folder / "model-settings.json").write_text(json.dumps(settings))
    names = ("http_port", "grpc_port", "metrics_port")
    more = {"host": "127.0.0.1", "parallel_workers": 0, **dict(zip(names, ports, strict=True))}
    (folder / "settings.json").write_text(json.dumps(more))
    return f"http://127.0.0.1:{ports[0]}/v2/models/detector", folder / "record.json"


def start(python: Path, folder: Path, where: str) -> subprocess.Popen[bytes]:
    """Start MLServer, and wait until its model is ready."""
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(
            [str(python.parent / "mlserver"), "start", str(folder)],
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(folder)},
            start_new_session=True,
        )
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{where}/ready", timeout=5):
                return server
        except OSError:
            time.sleep(0.2)
    stop(server)
    sys.exit((folder / "server.log").read_text()[-3000:])


def stop(server: subprocess.Popen[bytes]) -> None:
    """End a server with its workers."""
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def opened(name: str, where: str, record: Path | str) -> Scorer:
    """A Scorer by its name."""
    cls = registry.scorer_class(name)
    model = cls.find(where, str(record))
    return cls(model.where, model.record, 0.1)


def compare(where: str, record: Path) -> int:
    """How many boxes differ between the server and the network in this process."""
    images = [skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee()]
    here = opened("onnx", "demo", "").score(images)
    there = opened("kserve_v2", where, record).score(images)
    rows = [_rows(one) for one in (here, there)]
    print("detections:", [len(one) for one in here], [len(one) for one in there])
    if [row[0] for row in rows[0]] != [row[0] for row in rows[1]]:
        return max(map(len, rows))
    far = [np.abs(np.subtract(a[1:], b[1:])).max() for a, b in zip(*rows, strict=True)]
    print("largest difference:", max(far))
    return sum(one > 1e-4 for one in far)


def _rows(found: Any) -> list[tuple[Any, ...]]:
    return [(one.category, one.confidence, *one.box) for part in found for one in part]


def away(
    python: Path, folder: Path, where: str, record: Path
) -> tuple[subprocess.Popen[bytes], float]:
    """Ask while the server is away, and start it again; how long the answer took."""
    made = json.loads(record.read_text())
    cls = registry.scorer_class("kserve_v2")
    started: list[subprocess.Popen[bytes]] = []
    begin = time.monotonic()

    def later() -> None:
        time.sleep(30)
        started.append(start(python, folder, where))

    thread = threading.Thread(target=later)
    thread.start()
    try:
        found = cls(where, made, 0.1).score([skimage.data.chelsea()])
        waited = time.monotonic() - begin
        assert found[0], "a cat"
    finally:
        thread.join()
    return started[0], waited


if __name__ == "__main__":
    main()
