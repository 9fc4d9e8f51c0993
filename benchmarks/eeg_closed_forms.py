"""Closed-form classifiers on synthetic EEG whose planted features are known.

python benchmarks/eeg_closed_forms.py [spectral] [stationary]

The windows are those of eeg_networks.py.
"""

import sys
import time

import torch
from torch import Tensor

from eeg_networks import SCALE, WINDOWS, plain, recordings, share, written
from preimage import eeg
from preimage.classify import reliability
from preimage.eeg.planted.gaussian import StationaryGaussian
from preimage.functional.statistics.proportion import clopper_pearson


def spectral() -> None:
    """The other generative classifier of recordings: a fixed transform and a closed-form fit."""
    runs = []
    for windows in (WINDOWS, 4 * WINDOWS):
        x, labels, test_x, test_labels, truth = recordings(windows)
        start = time.process_time()
        best = chosen_settings(x, labels)
        model = eeg.SpectralClassifier(21, 128, 64.0, 2, best).estimate(x, labels)
        seconds = time.process_time() - start
        found = eeg.evaluate(model, test_x, test_labels, crops=1, noise=0.0)
        optimum = float((truth.predict(SCALE * test_x) == test_labels).float().mean())
        runs.append({"windows": windows, "accuracy": share(found.accuracy), "bayes_accuracy": optimum})
        runs[-1] |= {"edges": best.edges, "low": best.low, "seconds": seconds}
    written("spectral", {"runs": runs})


def chosen_settings(x: Tensor, labels: Tensor) -> eeg.SpectralSettings:
    """The best of three by a quarter of the windows to train on, held out."""
    kept = 3 * len(x) // 4
    candidates = [
        eeg.SpectralSettings(80, edges) for edges in ((), tuple(range(2, 25, 2)), tuple(range(2, 25, 4)))
    ]

    def held_out(settings: eeg.SpectralSettings) -> float:
        model = eeg.SpectralClassifier(21, 128, 64.0, 2, settings).estimate(x[:kept], labels[:kept])
        return float((model.predict(x[kept:]) == labels[kept:]).float().mean())

    return max(candidates, key=held_out)


def stationary() -> None:
    """The closed form by mean and spectrum: accuracy, prototypes and scalp patterns, for few windows and many."""
    runs = []
    for windows in (300, 1500, WINDOWS):
        x, labels, test_x, test_labels, truth = recordings(windows)
        start = time.process_time()
        model = eeg.StationaryClassifier(21, 128, 2).estimate(x, labels)
        seconds = time.process_time() - start
        found = eeg.evaluate(model, test_x, test_labels, crops=1, noise=0.0)
        scores = eeg.score_prototypes(SCALE * model.prototypes().x.detach(), truth)
        runs.append(
            {
                "windows": windows,
                "accuracy": share(found.accuracy),
                "bayes_accuracy": float((truth.predict(SCALE * test_x) == test_labels).float().mean()),
                "calibration_error": reliability(model.predict_proba(test_x), test_labels).error,
                "features": [plain(score) for score in scores],
                "patterns": [scalp_score(model, truth, feature) for feature in truth.features],
                "seconds": seconds,
            }
        )
    written("stationary", {"means_alone": means_alone(truth), "runs": runs})


def scalp_score(
    model: eeg.StationaryClassifier, truth: eeg.SyntheticTruth, feature: eeg.PlantedFeature
) -> dict:
    """Shares of the map of the mean difference and of the clearest source that the planted ones explain."""
    found = eeg.band_patterns(model, feature.band, truth.grid.rate)
    mean, source = (eeg.score_pattern(p, truth, feature) for p in (found.mean, found.sources[0]))
    return {"feature": feature.name, "mean": mean, "source": source, "ratio": float(found.ratios[0])}


def means_alone(truth: eeg.SyntheticTruth) -> dict:
    """The best that a classifier with one covariance for both classes can do, with everything known."""
    x, labels = truth.draw(10_000, torch.Generator().manual_seed(3))
    spectra = torch.stack([given.spectra for given in truth.given_class]).mean(0)
    table = [StationaryGaussian(given.mean, spectra).log_prob(x) for given in truth.given_class]
    right = int((torch.stack(table, dim=1).argmax(1) == labels).sum())
    return share(clopper_pearson(right, len(x)))


PARTS = {"spectral": spectral, "stationary": stationary}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for word in sys.argv[1:] or list(PARTS):
        PARTS[word]()
