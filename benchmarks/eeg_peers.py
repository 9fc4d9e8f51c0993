"""The networks of braindecode that eeg_real.py compares with, without the packages that they do not use."""

import sys
import types
import warnings
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec

import torch
from torch import nn

ABSENT = {
    "torchaudio": (),
    "torchaudio.functional": ("fftconvolve", "filtfilt", "lfilter"),
    "torchaudio.transforms": ("Resample", "Spectrogram"),
}


def stand_in_for_torchaudio() -> None:
    """Empty classes under its names: other networks of braindecode derive from them when they are imported."""
    if find_spec("torchaudio") is not None:
        return
    import torch.export  # noqa: F401  # it inspects all modules when it is imported

    for name, contents in ABSENT.items():
        module = types.ModuleType(name)
        module.__spec__, module.__file__ = ModuleSpec(name, None), "absent"
        for content in contents:
            setattr(module, content, type(content, (nn.Module,), {}))
        sys.modules[name] = module


class OverTime(nn.Module):
    """The mean over time of a network that answers at every instant."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answers = self.network(x)
        return answers.flatten(2).mean(2) if answers.dim() > 2 else answers


class WithSilence(nn.Module):
    """A network for two channels, given one: braindecode 1.8.1 cannot build its spatial layer for one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(torch.cat([x, torch.zeros_like(x)], dim=1))


def networks() -> dict:
    """Builders ``(channels, times, rate, classes) -> network`` by name, with the defaults of braindecode."""
    stand_in_for_torchaudio()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from braindecode.models import TCN, Deep4Net, EEGNet, ShallowFBCSPNet

    def usual(kind: type) -> Callable[..., nn.Module]:
        def build(channels: int, times: int, rate: float, classes: int) -> nn.Module:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                network = kind(n_chans=max(2, channels), n_outputs=classes, n_times=times, sfreq=rate)
            return WithSilence(network) if channels == 1 else network

        return build

    return {
        "ShallowFBCSPNet": usual(ShallowFBCSPNet),
        "Deep4Net": usual(Deep4Net),
        "EEGNet": usual(EEGNet),
        "TCN": lambda channels, times, rate, classes: OverTime(TCN(n_chans=channels, n_outputs=classes)),
    }
