"""Trains the generative classifiers of pictures that benchmarks/classify_pictures.py measures.

    python benchmarks/classify_train.py fashion-mnist --keep FOLDER
    python benchmarks/classify_train.py mnist-5k --keep FOLDER

Writes FOLDER/DATA and the CPU seconds of the run. A run that is stopped goes on where it was. Settings were
chosen on the validation part; the test part is not read here.
"""

import argparse
import time
from pathlib import Path
from typing import Any, cast

import torch

from classify_data import Flipped, Moved, pictures
from preimage import Chain
from preimage.classify import (
    ClassAndDensityLoss,
    GenerativeClassifier,
    load_classifier,
    picture_classifier,
    save_classifier,
)
from preimage.layers import ActNorm, LULinear
from preimage.storage import read_directory, write_directory
from preimage.training.parameter_groups import ParameterGroup

SIZES = {
    "fashion-mnist": {"steps": (1, 2), "hidden_channels": (24, 48), "readout_channels": 64},
    "mnist-5k": {"steps": (1, 2), "hidden_channels": (24, 32), "readout_channels": 48},
}
GROWN = {
    "fashion-mnist": SIZES["fashion-mnist"]
    | {"readouts": 3, "readout_channels": (64, 64, 96), "readout_blocks": (1, 1, 2)}
}
SETTINGS = {
    "fashion-mnist": {"epochs": 12, "batch_size": 128},
    "mnist-5k": {"epochs": 24, "batch_size": 64},
}


def built(name: str, classes: tuple[str, ...], smoothing: float = 0.0) -> GenerativeClassifier:
    torch.manual_seed(0)
    loss = ClassAndDensityLoss(smoothing=smoothing)
    return picture_classifier((1, 28, 28), classes, loss=loss, **SIZES[name])


def train(name: str, path: str | None, keep: Path) -> None:
    data = pictures(name, path)
    assert data.labels is not None
    model = built(name, data.labels.classes)
    rows = Flipped(data.train, data.labels.train) if name == "fashion-mnist" else data.train
    begun = time.process_time()
    model.fit(
        rows,
        None if name == "fashion-mnist" else data.labels.train,
        validation=(data.validation, data.labels.validation),
        learning_rate=3e-3,
        groups=(ParameterGroup("*base.location", 1e-2),),
        precision=torch.bfloat16,
        patience=0,
        checkpoint=keep / f"{name}.run",
        checkpoint_every=100,
        progress=False,
        listeners=[lambda record: print(record, flush=True)],
        **SETTINGS[name],
    )
    save_classifier(model, keep / name)
    seconds = {"cpu_seconds": round(time.process_time() - begun), "settings": repr(SETTINGS[name])}
    write_directory(keep / f"{name}.time", "training time", 1, {}, seconds)


def refine(name: str, path: str | None, keep: Path) -> None:
    """A second run over moved pictures, with the class weighing more, from where the first one ended."""
    data, model = pictures(name, path), load_classifier(keep / name)
    assert data.labels is not None
    model.loss = ClassAndDensityLoss(alpha=0.3 / data.train[0].numel(), smoothing=0.03)
    begun, before = time.process_time(), seconds(name, keep)
    model.train().fit(
        Moved(data.train, data.labels.train),
        validation=(data.validation, data.labels.validation),
        learning_rate=1.5e-3,
        groups=(ParameterGroup("*base.location", 5e-3),),
        precision=torch.bfloat16,
        patience=0,
        epochs=4,
        batch_size=128,
        checkpoint=keep / f"{name}.second",
        checkpoint_every=100,
        progress=False,
        listeners=[lambda record: print(record, flush=True)],
    )
    refined = keep / "refined"
    save_classifier(model, refined / name)
    spent = round(time.process_time() - begun) + before["cpu_seconds"]
    settings = f"{before['settings']}, then 4 epochs over moved pictures, alpha 0.3 / D, smoothing 0.03"
    write_directory(
        refined / f"{name}.time", "training time", 1, {}, {"cpu_seconds": spent, "settings": settings}
    )


def grow(name: str, path: str | None, keep: Path) -> None:
    """A third run: one more readout, which changes nothing at first, over pictures moved farther."""
    data, before, start = pictures(name, path), keep / "refined", keep / "started" / name
    assert data.labels is not None
    moved = Moved(data.train, data.labels.train, farthest=2)
    begun = time.process_time()
    if not start.exists():
        model = with_one_more_readout(load_classifier(before / name), name)
        fit_grown(model, moved, keep / f"{name}.third", epochs=5, schedule="constant", hold_out=0.0)
        save_classifier(model, start)
    model = load_classifier(start)
    held = (data.validation, data.labels.validation)
    fit_grown(model, moved, keep / f"{name}.fourth", epochs=10, schedule="cosine", validation=held)
    save_classifier(model, keep / "grown" / name)
    spent = seconds(name, before)
    values = {
        "cpu_seconds": spent["cpu_seconds"] + round(time.process_time() - begun),
        "settings": f"{spent['settings']}, then 5 + 10 epochs with one more readout, moved by up to 2 pixels",
    }
    write_directory(keep / "grown" / f"{name}.time", "training time", 1, {}, values)


def fit_grown(model: GenerativeClassifier, rows: Moved, checkpoint: Path, **settings: Any) -> None:
    model.loss = ClassAndDensityLoss(alpha=0.3 / rows.pixels, smoothing=0.03)
    model.train().fit(
        rows,
        learning_rate=2.5e-3,
        groups=(ParameterGroup("*base.location", 5e-3),),
        precision=torch.bfloat16,
        patience=0,
        average=0.998,
        batch_size=128,
        checkpoint=checkpoint,
        checkpoint_every=100,
        progress=False,
        listeners=[lambda record: print(record, flush=True)],
        **settings,
    )


def with_one_more_readout(model: GenerativeClassifier, name: str) -> GenerativeClassifier:
    """The same classifier to begin with, for the last network of a coupling gives zeros at the start."""
    torch.manual_seed(0)
    grown = picture_classifier((1, 28, 28), model.class_names, **GROWN[name])
    norm, turn = cast(Chain, grown.flow.bijection)[-3:-1]
    cast(ActNorm, norm).settle()
    turn.load_state_dict(LULinear.from_matrix(torch.eye(len(cast(ActNorm, norm).shift))).state_dict())
    grown.load_state_dict(grown.state_dict() | model.state_dict())
    return grown


def seconds(name: str, keep: Path) -> dict:
    return read_directory(keep / f"{name}.time", "training time", 1)[1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=sorted(SIZES))
    parser.add_argument("--data", help="folder or file of the data set; where its package puts it by default")
    parser.add_argument("--refine", action="store_true", help="the second run, which writes FOLDER/refined")
    parser.add_argument("--grow", action="store_true", help="the third run, which writes FOLDER/grown")
    parser.add_argument("--keep", type=Path, required=True, help="folder for the model")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    run = grow if arguments.grow else refine if arguments.refine else train
    run(arguments.name, arguments.data, arguments.keep)


if __name__ == "__main__":
    main()
