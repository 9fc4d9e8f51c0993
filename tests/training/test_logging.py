"""What is told while a run goes on: the bar, TensorBoard, and the file of records."""

import io
import sys

import pytest
import torch
from problems import line, moons, quiet, small_flow, squares

from preimage.errors import MissingExtraError
from preimage.training import fit


def test_the_bar_shows_loss_bits_and_the_time_left(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", stream)
    flow = small_flow(layers=1)
    flow.fit(moons(256), epochs=3, batch_size=32, progress=True)
    last = stream.getvalue().split("\r")[-1]
    steps = flow.history[-1]["step"]
    assert f"{steps}/{steps}" in last
    assert "00:00<00:00" in last.replace("00:01<", "00:00<")  # time gone, and time left
    assert f"bits_per_dim={flow.history[-1]['bits_per_dim']:.4g}" in last
    assert f"validation_loss={flow.history[-1]['validation_loss']:.4g}" in last
    assert "loss=" in last


def test_bits_stay_on_the_bar_between_epochs(monkeypatch):
    shown = []
    from tqdm.auto import tqdm

    monkeypatch.setattr(tqdm, "set_postfix", lambda self, values, refresh=True: shown.append(dict(values)))
    small_flow(layers=1).fit(moons(128), epochs=2, batch_size=32, progress=False)
    assert "bits_per_dim" not in shown[0]
    assert all("bits_per_dim" in values for values in shown[4:])


def test_tensorboard_gets_every_number(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    history = fit(line(), squares, moons(128), quiet(epochs=3, tensorboard=tmp_path / "board"))
    read = EventAccumulator(str(tmp_path / "board"))
    read.Reload()
    assert {"loss", "validation_loss", "learning_rate", "seconds"} <= set(read.Tags()["scalars"])
    events = read.Scalars("validation_loss")
    assert [event.step for event in events] == [record["step"] for record in history]
    assert [event.value for event in events] == pytest.approx(history.column("validation_loss"))


def test_an_absent_tensorboard_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtraError, match="pip install tensorboard"):
        fit(line(), squares, moons(64), quiet(tensorboard=tmp_path))


def test_listeners_get_what_the_history_holds():
    heard = []
    history = fit(line(), squares, moons(64), quiet(epochs=2), listeners=[heard.append])
    assert [{k: v for k, v in record.items() if k != "seconds"} for record in heard] == list(history)
    assert all(record["seconds"] >= 0 for record in heard)
    assert torch.isfinite(torch.tensor(history.column("loss"))).all()
