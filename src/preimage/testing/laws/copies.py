"""Saved, copied and pickled layers are the same layer."""

from __future__ import annotations

import copy
import io
import pickle

import torch

from preimage.bijection import Bijection
from preimage.testing.case import Case, flat
from preimage.testing.law import law, require


def _require_same(case: Case, other: Bijection, what: str) -> None:
    for name, (run, value) in case.directions().items():
        wanted, wanted_log_det = run(value, case.context)
        method = other.forward_and_log_det if name == "forward" else other.inverse_and_log_det
        actual, log_det = method(value, case.context)
        same = torch.equal(flat(actual), flat(wanted)) and torch.equal(log_det, wanted_log_det)
        require(same, f"{name} of the {what} differs")


@law("deepcopy")
def deep_copy(case: Case) -> None:
    """A deep copy gives the same answers."""
    _require_same(case, copy.deepcopy(case.layer), "deep copy")


@law("pickle")
def pickled(case: Case) -> None:
    """A pickled layer gives the same answers."""
    _require_same(case, pickle.loads(pickle.dumps(case.layer)), "pickled layer")


@law("state_dict")
@torch.no_grad()
def state_dict(case: Case) -> None:
    """A layer with other values becomes the same by loading the saved state, parameters and buffers alike."""
    file = io.BytesIO()
    torch.save(case.layer.state_dict(), file)
    file.seek(0)
    other = copy.deepcopy(case.layer)
    for parameter in other.parameters():
        parameter.zero_()
    other.load_state_dict(torch.load(file, weights_only=True))
    _require_same(case, other, "reloaded layer")
