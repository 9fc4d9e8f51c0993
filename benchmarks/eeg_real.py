"""Real recordings: classifiers of preimage against shrinkage LDA and the networks of braindecode.

python benchmarks/eeg_real.py

Everything is chosen inside the recordings to train on: settings of closed-form methods by cross-validation, weights
of networks by a held-out fifth. All networks share the loop, the epochs and the seeds; those of braindecode see 64
and 100 Hz; EEG-InvNet and EEG-CosNet one of two rates, chosen by validation.
"""

import json
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from eeg_peers import networks
from preimage import eeg
from preimage.classify import ClassAndBitsLoss
from preimage.eeg.spectral.choice import stratified_folds
from preimage.functional.statistics.proportion import clopper_pearson
from preimage.training import FitSettings, fit
from preimage.training.batches import Batch

RESULTS = Path(__file__).parent / "results" / "eeg_real.json"
SEEDS = range(3)
EPOCHS, BATCH = 40, 32
REPEATS = 2  # of ten-fold cross-validation


def averaged(x: Tensor, factor: int) -> Tensor:
    """Means of ``factor`` samples each: Haar steps whose differences are left out."""
    kept = x.shape[2] - x.shape[2] % factor
    return x[:, :, :kept].unflatten(2, (-1, factor)).mean(3)


@dataclass
class Task:
    """One data set, standardised by what is trained on."""

    name: str
    split: eeg.Split
    peer_factors: tuple[int, ...]
    own_factors: tuple[int, ...]

    def parts(self, factor: int, seed: int) -> tuple[Tensor, ...]:
        """Train, validation and test recordings, each followed by its labels."""
        train, test = self.split
        held = stratified_folds(train.labels, 5, torch.Generator().manual_seed(seed))[0]
        x, fresh = averaged(train.x, factor), averaged(test.x, factor)
        deviation, mean = torch.std_mean(x[~held], dim=(0, 2), keepdim=True)
        x, fresh = (x - mean) / deviation, (fresh - mean) / deviation
        return x[~held], train.labels[~held], x[held], train.labels[held], fresh, test.labels


def loss_of(model: nn.Module, batch: Batch) -> Tensor:
    x, labels = batch
    return cross_entropy(model(x), labels, reduction="none")


def train_peer(build: Callable[..., nn.Module], task: Task, factor: int, seed: int) -> tuple[float, int]:
    """Validation loss and number of right test recordings of a network of braindecode."""
    x, y, x_held, y_held, fresh, truth = task.parts(factor, seed)
    torch.manual_seed(seed)
    rate = task.split.train.rate / factor
    model = build(x.shape[1], x.shape[2], rate, len(task.split.train.classes))
    settings = FitSettings(epochs=EPOCHS, batch_size=BATCH, patience=0, seed=seed, progress=False)
    fit(model, loss_of, x, settings, context=y, validation=(x_held, y_held))
    return scores(model, x_held, y_held, fresh, truth)


def train_invnet(task: Task, factor: int, seed: int) -> tuple[float, int]:
    x, y, x_held, y_held, fresh, truth = task.parts(factor, seed)
    torch.manual_seed(seed)
    model = eeg.EEGInvNet(
        x.shape[1],
        x.shape[2],
        len(task.split.train.classes),
        stages=2,
        blocks=2,
        hidden_channels=32,
        kernel_size=5,
        temperature=float(x[0].numel()) / 10,
        loss=eeg.NoisyLoss(ClassAndBitsLoss(), 0.05),
    )
    settings = {"batch_size": BATCH, "schedule": "cosine", "epochs": EPOCHS, "seed": seed, "progress": False}
    model.fit(x, y, validation=(x_held, y_held), **eeg.recipe_settings(**settings))
    return scores(model, x_held, y_held, fresh, truth)


