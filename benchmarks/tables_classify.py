"""Tables of generative classifiers and prototypes."""

from __future__ import annotations

from typing import Any

from results_text import read, section, table

TRAIN = "python benchmarks/classify_train.py NAME --keep FOLDER [--refine | --grow]"
PICTURES = f"{TRAIN}; python benchmarks/classify_pictures.py --keep FOLDER"
LOSSES = "python benchmarks/classify_losses.py"
NAMES = {"fashion-mnist": "Fashion-MNIST", "mnist-5k": "MNIST-5k"}


def sections() -> list[str]:
    """The sections of this topic, where their files exist."""
    made = [accuracy(), views(), caution(), losses(), information(), heads()]
    return [text for text in made if text]


def _share(found: dict[str, Any]) -> str:
    return f"{found['value']:.1%} ({found['low']:.1%} to {found['high']:.1%})"


def _runs() -> dict[str, dict[str, Any]]:
    found = read("classify_pictures") or {}
    return {name: found[name] for name in NAMES if name in found}


def accuracy() -> str:
    """Accuracy, bits and calibration of the classifiers of pictures."""
    rows = [
        [
            NAMES[name],
            _share(run["accuracy"]),
            f"{run['bits_per_dim']:.2f}",
            f"{run['calibration_error']['equal_width']:.3f}",
            f"{run['calibration_error_after_temperature']['equal_width']:.3f}",
            f"{run['calibration_error_after_temperature']['equal_mass']:.3f}",
            f"{run['prototypes']['residual']:.0e}",
            f"{run['parameters']:,}",
            f"{run['training']['cpu_seconds']} s",
        ]
        for name, run in _runs().items()
    ]
    head = [
        "data",
        "accuracy (95 %)",
        "bits/dim",
        "ECE",
        "ECE, fitted",
        "adaptive",
        "prototypes",
        "weights",
        "CPU",
    ]
    if not rows:
        return ""
    return section(
        "Generative classifiers of pictures (4-11, 4-20)",
        PICTURES,
        "Test parts, never used to choose anything; intervals of Clopper and Pearson. ECE is the expected"
        " calibration error in 15 bins of equal width, as trained and after one temperature was fitted to the"
        " validation part; adaptive: bins of equal mass. Prototypes: the largest relative difference of a class"
        " mean and the code of its inverse, in float32; the goal is 1e-4. The goals for Fashion-MNIST are an accuracy"
        " of 92 % and an ECE of .03; it is trained in three runs, the later ones over moved pictures. CPU: seconds of"
        " training on one core. Pictures: docs/images/classify_*.png.",
        table(head, rows),
    )


def views() -> str:
    """The same classifiers, asked several times."""
    found = {
        name: run["averaged over views"] for name, run in _runs().items() if "averaged over views" in run
    }
    if not found:
        return ""
    rows = [
        [
            NAMES[name],
            run["views"],
            _share(run["accuracy"]),
            f"{run['calibration_error_after_temperature']['equal_width']:.3f}",
            ", ".join(f"{word}: {value:.1%}" for word, value in run["validation_accuracy"].items()),
        ]
        for name, run in found.items()
    ]
    return section(
        "The same classifiers, averaged over views of a picture",
        PICTURES,
        "The evidence for every class, averaged over a picture and what it may be changed into without changing its"
        " class. A pass a view, and no density of the picture: another figure than the one above. Which views, and"
        " the temperature, the validation part decides.",
        table(["data", "views", "accuracy (95 %)", "ECE, fitted", "validation part"], rows),
    )


def caution() -> str:
    """Strangers and abstention."""
    rows = []
    for name, run in _runs().items():
        silence, strange = run["abstention"], run["strangers"]
        risk = "none answered" if silence["risk"] is None else f"{silence['risk']:.1%}"
        scores = [f"{strange[score]:.3f}" for score in ("log-density", "typicality", "doubt about the class")]
        rows.append(
            [NAMES[name], f"{silence['risk_wanted']:.0%}", f"{silence['answered']:.0%}", risk, *scores]
        )
    if not rows:
        return ""
    head = ["data", "risk allowed", "answered", "risk", "log-density", "typicality", "doubt"]
    return section(
        "Answering only where it is safe, and noticing strangers",
        PICTURES,
        "The threshold is fitted to the validation part so that the share of wrong answers stays below the risk"
        " allowed with 95 % assurance. Last columns: area under the ROC curve of three scores that are to tell"
        " 2,000 test pictures (500 of MNIST-5k) from pictures of the other data set.",
        table(head, rows),
    )


def losses() -> str:
    """Ablation of temperature, balance and kinds of latents."""
    found = read("classify_losses")
    if not found:
        return ""
    rows = []
    for name, run in found["rows"].items():
        keys = (
            ("accuracy", ".1%"),
            ("bits_per_dim", ".2f"),
            ("calibration_error", ".3f"),
            ("temperature", ".2f"),
        )
        rows.append(
            [name, *[f"{run[key]['mean']:{form}} ± {run[key]['spread']:{form}}" for key, form in keys]]
        )
    return section(
        "Losses, temperature and latents of a small classifier (4-5, 4-6, 4-20)",
        LOSSES,
        f"MNIST-5k averaged down to 14 x 14 pixels, {found['trained_on']:,} digits to train on,"
        f" {found['measured_on']:,} others to measure on, five epochs: a comparison, not a record. Mean and"
        " standard deviation of two seeds. f weighs bits per dimension against the class; t is the temperature.",
        table(["loss", "accuracy", "bits/dim", "ECE", "t"], rows),
    )


def information() -> str:
    """The class in bits, beside the differences between runs."""
    found = read("classify_losses")
    if not found:
        return ""
    bits = found["information"]
    rows = [
        ["bits of a picture, with classes", _list(bits["bits_of_a_picture_with_classes"])],
        ["bits of a picture, without classes", _list(bits["bits_of_a_picture_without_classes"])],
        ["what the class says, in one model", f"{bits['bits_of_the_class']['mean']:.2f}"],
        ["what it can say at most", f"{bits['bound']:.2f}"],
    ]
    return section(
        "How little the class says about the picture (4-19)",
        LOSSES,
        "Purely generative training, two seeds. I(X; C) is at most the entropy of the classes: less than two runs"
        " with different seeds differ by, so the density alone is a poor guide to a classifier.",
        table(["", "bits"], rows),
    )


def heads() -> str:
    """A linear classifier on pixels and on latents."""
    found = read("classify_losses")
    if not found:
        return ""
    own = {
        "after class + density / D": found["rows"]["class + density / D"]["accuracy"]["mean"],
        "after density alone": found["rows"]["density alone"]["accuracy"]["mean"],
    }
    rows = [
        [name, f"{run['pixels']:.1%}", f"{run['latents']:.1%}", f"{own[name]:.1%}"]
        for name, run in found["heads"].items()
    ]
    return section(
        "A linear classifier on the latents (4-22)",
        LOSSES,
        "Accuracy of a logistic regression on the pixels and on the latents of a flow trained before, and of the"
        " flow's own Bayes rule (mean of the seeds), on the same digits. Tabular foundation models were not"
        " compared: their weights are not in any package.",
        table(["flow", "linear on pixels", "linear on latents", "Bayes' rule"], rows),
    )


def _list(values: list[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)
