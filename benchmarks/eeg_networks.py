"""EEG-InvNet and EEG-CosNet on synthetic EEG whose planted features are known.

python benchmarks/eeg_networks.py [PART ...]

Parts: generative, discriminative (6,000 windows each), longer (24,000 windows), cosnet, channels, published
(the published sizes), low. The closed forms are in eeg_closed_forms.py.

Every part writes its own file; without a word all parts run, one after the other. Nothing is chosen by the
recordings that the figures are measured on. Most networks are smaller than the published one (sizes below), start
from data, and of their three stages only the last is trained, so that a part takes minutes of one core.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from preimage import Chain, eeg
from preimage.classify import ClassAndBitsLoss, ClassifierLoss, DensityLoss, GenerativeClassifier
from preimage.classify.prototypes.channels import ChannelSettings, channel_prototypes
from preimage.flows import Flow
from preimage.functional.statistics.proportion import Proportion
from preimage.training import ParameterGroup

RESULTS = Path(__file__).parent / "results"
WEIGHTS = Path(__file__).parents[1] / ".cache" / "eeg_networks"  # of the networks that later parts need
SCALE = 10.0  # microvolts that become 1
WINDOWS, MORE, TESTED = 6_000, 24_000, 2_000
SIZES = {"blocks": 1, "hidden_channels": 32, "kernel_size": 5, "dropout": 0.2, "temperature": 2.0}
RATE, SLOW_RATE, EPOCHS, BATCH = 2e-3, 1e-4, 8, 64  # slow: what starts from data, linear maps and class means


def recordings(windows: int = WINDOWS) -> tuple[Tensor, Tensor, Tensor, Tensor, eeg.SyntheticTruth]:
    """Windows to train on and to test with, and the truth."""
    data = eeg.synthetic(windows, generator=torch.Generator().manual_seed(0))
    x, labels = data.truth.draw(TESTED, torch.Generator().manual_seed(1))
    return data.x / SCALE, data.labels, x / SCALE, labels, data.truth


def share(found: Proportion) -> dict:
    """A proportion with its interval."""
    return {"value": found.value, "low": found.low, "high": found.high, "trials": found.trials}


def written(name: str, values: dict) -> None:
    path = RESULTS / f"eeg_networks_{name}.json"
    path.write_text(json.dumps(values, indent=1) + "\n")
    sys.stdout.write(f"{path.name}: {json.dumps(values)}\n")


def trained(loss: ClassifierLoss, x: Tensor, labels: Tensor) -> eeg.EEGInvNet:
    """A network that starts from data, and whose last stage is trained on what the others give."""
    torch.manual_seed(0)
    model = eeg.EEGInvNet(21, 128, **SIZES)
    eeg.start_from_data(model, x, labels)
    stages = cast(Chain, model.flow.bijection)
    with torch.no_grad():
        before = stages[:2].eval()(x)
    last = GenerativeClassifier(Flow(Chain(stages[2]), model.base), 2, temperature=2.0, loss=loss)
    groups = (ParameterGroup("*conditioner*", learning_rate=RATE),)
    settings = eeg.recipe_settings(
        1, EPOCHS, learning_rate=SLOW_RATE, groups=groups, batch_size=BATCH, average=0.98
    )
    last.fit(before, labels, hold_out=0.0, progress=False, listeners=[show], **settings)
    model.log_temperature.data.copy_(last.log_temperature.data)
    return model.eval()


def show(record: dict) -> None:
    sys.stderr.write(f"{record['epoch']} {record['loss']:.4f}\n")


def plain(score: eeg.FeatureScore) -> dict:
    return {
        "feature": score.feature,
        "correlation": score.correlation,
        "localised": score.localised,
        "found": score.found,
    }


def invnet(name: str, loss: ClassifierLoss, windows: int = WINDOWS) -> None:
    """One way to train: accuracy against the optimum, inverse, prototypes against what was planted."""
    data = recordings(windows)
    start = time.process_time()
    model = trained(loss, *data[:2])
    measured(name, model, data, time.process_time() - start)


def measured(name: str, model: eeg.EEGInvNet, data: tuple, seconds: float) -> None:
    """Accuracy against the optimum, inverse, prototypes against what was planted; the weights are kept."""
    x, _, test_x, test_labels, truth = data
    found = eeg.evaluate(model, test_x, test_labels, crops=1, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        z = model.flow.encode(test_x[:500])
        inverse = float((model.flow.decode(z) - test_x[:500]).abs().max())
    prototypes = model.prototypes(on_error="warn")
    centres = model.base.class_centres()
    with torch.no_grad():
        again = float((model.flow.encode(prototypes.x) - centres).abs().max())
    scores = eeg.score_prototypes(SCALE * prototypes.x, truth)
    optimal = truth.predict(SCALE * test_x)
    WEIGHTS.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), WEIGHTS / f"{name}.pt")
    written(
        name,
        {
            "accuracy": share(found.accuracy),
            "sensitivity": share(found.sensitivity),
            "specificity": share(found.specificity),
            "bits_per_dim": found.bits_per_dim,
            "bayes_accuracy": float((optimal == test_labels).float().mean()),
            "agreement_with_bayes": float((optimal == found.predictions).float().mean()),
            "inverse_error": inverse,
            "prototype_error": again,
            "features": [plain(score) for score in scores],
            "parameters": sum(p.numel() for p in model.parameters()),
            "temperature": float(model.temperature.detach()),
            "windows": len(x),
            "seconds": seconds,
        },
    )


def loaded(name: str) -> eeg.EEGInvNet:
    model = eeg.EEGInvNet(21, 128, **SIZES)
    model.load_state_dict(torch.load(WEIGHTS / f"{name}.pt", weights_only=True))
    return model.eval()


def cosnet() -> None:
    """EEG-CosNet distilled from the discriminative network, and where its best filters look."""
    x, _, test_x, test_labels, truth = recordings(MORE)
    teacher = loaded("longer")
    start = time.process_time()
    torch.manual_seed(0)
    net = eeg.EEGCosNet(21).distil(teacher, x, epochs=4, batch_size=128, learning_rate=2e-2, progress=False)
    seconds = time.process_time() - start
    ours, theirs = net.predict(test_x), teacher.predict(test_x)
    found = eeg.evaluate(net, test_x, test_labels, crops=1)
    patterns = eeg.cosnet_patterns(net, x[:1000])
    torch.save(net.state_dict(), WEIGHTS / "cosnet.pt")
    written(
        "cosnet",
        {
            "accuracy": share(found.accuracy),
            "agreement": share(eeg.evaluate(net, test_x, theirs, crops=1).accuracy),
            "agreement_in_training": float((net.predict(x) == teacher.predict(x)).float().mean()),
            "parameters": sum(p.numel() for p in net.parameters()),
            "patterns": [pattern_score(patterns, truth, feature) for feature in truth.features],
            "same": float((ours == theirs).float().mean()),
            "seconds": seconds,
        },
    )


def pattern_score(
    patterns: eeg.CosNetPatterns, truth: eeg.SyntheticTruth, feature: eeg.PlantedFeature
) -> dict:
    """Of the filters whose waveform peaks in the band of a feature, the one with the most evidence."""
    spectra = torch.fft.rfft(patterns.waveforms, n=512).abs()
    peaks = torch.fft.rfftfreq(512, 1 / truth.grid.rate)[spectra.argmax(dim=1)]
    middle = sum(feature.band) / 2
    inside = ((peaks - middle).abs() <= 2.0).nonzero()[:, 0]
    if not len(inside):
        return {"feature": feature.name, "filters": 0}
    best = inside[patterns.evidence[inside].abs().argmax()]
    scores = [eeg.score_pattern(kind[best], truth, feature) for kind in (patterns.spatial, patterns.in_band)]
    return {
        "feature": feature.name,
        "filters": len(inside),
        "hertz": float(peaks[best]),
        "pattern": scores[0],
        "in_band": scores[1],
    }


def channels() -> None:
    """Prototypes of single electrodes: four with a planted feature each, and one without."""
    _, _, test_x, _, truth = recordings()
    model = loaded("longer")
    names = ["T3", "O1", "FP1", "PZ"]
    numbers = [truth.grid.channels.index(name) for name in names]
    settings = ChannelSettings(steps=40, starts=2, batch=24, score_rows=600, controls=5)
    start = time.process_time()
    found = channel_prototypes(model, test_x[:1000], channels=numbers, settings=settings)
    means = torch.stack([truth.mean(0), truth.mean(1)])[:, numbers].float()  # (K, electrodes, T)
    wanted, shown = means[1] - means[0], found.x[1] - found.x[0]
    written(
        "channels",
        {
            "electrodes": names,
            "gain": found.gain.tolist(),
            "probability": found.probability.tolist(),
            "clear": found.clear.tolist(),
            "correlation": [correlation(a, b) for a, b in zip(shown, wanted, strict=True)],
            "score_rows": settings.score_rows,
            "seconds": time.process_time() - start,
        },
    )


def correlation(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum() / (a.norm() * b.norm()).clamp_min(1e-12))


def published() -> None:
    """The published sizes and recipe for a few epochs: that they train, what a step costs, how much memory."""
    data = recordings(1500)
    torch.manual_seed(0)
    model = eeg.start_from_data(eeg.EEGInvNet(21, 128, temperature=2.0), *data[:2])
    start = time.process_time()
    settings = {"batch_size": 32, "progress": False, "listeners": [show]}
    eeg.fit_by_recipe(model, *data[:2], cycles=1, cycle_epochs=3, **settings)
    seconds = time.process_time() - start
    measured("published", model, data, seconds)
    path = RESULTS / "eeg_networks_published.json"
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    losses = [record["loss"] for record in model.history]
    more = {"epochs": len(losses), "losses": losses, "megabytes": memory}
    path.write_text(json.dumps(json.loads(path.read_text()) | more, indent=1) + "\n")


def low() -> None:
    """The three classifiers of the low-frequency study, on what is left below 0.5 Hz."""
    x, labels, test_x, test_labels, truth = recordings()
    torch.manual_seed(0)
    models = {
        "EEG-InvNet": eeg.EEGInvNet(21, 128, blocks=1, hidden_channels=16, temperature=2.0),
        "EEG-CosNet": eeg.EEGCosNet(21, window=128),
        "Fourier mixture": eeg.FourierMixture(21, 128, 64.0),
    }
    common = {"crops": 1, "batch_size": 64, "hold_out": 0.0, "progress": False}
    rows = []
    for name, epochs, rate in (
        ("Fourier mixture", 20, 1e-2),
        ("EEG-CosNet", 10, 1e-2),
        ("EEG-InvNet", 3, 2e-3),
    ):
        start = time.process_time()
        one = {name: models[name]}
        data = (x[:3000], labels[:3000], test_x, test_labels)
        row = eeg.low_frequency_study(*data, models=one, epochs=epochs, learning_rate=rate, **common)[0]
        seconds = time.process_time() - start
        rows.append({"model": name, "accuracy": share(row.evaluation.accuracy), "parameters": row.parameters})
        rows[-1]["seconds"] = seconds
    speaks = models["Fourier mixture"].class_probabilities()[1].sort().values.tolist()
    written("low", {"models": rows, "components": speaks, "optimal": optimal_below(truth)})


def optimal_below(truth: eeg.SyntheticTruth, count: int = 3) -> float:
    """The accuracy of the optimal classifier that sees only the mean and the wave of 0.5 Hz."""
    x, labels = truth.draw(10_000, torch.Generator().manual_seed(3))
    table = []
    for given in truth.given_class:
        z, mean = eeg.fourier_features(x.double(), 64.0), eeg.fourier_features(given.mean[None], 64.0)
        blocks = [given.spectra[0], given.spectra[1], given.spectra[1]]
        normals = [torch.distributions.MultivariateNormal(mean[0, :, k], blocks[k]) for k in range(count)]
        table.append(sum(normal.log_prob(z[:, :, k]) for k, normal in enumerate(normals)))
    return float((torch.stack(table, dim=1).argmax(dim=1) == labels).float().mean())


PARTS = {
    "generative": lambda: invnet("generative", DensityLoss()),
    "discriminative": lambda: invnet("discriminative", ClassAndBitsLoss(factor=1.0)),
    "longer": lambda: invnet("longer", ClassAndBitsLoss(factor=1.0), MORE),
    "cosnet": cosnet,
    "channels": channels,
    "published": published,
    "low": low,
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for word in sys.argv[1:] or list(PARTS):
        PARTS[word]()
