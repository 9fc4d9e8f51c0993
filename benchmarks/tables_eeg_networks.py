"""Tables of EEG-InvNet and EEG-CosNet on synthetic EEG."""

from __future__ import annotations

from typing import Any

from results_text import read, section, table

COMMAND = "python benchmarks/eeg_networks.py"
CLOSED = "python benchmarks/eeg_closed_forms.py"


def sections() -> list[str]:
    """The sections of this topic, where their files exist."""
    made = [
        networks(),
        stationary(),
        spectral(),
        prototypes(),
        patterns(),
        distilled(),
        electrodes(),
        low_frequencies(),
    ]
    return [text for text in made if text]


def _share(found: dict[str, Any]) -> str:
    return f"{found['value']:.1%} ({found['low']:.1%} to {found['high']:.1%})"


KINDS = {
    "generative": "purely generative",
    "discriminative": "half class, half density",
    "longer": "the same",
    "published": "published sizes and recipe",
}


def _runs() -> dict[str, dict[str, Any]]:
    found = {name: read(f"eeg_networks_{name}") for name in KINDS}
    return {name: run for name, run in found.items() if run}


def networks() -> str:
    """Accuracy against the optimum, and what the inverse is worth after training."""
    rows = [
        [
            KINDS[name],
            f"{run.get('windows', 6000):,}",
            f"{run.get('epochs', 8)}",
            _share(run["accuracy"]),
            f"{run['bayes_accuracy']:.1%}",
            f"{run['agreement_with_bayes']:.1%}",
            f"{run['bits_per_dim']:.3f}",
            f"{run['inverse_error']:.1e}",
            f"{run['parameters']:,}",
            f"{run['seconds']:.0f} s",
        ]
        for name, run in _runs().items()
    ]
    if not rows:
        return ""
    head = ["EEG-InvNet", "windows", "epochs", "accuracy (95 %)", "optimum", "agrees with it"]
    head += ["bits/dim", "inverse error", "weights", "CPU"]
    full, closed = read("eeg_networks_published"), read("eeg_networks_stationary")
    cost = "" if not full else _cost(full)
    linear = "" if not closed or "means_alone" not in closed else _linear(closed["means_alone"])
    return section(
        "EEG-InvNet on synthetic EEG (4-7, 4-8, 4-9, 4-10)",
        f"{COMMAND} generative discriminative longer published",
        "21 electrodes, 128 samples, four planted features. All start from data; of the smaller networks only the last"
        " of three stages is trained. The optimum is the exact Bayes classifier on the same 2,000"
        f" windows.{linear} The inverse error is the largest difference in float32 on 500 windows of standard"
        f" deviation 1; the goal is 1e-4.{cost}",
        table(head, rows),
    )


def _linear(best: dict[str, Any]) -> str:
    return (
        f" A classifier that sees means alone cannot do better than {best['value']:.1%} ({best['low']:.1%} to"
        f" {best['high']:.1%} by {best['trials']:,} other windows), however many"
        " it is given: the rest is in the strengths, which couplings learn slowly and a closed form takes directly"
        " (next table)."
    )


def _cost(run: dict[str, Any]) -> str:
    losses = " to ".join(f"{loss:.2f}" for loss in (run["losses"][0], run["losses"][-1]))
    speed = run["windows"] * run["epochs"] / run["seconds"]
    return (
        f" The published sizes ({run['parameters']:,} weights) take {run['megabytes']:.0f} MB and see {speed:.0f}"
        f" windows a second on one core of a busy machine; the loss falls from {losses} in {run['epochs']} epochs."
    )


def stationary() -> str:
    """The closed form by mean and spectrum on the same windows."""
    found = read("eeg_networks_stationary")
    if not found:
        return ""
    rows = [
        [
            f"{run['windows']:,}",
            _share(run["accuracy"]),
            f"{run['bayes_accuracy']:.1%}",
            f"{run['calibration_error']:.3f}",
            ", ".join(f"{f['correlation']:.3f}" for f in run["features"]),
            f"{sum(f['localised'] for f in run['features'])} of {len(run['features'])}",
            f"{run['seconds']:.1f} s",
        ]
        for run in found["runs"]
    ]
    head = ["windows", "accuracy (95 %)", "optimum", "ECE", "prototypes: correlation", "localised", "CPU"]
    return section(
        "StationaryClassifier on the same synthetic EEG (4-10, 4-11)",
        f"{CLOSED} stationary",
        "The generative classifier by mean and spectrum, fitted in closed form. Its defaults were chosen on other"
        " draws of this generator. The windows are those of the table above. Its family of densities is nearly the"
        " one that the windows are drawn from, so this says what the estimates cost, and nothing about recordings that are not stationary. Correlations of the"
        " prototypes: slowing, alpha, offset, synchrony (goal .9 each).",
        table(head, rows),
    )


def patterns() -> str:
    """Scalp patterns of the closed form."""
    found = read("eeg_networks_stationary")
    if not found:
        return ""
    rows = [
        [
            f"{run['windows']:,}",
            p["feature"],
            f"{p['mean']:.3f}",
            f"{p['source']:.3f}" if abs(p["ratio"] - 1) > 1e-6 else "none stands out",
            f"{p['ratio']:.2f}",
        ]
        for run in found["runs"]
        for p in run["patterns"]
    ]
    return section(
        "Haufe patterns of the closed form (4-14)",
        f"{CLOSED} stationary",
        "For the band of every feature: the map of the mean difference, and the activation pattern of the source whose"
        " power differs most; share that the planted sources explain (goal .95), and the ratio of its power. The offset"
        " has no power to differ in.",
        table(["windows", "planted feature", "map of the means", "source", "ratio of power"], rows),
    )