def train_cosnet(task: Task, factor: int, seed: int) -> tuple[float, int]:
    x, y, x_held, y_held, fresh, truth = task.parts(factor, seed)
    torch.manual_seed(seed)
    model = eeg.EEGCosNet(x.shape[1], len(task.split.train.classes), filters=16, window=x.shape[2] // 2)
    settings = {"epochs": EPOCHS, "batch_size": BATCH, "patience": 0, "seed": seed, "progress": False}
    model.fit(x, y, validation=(x_held, y_held), **settings)
    return scores(model, x_held, y_held, fresh, truth)


@torch.no_grad()
def scores(
    model: nn.Module, x_held: Tensor, y_held: Tensor, fresh: Tensor, truth: Tensor
) -> tuple[float, int]:
    """Cross-entropy of the validation recordings, and the number of right test recordings."""
    model.eval()
    right = int((model(fresh).argmax(1) == truth).sum())
    return cross_entropy(model(x_held), y_held).item(), right


def network(task: Task, factors: tuple[int, ...], train: Callable[..., tuple[float, int]]) -> dict:
    """Of the input rates, the one with the lowest validation cross-entropy at the first seed; then all seeds."""
    started = time.process_time()
    tried = {factor: train(task, factor, 0) for factor in factors}
    factor = min(tried, key=lambda f: tried[f][0])
    rights = [tried[factor][1], *(train(task, factor, seed)[1] for seed in SEEDS[1:])]
    rate = task.split.train.rate / factor
    return summary(task, rights, f"{rate:.3g} Hz, chosen by validation", started)


def lda(task: Task) -> dict:
    """Means of time bins, their number chosen by cross-validation; once a seed, as the folds differ."""
    started = time.process_time()
    train, test = task.split
    chosen, rights = [], []
    for seed in SEEDS:
        generator = torch.Generator().manual_seed(seed)
        parts = [p for _ in range(REPEATS) for p in stratified_folds(train.labels, 10, generator)]
        scores = {bins: sum(lda_share(train, train.x, bins, p) for p in parts) for bins in range(4, 31)}
        bins = max(scores, key=lambda b: scores[b])
        chosen.append(bins)
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        model.fit(binned(train.x, bins), train.labels.numpy())
        rights.append(int((model.predict(binned(test.x, bins)) == test.labels.numpy()).sum()))
    return summary(task, rights, f"{chosen} time bins, chosen by cross-validation", started)


def lda_share(train: eeg.Recordings, x: Tensor, bins: int, held: Tensor) -> float:
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    model.fit(binned(x[~held], bins), train.labels[~held].numpy())
    return float((model.predict(binned(x[held], bins)) == train.labels[held].numpy()).mean())


def binned(x: Tensor, bins: int) -> np.ndarray:
    return averaged(x, x.shape[2] // bins)[:, :, :bins].flatten(1).double().numpy()


def spectral(task: Task) -> dict:
    started = time.process_time()
    train, test = task.split
    chosen, rights, errors = [], [], []
    for seed in SEEDS:
        found = eeg.choose_spectral(train, repeats=REPEATS, generator=torch.Generator().manual_seed(seed))
        rights.append(int((found.model.predict(test.x) == test.labels).sum()))
        errors.append(found.model.prototypes().certificate.residual.max().item())
        chosen.append([found.settings.low, len(found.settings.edges), found.settings.across])
    note = f"[slow waves, band edges, across] = {chosen}, chosen by cross-validation"
    return summary(task, rights, note, started) | {"prototype_error": max(errors)}


def summary(task: Task, rights: list[int], note: str, started: float) -> dict:
    count = len(task.split.test)
    shares = [right / count for right in rights]
    middle = clopper_pearson(round(statistics.fmean(rights)), count)
    result = {
        "right": rights,
        "mean": statistics.fmean(shares),
        "deviation": statistics.stdev(shares),
        "low": middle.low,
        "high": middle.high,
        "note": note,
        "cpu_seconds": time.process_time() - started,
    }
    print(f"{task.name}: {result}", flush=True)
    return result


def methods(task: Task) -> Iterator[tuple[str, dict]]:
    """Every method by name, measured when it is asked for."""
    yield "shrinkage LDA", lda(task)
    yield "SpectralClassifier (ours)", spectral(task)
    yield "EEGInvNet, small (ours)", network(task, task.own_factors, train_invnet)
    yield "EEGCosNet, 16 filters (ours)", network(task, task.own_factors, train_cosnet)
    for name, build in networks().items():
        yield name, network(task, task.peer_factors, lambda *order, build=build: train_peer(build, *order))


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    tasks = (
        Task("SelfRegulationSCP1", eeg.self_regulation(), (4,), (14, 28)),
        Task("HandMovementDirection", eeg.hand_movement(), (4,), (10, 20)),
    )
    record = {}
    for task in tasks:
        train, test = task.split
        record[task.name] = {
            "kind": train.kind,
            "channels": len(train.channels),
            "train": len(train),
            "test": len(test),
            "majority": int(torch.bincount(test.labels).max()) / len(test),
            "methods": {},
        }
        for name, result in methods(task):
            record[task.name]["methods"][name] = result
            RESULTS.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
