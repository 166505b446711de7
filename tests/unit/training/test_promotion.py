"""The loss that a checkpoint's name tells: all of it, or an error."""

from __future__ import annotations

import pytest

from pyveg.core.errors import CommandError
from pyveg.training.promotion import checkpoints


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("loss=.31.ckpt", 0.31),
        (".31.ckpt", 0.31),
        ("1.05.ckpt", 1.05),
        ("epoch=7_0.31.ckpt", 0.31),
        ("epoch=12-val_loss=1.05.ckpt", 1.05),
        ("loss=0.31-v1.ckpt", 0.31),
        ("loss=2e-3.ckpt", 0.002),
        ("loss-0.31.onnx", 0.31),
        ("train_loss=0.31-val_loss=0.31.pt", 0.31),
    ],
)
def test_a_name_tells_the_whole_loss(name: str, loss: float) -> None:
    assert [one.loss for one in checkpoints([name], {})] == [loss]


@pytest.mark.parametrize(
    "name",
    [
        "epoch=3.ckpt",
        "epoch=12-step=1300.ckpt",
        "model-v1.2.ckpt",
        "loss=-0.31.ckpt",
        "loss=nan-v2.ckpt",
        "loss=inf_0.31.ckpt",
        "loss=0.3.1.ckpt",
        "train_loss=0.20-val_loss=0.31.ckpt",
        "best.ckpt",
    ],
)
def test_a_number_that_is_no_loss_is_not_taken_for_one(name: str) -> None:
    with pytest.raises(CommandError, match="no loss that can be compared"):
        checkpoints([name], {})
    assert checkpoints([name], {name: 0.31})[0].loss == 0.31