def spectral() -> str:
    """The closed-form classifier on the same windows."""
    found = read("eeg_networks_spectral")
    if not found:
        return ""
    rows = [
        [
            f"{run['windows']:,}",
            _share(run["accuracy"]),
            f"{run['bayes_accuracy']:.1%}",
            f"{run['seconds']:.0f} s",
        ]
        for run in found["runs"]
    ]
    return section(
        "SpectralClassifier on the same synthetic EEG (4-10)",
        f"{CLOSED} spectral",
        "The generative classifier with a fixed transform and a closed-form fit; its bands are chosen on a quarter"
        " of the windows to train on, held out. The test windows are those of the table above. With slow waves alone it"
        " sees means only; with bands, amplitudes without their sign.",
        table(["windows", "accuracy (95 %)", "optimum", "CPU"], rows),
    )


def prototypes() -> str:
    """Class means, inverted, against what was planted."""
    runs = _runs()
    rows = [
        [
            f"{KINDS[name]}, {run.get('windows', 6000):,} windows",
            f["feature"],
            f"{f['correlation']:.3f}",
            ", ".join(sorted(f["found"])),
            "yes" if f["localised"] else "no",
        ]
        for name, run in runs.items()
        for f in run["features"]
    ]
    if not rows:
        return ""
    errors = ", ".join(f"{run['prototype_error']:.1e}" for run in runs.values())
    return section(
        "Class prototypes on synthetic EEG (4-11)",
        f"{COMMAND} generative discriminative longer published",
        "Difference of the inverted class means, in the band of each feature: correlation with the planted wave at all"
        " electrodes (goal .9), and the electrodes at which it is largest. Re-encoded, the prototypes differ from"
        f" the class means by at most {errors} (goal 1e-4).",
        table(["training", "planted feature", "correlation", "electrodes found", "as planted"], rows),
    )


def distilled() -> str:
    """EEG-CosNet against its teacher."""
    run = read("eeg_networks_cosnet")
    if not run:
        return ""
    rows = [
        [
            p["feature"],
            p["filters"],
            f"{p['hertz']:.1f} Hz" if "hertz" in p else "",
            f"{p.get('pattern', 0):.3f}",
            _band(p),
        ]
        for p in run["patterns"]
    ]
    return section(
        "EEG-CosNet, distilled from the EEG-InvNet above (4-13, 4-14)",
        f"{COMMAND} cosnet",
        f"Agreement with the EEG-InvNet on new windows: {_share(run['agreement'])} (goal 90 %); accuracy"
        f" {_share(run['accuracy'])}; {run['parameters']:,} parameters, {run['seconds']:.0f} s of one core. It sees"
        " neither the sign of the frontal offset nor amplitudes. For every feature: the filters whose waveform peaks"
        " within 2 Hz, and the share of the covariance pattern of the one with the most evidence that the planted"
        " sources explain: by the covariance of the electrodes, where slow noise dominates, and behind the"
        " filter's own waveform.",
        table(["planted feature", "filters in its band", "peak of the best", "pattern", "in the band"], rows),
    )


def _band(pattern: dict[str, Any]) -> str:
    return f"{pattern['in_band']:.3f}" if "in_band" in pattern else ""


def electrodes() -> str:
    """Prototypes of single electrodes."""
    run = read("eeg_networks_channels")
    if not run:
        return ""
    rows = [
        [
            name,
            f"{run['gain'][0][k]:.2f} / {run['gain'][1][k]:.2f}",
            f"{run['correlation'][k]:.2f}",
            " / ".join("clear" if row[k] else "no clear prototype" for row in run["clear"]),
        ]
        for k, name in enumerate(run["electrodes"])
    ]
    return section(
        "Prototypes of single electrodes on synthetic EEG (4-12)",
        f"{COMMAND} channels",
        f"Nats of evidence gained for class 0 / class 1 against real values put into other windows, over"
        f" {run['score_rows']} windows; correlation of the difference of both prototypes with the planted one. No"
        " feature was planted at PZ. Few steps and few windows to score with (the usual number is 10,000), so the"
        " flags are careful: gains are above those of PZ, but different starts do not agree well.",
        table(["electrode", "gain", "correlation", "flag"], rows),
    )


def low_frequencies() -> str:
    """The three classifiers below 0.5 Hz."""
    run = read("eeg_networks_low")
    if not run:
        return ""
    rows = [
        [m["model"], _share(m["accuracy"]), f"{m['parameters']:,}", f"{m['seconds']:.0f} s"]
        for m in run["models"]
    ]
    components = ", ".join(f"{share:.0%}" for share in run["components"])
    return section(
        "Below 0.5 Hz, synthetic EEG (4-15)",
        f"{COMMAND} low",
        f"Only the offset is planted there. The optimal classifier of the 63 numbers that are left reaches"
        f" {run['optimal']:.1%}. EEG-CosNet takes absolute cosines, so an offset up and one down look the same to it."
        f" Components of the Fourier mixture speak for class 1 with {components}.",
        table(["model", "accuracy (95 %)", "parameters", "CPU"], rows),
    )
