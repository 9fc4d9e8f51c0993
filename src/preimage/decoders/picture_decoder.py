"""A trained decoder with what its honest use needs: the hash of its network, its errors, its card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor, nn

from preimage.decoders.blueprint import Blueprint
from preimage.decoders.corrector_network import CorrectorNetwork
from preimage.decoders.network import DecoderNetwork, Size
from preimage.decoders.owner import Owner
from preimage.decoders.posterior import error_models
from preimage.decoders.spectrum import profile, spectrum
from preimage.errors import ModelFileError, UnknownTapError
from preimage.inverse.calibrate.metric import Spectrum
from preimage.inverse.calibration import Calibration
from preimage.inverse.posterior.error_model import ErrorModel
from preimage.storage import read_directory, write_directory

if TYPE_CHECKING:
    from preimage.decoders.attached import Attached
    from preimage.inverse import Inverse

KIND, VERSION = "picture decoder", 1


@final
class PictureDecoder(nn.Module):
    """Paints the picture that a network saw, from any of its taps; made by :func:`preimage.decoders.train`.

    ``g(y)`` approximates the mean of all pictures with features y, ``E[x | f(x) = y]``: the estimate of least
    squared error. Details that the features do not tell come out smooth, not invented.

    Reference: Dosovitskiy and Brox 2016, Inverting visual representations with convolutional networks
    (https://arxiv.org/abs/1506.02753).

    Args:
        network: the trained network.
        owner: which network it was trained for.
        errors: label -> the spectrum of its errors on held-out pictures.
        card: facts about the training, plain data: what it was trained on, and its quality by tap.
        models: label -> how likely which errors are, for intervals; see :meth:`measured_on`.
        corrector: mends what is painted, see :func:`preimage.decoders.train_corrector`.

    Cost: one pass through a small convolutional network, about two passes of EfficientNet-Lite0.

    Example:
        >>> import preimage as pi
        >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, stride=2, padding=1), torch.nn.ReLU())
        >>> generator = torch.Generator().manual_seed(0)
        >>> pictures = torch.nn.functional.interpolate(torch.rand(24, 3, 4, 4, generator=generator), (16, 16))
        >>> inverse = pi.invert(net, pictures[:1], taps=["1"])
        >>> settings = pi.training.FitSettings(epochs=1, batch_size=8, progress=False)
        >>> decoder = pi.decoders.train(inverse, pictures, settings, widths=(8,), blocks=(1,))
        >>> decoder(inverse.features(pictures[:2])["1"], "1").shape
        torch.Size([2, 3, 16, 16])
    """

    def __init__(
        self,
        network: DecoderNetwork,
        owner: Owner,
        errors: Mapping[str, Spectrum],
        card: Mapping[str, Any] | None = None,
        models: Mapping[str, ErrorModel] | None = None,
        corrector: CorrectorNetwork | None = None,
    ) -> None:
        super().__init__()
        self.network, self.owner, self.card = network.eval().requires_grad_(False), owner, dict(card or {})
        self._errors, self.error_models = dict(errors), dict(models or {})
        self.corrector = None if corrector is None else corrector.eval().requires_grad_(False)

    @property
    def taps(self) -> tuple[str, ...]:
        """Labels of the taps it paints from, shallow to deep."""
        return tuple(self.network.blueprint.taps)

    @property
    def corrected(self) -> tuple[str, ...]:
        """Labels of the taps at which what is painted can be corrected."""
        return () if self.corrector is None else tuple(self.corrector.labels)

    @property
    def blueprint(self) -> Blueprint:
        """Its shape."""
        return self.network.blueprint

    def forward(self, y: Tensor, tap: str, size: Size | None = None) -> Tensor:
        """The picture ``(N, C, H, W)`` for features ``(N, *tap)``, in units of the network's input.

        Args:
            y: features at the tap.
            tap: label.
            size: rows and columns of the picture where it is not of the size of the training pictures.

        Raises:
            UnknownTapError: it was not trained for the tap.
            ShapeError: y has another shape than the tap.
        """
        with torch.no_grad():
            return self.network(y, tap, size)

    def metric(self, tap: str) -> Spectrum:
        """The covariance of its errors at a tap."""
        if tap not in self._errors:
            raise UnknownTapError(f"no picture decoder for tap {tap!r}; it was trained for {list(self.taps)}")
        return self._errors[tap]

    def measured_on(
        self, data: Calibration, features: Callable[[Tensor], Mapping[str, Tensor]]
    ) -> PictureDecoder:
        """The same decoder, with how it errs on pictures that it was not trained on.

        Args:
            data: pictures; those of one scene share a group, and two scenes at least are needed.
            features: from pictures to features by label.

        Cost: one forward pass, and one painted picture a tap, for each picture.
        """
        models = error_models(self, features, data)
        return PictureDecoder(self.network, self.owner, self._errors, self.card, models, self.corrector)

    def with_corrector(self, corrector: CorrectorNetwork | None) -> PictureDecoder:
        """The same decoder with another corrector, or with none."""
        return PictureDecoder(self.network, self.owner, self._errors, self.card, self.error_models, corrector)

    def attach(self, inverse: Inverse) -> Attached:
        """Use this decoder for the calibrated answers of an inverse of the network it was trained for.

        Raises:
            ModelFileError: the inverse is that of another network, or of other weights.
            UnknownTapError: the network has none of its taps.
        """
        from preimage.decoders.attached import Attached

        return Attached(inverse, self)

    def save(self, path: str | PathLike[str], dtype: torch.dtype = torch.float16) -> Path:
        """Write it to a folder: ``config.json``, ``model.safetensors`` and ``manifest.json``.

        Args:
            path: a new folder, or one with a picture decoder, which is replaced.
            dtype: of the weights in the file; half precision costs about 0.01 dB and half the bytes.

        Raises:
            OutputError: the folder holds something else, or cannot be written.
        """
        tensors = {f"network.{name}": t.to(dtype) for name, t in self.network.state_dict().items()}
        for number, tap in enumerate(self.taps):
            tensors[f"errors.{number}.rotation"] = self._errors[tap].rotation.float()
            tensors[f"errors.{number}.gains"] = profile(self._errors[tap]).float()
            tensors |= _model_tensors(self.error_models.get(tap), f"models.{number}.")
        config = {"blueprint": self.blueprint.to_dict(), "owner": self.owner.to_dict(), "card": self.card}
        if self.corrector is not None:
            tensors |= {f"corrector.{name}": t.to(dtype) for name, t in self.corrector.state_dict().items()}
            config["corrector"] = self.corrector.blueprint.to_dict()
        return write_directory(Path(path), KIND, VERSION, tensors, config)


def read(path: str | PathLike[str]) -> PictureDecoder:
    """Read what :meth:`PictureDecoder.save` wrote.

    Raises:
        ModelFileError: the folder is absent, broken, or holds something else.
    """
    tensors, config = read_directory(Path(path), KIND, VERSION)
    try:
        blueprint = Blueprint.from_dict(config["blueprint"])
        owner = Owner(str(config["owner"]["weights"]), dict(config["owner"]["values"]))
        network = DecoderNetwork(blueprint)
        network.load_state_dict(_below(tensors, "network."))
        errors = {
            tap: spectrum(
                blueprint.input_shape, tensors[f"errors.{i}.rotation"], tensors[f"errors.{i}.gains"]
            )
            for i, tap in enumerate(blueprint.taps)
        }
        models = {tap: _model(tensors, f"models.{i}.") for i, tap in enumerate(blueprint.taps)}
        corrector = None
        if "corrector" in config:
            corrector = CorrectorNetwork(Blueprint.from_dict(config["corrector"]))
            corrector.load_state_dict(_below(tensors, "corrector."))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelFileError(f"{path}: not a picture decoder that this version reads: {error}") from error
    found = {tap: model for tap, model in models.items() if model is not None}
    return PictureDecoder(network, owner, errors, config.get("card"), found, corrector)


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Weights of one part, in single precision."""
    return {n.removeprefix(prefix): t.float() for n, t in tensors.items() if n.startswith(prefix)}


def _model_tensors(model: ErrorModel | None, prefix: str) -> dict[str, Tensor]:
    state = {} if model is None else model.float().state_dict()
    return {f"{prefix}{name}": value.contiguous() for name, value in state.items()}


def _model(tensors: Mapping[str, Tensor], prefix: str) -> ErrorModel | None:
    state = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
    return ErrorModel.from_state(state) if state else None
