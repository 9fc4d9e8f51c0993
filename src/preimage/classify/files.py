"""Generative classifiers on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from preimage.classify.classifier import GenerativeClassifier
from preimage.errors import ModelFileError
from preimage.flows import load as load_flow
from preimage.flows import save as save_flow
from preimage.storage import DEFAULT_LIMITS, Limits, read_directory, write_directory

KIND, VERSION = "generative classifier", 1
FLOW, REST = "flow", "classes"


def save_classifier(classifier: GenerativeClassifier, path: str | Path) -> Path:
    """Write a classifier to a directory: its flow, as :func:`preimage.flows.save` does, and its classes.

    Args:
        classifier: whose flow was made by a preset, such as :func:`picture_classifier`.
        path: a new directory, or one that holds a classifier.

    Returns:
        The path.

    Raises:
        ModelFileError: the flow was not made by a preset.
        OutputError: the place is taken, or cannot be written.

    Cost: one copy of the weights to disk.

    Example:
        >>> import tempfile
        >>> from preimage.classify import vector_classifier
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = save_classifier(vector_classifier(2, ("a", "b"), transforms=1), f"{folder}/ab")
        ...     load_classifier(path).class_names
        ('a', 'b')
    """
    folder = Path(path)
    save_flow(classifier.flow, folder / FLOW)
    tensors = {"log_prior": classifier.log_prior, "log_temperature": classifier.log_temperature}
    config = {"class_names": list(classifier.class_names), "history": list(classifier.history)}
    write_directory(folder / REST, KIND, VERSION, tensors, config)
    return folder


def load_classifier(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> GenerativeClassifier:
    """Read a classifier that :func:`save_classifier` wrote, on the CPU and in evaluation mode.

    Nothing in a file can run code. The loss is not kept: it is the default one for further training.

    Args:
        path: the directory.
        limits: largest sizes that are accepted.

    Raises:
        ModelFileError: the directory is not a classifier, changed, or does not fit together.
    """
    tensors, config = read_directory(Path(path) / REST, KIND, VERSION, limits)
    names = _names(path, config)
    classifier = GenerativeClassifier(load_flow(Path(path) / FLOW, limits), names)
    for name in ("log_prior", "log_temperature"):
        wanted: Tensor = getattr(classifier, name)
        if name not in tensors or tensors[name].shape != wanted.shape:
            raise ModelFileError(f"{path}: {name} is missing or does not fit {len(names)} classes")
        wanted.data = tensors[name]
    classifier.history.extend(record for record in config.get("history", []) if isinstance(record, dict))
    return classifier.eval()


def _names(path: str | Path, config: dict[str, Any]) -> list[str]:
    names = config.get("class_names")
    if not isinstance(names, list) or len(names) < 2 or not all(isinstance(name, str) for name in names):
        raise ModelFileError(f"{path}: class_names are {names!r}, wanted two names or more")
    return names
