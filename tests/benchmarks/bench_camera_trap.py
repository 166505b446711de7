"""What a request to the camera-trap API costs whose list has very many images.

::

    python tests/benchmarks/bench_camera_trap.py [--images 100000]

Times by the clock mean something on a quiet machine only; CPU seconds do anywhere.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from pyveg.service.image_lists import Wanted, gather
from pyveg.testing.http_answers import answering
from pyveg.testing.service_server import ServiceServer
from pyveg.testing.small_models import colour_model

PREFIX = "/v4/camera-trap/detection-batch"


def replies(folder: Path, url: str, host: str) -> dict[str, float]:
    """Seconds until the reply, until the images are counted, and of an answer about the job."""
    folder.mkdir()
    colour_model(folder)
    (folder / "callers.json").write_text('{"zoo": "default"}')
    config = (
        'scoring_models = {"4.1": {"model": "colours.onnx"}}\n'
        'camera_trap = {"allow_list": "callers.json", "default_model_version": "4.1"}\n'
        f'scoring_hosts = ["{host}"]\n'
    )
    body = {"caller": "zoo", "use_url": "true", "images_requested_json_sas": url}
    with ServiceServer(folder, config) as server:
        begin = time.perf_counter()
        job = server.request("POST", f"{PREFIX}/request_detections", body).json["request_id"]
        found = {"reply": time.perf_counter() - begin}
        while True:
            asked = time.perf_counter()
            status = server.get(f"{PREFIX}/task/{job}").json["Status"]
            found["task"] = time.perf_counter() - asked
            if "num_images" in status:
                break
            if status["request_status"] == "failed":
                raise SystemExit(status["message"])
            time.sleep(0.02)
        found["counted"] = time.perf_counter() - begin
        cancel = {"caller": "zoo", "request_id": job}
        server.request("POST", f"{PREFIX}/cancel_request", cancel)
        while server.children(job):
            time.sleep(0.05)
    return found


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    count: int = parser.parse_args().images
    listed = [f"https://images.example.org/survey/camera_{n % 97}/{n}.jpg" for n in range(count)]
    pairs = [[url, {"number": n}] for n, url in enumerate(listed)]
    with tempfile.TemporaryDirectory() as name, answering(200, json.dumps(pairs).encode()) as url:
        folder, host = Path(name), url.removeprefix("http://")
        cpu = time.process_time()
        gather(folder, Wanted(images_list=url, private_hosts=(host,)))
        print(
            f"list of {count:,} read, filtered, written: {time.process_time() - cpu:.2f} s of CPU"
        )
        found = replies(folder / "service", url, host)
    print(f"reply to the request: {found['reply']:.3f} s")
    print(f"images counted in the answer of /task after {found['counted']:.2f} s")
    print(f"one answer of /task: {found['task']:.3f} s")


if __name__ == "__main__":
    main()
