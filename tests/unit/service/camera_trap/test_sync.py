"""The sibling for a few images: every reply."""

from __future__ import annotations

import io
import json
from email import message_from_bytes
from typing import Any

import pytest
from PIL import Image

from pyveg.core.errors import ServiceAwayError
from pyveg.scorers.onnx import OnnxScorer
from pyveg.service.camera_trap import sync
from pyveg.testing.service_server import Answer

from .conftest import Trap, png

PATH = "/v1/camera-trap/sync/detect"
KEY = {"key": "a key"}


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Trap:
    """One with a key."""
    folder = tmp_path_factory.mktemp("sync")
    (folder / "keys.txt").write_text("# of May\na key\n")
    return Trap(folder, camera_trap={"sync_keys": "keys.txt"})


def _form(*files: tuple[str, bytes]) -> tuple[bytes, dict[str, str]]:
    body = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="f%d"; filename="%b"\r\n\r\n%b\r\n'
        % (number, name.encode(), data)
        for number, (name, data) in enumerate(files)
    )
    body += b"--x--\r\n"
    headers = {"content-type": "multipart/form-data; boundary=x", "content-length": str(len(body))}
    return body, headers


def _post(trap: Trap, *files: tuple[str, bytes], query: str = "", **headers: str) -> Answer:
    body, given = _form(*files)
    return trap.client.request("POST", PATH + query, body, headers={**given, **KEY, **headers})


def _parts(answer: Answer) -> dict[str, bytes]:
    """As a reader of multipart sees it: name -> content."""
    head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
    whole = message_from_bytes(head + answer.body)
    parts: Any = whole.get_payload()
    return {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
        for part in parts
    }


RED, GREY = png((255, 0, 0)), png((51, 0, 102))


def test_what_is_on_images(trap: Trap) -> None:
    found = _post(trap, ("red.png", RED), ("grey.png", GREY), ("text.jpg", b"no image"))
    assert found.status == 200, found.body
    parts = _parts(found)
    assert list(parts) == ["detection_result"]
    assert json.loads(parts["detection_result"]) == {
        "red.png": [[0.0, 0.0, 1.0, 1.0, 1.0, 1]],
        "grey.png": [[0.0, 0.0, 1.0, 1.0, 0.4, 3], [0.0, 0.0, 1.0, 1.0, 0.2, 1]],
    }


def test_pictures_with_boxes(trap: Trap) -> None:
    query = "?render=true&min_confidence=0.3&min_rendering_confidence=0.5"
    parts = _parts(_post(trap, ("red.png", RED), ("grey.png", GREY), query=query))
    assert list(parts) == ["detection_result", "red.png", "grey.png"]
    assert len(json.loads(parts["detection_result"])["grey.png"]) == 1
    image = Image.open(io.BytesIO(parts["grey.png"]))
    assert (image.format, image.size) == ("JPEG", (8, 8))


def _error(answer: Answer) -> tuple[int, str]:
    assert list(answer.json) == ["error"]
    return answer.status, answer.json["error"]


def test_every_refusal(trap: Trap, monkeypatch: pytest.MonkeyPatch) -> None:
    one = ("red.png", RED)
    for headers in ({"key": ""}, {"key": "other"}, {"key": "# of May"}, {"key": "\xe9"}):
        assert _error(_post(trap, one, **headers)) == (
            403,
            "the header key is missing, or nobody's",
        )
    assert _post(trap, *[one] * 8).status == 200
    assert _error(_post(trap, *[one] * 9)) == (413, "there are more than 8 images")
    large = {"content-length": str(sync.MOST_BYTES + 1)}
    assert _error(_post(trap, one, **large)) == (413, "the images have more than 40 MB")
    body, headers = _form(one)
    del headers["content-length"]
    unknown = trap.client.request("POST", PATH, body, headers={**headers, **KEY})
    assert _error(unknown)[0] == 411
    for query in ("?min_confidence=2", "?min_rendering_confidence=-0.1", "?min_confidence=nan"):
        status, said = _error(_post(trap, one, query=query))
        assert (status, query.split("=", maxsplit=1)[0].strip("?") in said) == (400, True)
    assert _error(_post(trap))[0] == 400
    assert _error(_post(trap, ("a.jpg", b"no image"))) == (
        400,
        "there is no image that can be read, send JPEG or PNG",
    )
    assert _error(_post(trap, one, **{"content-type": "text/plain"}))[0] == 400

    def away(*_: object) -> None:
        raise ServiceAwayError("the model is away", "wait")

    monkeypatch.setattr(OnnxScorer, "score", away)
    assert _error(_post(trap, one)) == (
        500,
        "the images could not be looked at: the model is away",
    )


def test_more_at_once_than_there_are_places(tmp_path: Any) -> None:
    trap = Trap(tmp_path, camera_trap={"sync_keys": "*"}, max_images=1)
    body, headers = _form(("red.png", RED))
    free = trap.client.request("POST", PATH, body, headers=headers)
    assert free.status == 200
    looking = sync.Looking({}, 1)
    with (
        looking.admitted(),
        pytest.raises(sync.WrongError, match="try again later"),
        looking.admitted(),
    ):
        pass


def test_without_keys_nobody_may(tmp_path: Any) -> None:
    assert _error(_post(Trap(tmp_path), ("red.png", RED)))[0] == 403


def test_an_address_that_tries_keys_has_to_wait(tmp_path: Any) -> None:
    (tmp_path / "keys.txt").write_text("a key\n")
    trap = Trap(tmp_path, camera_trap={"sync_keys": "keys.txt"}, wrong_secrets=2)
    found = [_post(trap, ("red.png", RED), key="guess") for _ in range(3)]
    assert [one.status for one in found] == [403, 429, 429]
    assert found[2].headers["Retry-After"] == "30"
    assert _post(trap, ("red.png", RED)).status == 429, "the right key was never seen from there"
