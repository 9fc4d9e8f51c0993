"""Generative classifiers on disk, and on the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from preimage.classify.classifier import GenerativeClassifier
from preimage.errors import ContextError, ModelFileError
from preimage.flows import Flow, files, hub
from preimage.storage import DEFAULT_LIMITS, Limits, read_directory, write_directory

KIND, VERSION = "generative classifier", 2
FLOW = "flow"
BESIDE = ("log_prior", "log_temperature")
FIRST_VERSION = "classes"  # folder that held all but the flow


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
    weights, flow = files.contents(classifier.flow)
    tensors = {f"{FLOW}.{name}": tensor for name, tensor in weights.items()}
    tensors |= {name: getattr(classifier, name) for name in BESIDE}
    config = {"class_names": list(classifier.class_names), "history": list(classifier.history), FLOW: flow}
    return write_directory(path, KIND, VERSION, tensors, config)


def load_classifier(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> GenerativeClassifier:
    """Read a classifier that :func:`save_classifier` wrote, on the CPU and in evaluation mode.

    Nothing in a file can run code. The loss is not kept: it is the default one for further training.
    :func:`preimage.flows.from_pretrained` reads the same folder, or repository.

    Args:
        path: the directory.
        limits: largest sizes that are accepted.

    Returns:
        The classifier, a plain :class:`GenerativeClassifier` whatever class was saved.

    Raises:
        ModelFileError: the directory is not a classifier, changed, or does not fit together.
    """
    if (Path(path) / FIRST_VERSION).is_dir():
        tensors, config = read_directory(Path(path) / FIRST_VERSION, KIND, 1, limits)
        return _classifier(path, files.load(Path(path) / FLOW, limits), tensors, config)
    tensors, config = read_directory(path, KIND, VERSION, limits)
    start = f"{FLOW}."
    weights = {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}
    said = config.get(FLOW)
    flow = files.rebuilt(path, weights, said if isinstance(said, dict) else {})
    return _classifier(path, flow, tensors, config)


def classifier_card(classifier: GenerativeClassifier, name: str) -> str:
    """The page of a classifier, as Markdown with the header that the Hugging Face Hub reads.

    Args:
        classifier: the model.
        name: of its repository.

    Example:
        >>> from preimage.classify import vector_classifier
        >>> print(classifier_card(vector_classifier(2, ("a", "b"), transforms=1), "ann/ab").splitlines()[7])
        # ann/ab
    """
    recipe = classifier.flow.recipe
    return _CARD.format(
        name=name,
        classes=", ".join(f"`{word}`" for word in classifier.class_names),
        preset="a flow" if recipe is None else f"the flow `{recipe.preset}`",
        parameters=sum(parameter.numel() for parameter in classifier.parameters()),
    )


_CARD = """---
library_name: preimage
tags:
- normalizing-flow
- generative-classifier
---

# {name}

A generative classifier of {classes}: {preset} with a density of latents for every class, and Bayes' rule.
{parameters:,} parameters.

```python
from preimage import classify

model = classify.from_pretrained("{name}")
model.predict_proba(x)  # of every class
model.log_prob(x)  # nats
model.prototypes()  # what every class looks like
```

Files: `model.safetensors`, `config.json` and `manifest.json` (sizes and SHA-256). There is no pickle;
what does not fit is refused when it is loaded.
"""


def _classifier(
    path: str | Path, flow: Flow, tensors: dict[str, Tensor], config: dict[str, Any]
) -> GenerativeClassifier:
    names = _names(path, config)
    try:
        classifier = GenerativeClassifier(flow, names)
    except ContextError as error:
        raise ModelFileError(f"{path}: its flow and its {len(names)} classes do not fit: {error}") from error
    for name in BESIDE:
        wanted: Tensor = getattr(classifier, name)
        if name not in tensors or tensors[name].shape != wanted.shape:
            raise ModelFileError(f"{path}: {name} is missing or does not fit {len(names)} classes")
        wanted.data = tensors[name]
    classifier.history.extend(files.records_of(config))
    return classifier.eval()


def _names(path: str | Path, config: dict[str, Any]) -> list[str]:
    names = config.get("class_names")
    if not isinstance(names, list) or len(names) < 2 or not all(isinstance(name, str) for name in names):
        raise ModelFileError(f"{path}: class_names are {names!r}, wanted two names or more")
    return names


hub.READERS[KIND] = load_classifier
hub.WRITERS[GenerativeClassifier] = save_classifier
hub.CARDS[GenerativeClassifier] = classifier_card
