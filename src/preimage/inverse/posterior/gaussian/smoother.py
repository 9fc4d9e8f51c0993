"""From the known values back to the input, gate by gate, with a covariance at each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, final

import torch
from torch import Tensor

from preimage.inverse.posterior.gaussian.gates import ROOT, Gates
from preimage.inverse.posterior.gaussian.linearise import linearised, linearised_pointwise
from preimage.inverse.posterior.gaussian.normal import Normal, Observation, Step

PASSES = 4
"""How often a network that is not linear is linearised again, around what the last pass has found."""

DOUBT = 1e-6
"""Least variance of a nonlinear step, relative to that of its output."""


class Recorded(NamedTuple):
    """Mean and standard deviation of a gate that are known beforehand, ``(n,)`` each."""

    mean: Tensor
    deviation: Tensor


class Smoothed(NamedTuple):
    """The distribution of the input, and whether the network was linear, so that nothing is approximate."""

    root: Normal
    exact: bool


@final
class Smoother:
    r"""The posterior of the input given known values, by a Kalman smoother over the gates of a network.

    Forward, means and covariances of the gates follow from those of the input. Backward, the known values
    become observations of one gate after the other: each step adds its own noise to what it was given, so
    that equations weigh as much as they are worth, and where several ways meet, their precisions add up. For
    a linear network the result is the exact posterior. Others are replaced by the linear map with noise that
    fits best where each gate is likely to be, first from the forward pass, then from what was found.

    Reference: H. Rauch, F. Tung and C. Striebel (1965), https://doi.org/10.2514/3.3166; A. Garcia-Fernandez,
    L. Svensson and S. Sarkka (2017), https://arxiv.org/abs/1604.00237, for the repeated linearisation.

    Args:
        gates: of the network.
        prior: of the input, with mean ``(1, n)``.
        recorded: moments of gates that are known beforehand and replace those of the forward pass.
        like: decides in which dtype the network runs.

    Cost: each pass, one Jacobian a gate, 64 for steps that are not linear; matrix products and an eigenvalue
    problem of the size of each gate. For a nonlinear network, four passes for each sample.
    """

    def __init__(self, gates: Gates, prior: Normal, recorded: Mapping[str, Recorded], like: Tensor) -> None:
        self.gates, self.prior, self.recorded, self.like = gates, prior, recorded, like
        self.rounding = torch.finfo(like.dtype).eps
        self._first = self._linearised({})

    def run(self, known: Mapping[str, Tensor]) -> list[Smoothed]:
        """The posteriors of known gates ``(N, n)``: one of all samples where the network is linear."""
        steps, normals = self._first
        if all(step.exact for step in steps.values()):
            return [Smoothed(self._backward(steps, normals, known)[ROOT], exact=True)]
        rows = [{k: v[n : n + 1] for k, v in known.items()} for n in range(len(next(iter(known.values()))))]
        return [Smoothed(self._alone(row), exact=False) for row in rows]

    def _alone(self, known: Mapping[str, Tensor]) -> Normal:
        """The posterior of one sample, after repeated linearisation."""
        steps, normals = self._first
        found = self._backward(steps, normals, known)
        for _ in range(PASSES - 1):
            steps, normals = self._linearised(found)
            found = self._backward(steps, normals, known)
        return found[ROOT]

    def _linearised(self, around: Mapping[str, Normal]) -> tuple[dict[str, Step], dict[str, Normal]]:
        """Steps around given distributions, else around those of the forward pass, which are returned too."""
        steps: dict[str, Step] = {}
        normals = {ROOT: self.prior}
        for gate, parent in self.gates.parents.items():
            place = around.get(parent, normals[parent])
            method = linearised_pointwise if self.gates.is_pointwise(gate) else linearised
            step = method(self.gates.step(gate, self.like), place, self.rounding)
            following = self._remembered(gate, normals[parent].after(step))
            if not step.exact:
                floor = DOUBT * following.variance.clamp_min(following.variance.mean() * DOUBT)
                step = Step(step.matrix, step.offset, step.noise.clamp_min(floor), exact=False)
            steps[gate], normals[gate] = step, following
        return steps, normals

    def _remembered(self, gate: str, normal: Normal) -> Normal:
        recorded = self.recorded.get(gate)
        return normal if recorded is None else normal.scaled(*recorded)

    def _backward(
        self, steps: Mapping[str, Step], normals: Mapping[str, Normal], known: Mapping[str, Tensor]
    ) -> dict[str, Normal]:
        """The distribution of each gate given what is known behind it."""
        seen: dict[str, Observation] = {}
        for gate in (*reversed(list(self.gates.parents)), ROOT):
            parts = [seen[child].before(steps[child]) for child in self.gates.children(gate)]
            parts += [Observation.of(known[gate])] if gate in known else []
            seen[gate] = Observation.fused(parts)
        inner = set(self.gates.parents.values())
        return {gate: normals[gate].given(seen[gate], self.rounding) for gate in inner}
