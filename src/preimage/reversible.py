"""Memory-saving backpropagation: a whole chain as one autograd node that recomputes its inputs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from preimage.bijection import MEMORY, AutogradRunner, ChainRunner, Step
from preimage.certificate import relative_residual
from preimage.certify import flat
from preimage.checks import Context, as_tuple, unpack, values_are_visible
from preimage.errors import NotConvergedError, NotInvertibleError
from preimage.rebuild import Randomness, Rebuilt


class ReversibleRunner(ChainRunner):
    r"""Keep only the two ends of a chain, and recompute what lies between while going backwards.

    The chain is one autograd node. Its backward pass walks from the last layer to the first: invert the
    layer, run it again with a graph, take its vector-Jacobian product, forget the graph. Memory does not
    grow with depth but for parameters and their gradients. The gradients are those of autograd, by the
    input, the parameters and the context, through values and log_det; random numbers and autocast are
    reproduced, and buffers (running statistics) are updated once.

    Reference: Gomez, Ren, Urtasun, Grosse (2017), The reversible residual network,
    https://arxiv.org/abs/1707.04585

    Args:
        keep: keep every so many-th activation and start from it again, which stops float32 drift in very deep
            or badly conditioned chains; 0 for none.
        tolerance: largest relative difference between the chain's input and the one recomputed from its
            output, ``sqrt(eps)`` of the dtype by default (3.5e-4 in float32).

    Raises:
        NotConvergedError: in the backward pass, when the recomputed input has drifted further than that.
        NotInvertibleError: when differentiated with ``create_graph=True``: second derivatives would be wrong.

    Cost: time of one further forward pass for couplings, of two for other layers. Under ``torch.compile`` the
    chain is a graph break, which keeps the memory low; in ``torch.export`` and ``torch.func`` it runs as if
    it had ``memory="autograd"``. Tensor hooks on parameters run once more per layer.

    Example:
        >>> import torch
        >>> from preimage import Chain
        >>> from preimage.layers import Affine, LeakyReLU
        >>> chain = Chain(Affine(2), LeakyReLU(), memory=ReversibleRunner(keep=8))
        >>> chain(torch.ones(1, 2)).sum().backward()
        >>> chain[0].shift.grad
        tensor([1., 1.])
    """

    def __init__(self, keep: int = 0, tolerance: float | None = None) -> None:
        self.keep, self.tolerance = keep, tolerance

    def run(self, steps: Sequence[Step], x: Any, context: Context) -> tuple[Any, Tensor]:
        """Run the steps in order and add up their log_dets ``(N,)``."""
        if torch.compiler.is_exporting() or not (torch.compiler.is_compiling() or values_are_visible()):
            return AutogradRunner().run(steps, x, context)
        return _run_as_one_node(self, steps, x, context)  # pyright: ignore[reportCallIssue]


MEMORY["reversible"] = ReversibleRunner


@torch.compiler.disable
def _run_as_one_node(
    runner: ReversibleRunner, steps: Sequence[Step], x: Any, context: Context
) -> tuple[Any, Tensor]:
    inputs, contexts = as_tuple(x), () if context is None else as_tuple(context)
    parameters = _parameters(step.layer for step in steps)
    tensors = (*inputs, *contexts, *parameters)
    if not (torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)):
        return AutogradRunner().run(steps, x, context)
    walk = _Walk(steps, len(inputs), len(contexts), parameters, runner, _Autocast.now(inputs[0]))
    *values, log_det = _ReversibleNode.apply(walk, *tensors)
    return unpack(values), log_det


def _parameters(layers: Iterable[nn.Module]) -> list[nn.Parameter]:
    """Every trainable parameter once."""
    found = itertools.chain.from_iterable(layer.parameters() for layer in layers)
    return list({id(parameter): parameter for parameter in found if parameter.requires_grad}.values())


class _Autocast(NamedTuple):
    """The autocast state of the forward pass, entered again in the backward pass."""

    device: str
    dtype: torch.dtype
    enabled: bool

    @classmethod
    def now(cls, x: Tensor) -> _Autocast:
        device = x.device.type
        return cls(device, torch.get_autocast_dtype(device), torch.is_autocast_enabled(device))

    def again(self) -> torch.autocast:
        return torch.autocast(self.device, self.dtype, self.enabled)


@dataclass
class _Walk:
    """What the node must remember besides tensors."""

    steps: Sequence[Step]
    inputs: int
    contexts: int
    parameters: list[nn.Parameter]
    runner: ReversibleRunner
    autocast: _Autocast
    randomness: dict[int, Randomness] = field(default_factory=dict)
    kept: dict[int, slice] = field(default_factory=dict)


class _ReversibleNode(torch.autograd.Function):
    """A chain of bijections as one node: inputs are x, the context and all parameters."""

    @staticmethod
    def forward(ctx: Any, walk: _Walk, *tensors: Tensor) -> tuple[Tensor, ...]:
        x = unpack(tensors[: walk.inputs])
        context = unpack(tensors[walk.inputs : walk.inputs + walk.contexts]) if walk.contexts else None
        kept: list[Tensor] = list(as_tuple(x))
        value, total = x, None
        for index, step in enumerate(walk.steps):
            if walk.runner.keep and index and index % walk.runner.keep == 0:
                walk.kept[index] = slice(len(kept), len(kept) + len(as_tuple(value)))
                kept += as_tuple(value)
            value, log_det = _run_and_watch(walk, index, step, value, context)
            total = log_det if total is None else total + log_det
        outputs = tuple(_own(tensor, tensors) for tensor in as_tuple(value))
        ctx.walk = walk
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*kept, *tensors[walk.inputs : walk.inputs + walk.contexts], *outputs)
        return (*outputs, _own(total, tensors))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise NotInvertibleError(
                "a chain with memory='reversible' cannot be differentiated twice (create_graph=True), because"
                " its inner graph is gone after the first time; write Chain(*chain, memory='autograd')"
            )
        return _Backward(ctx.walk, ctx.saved_tensors, gradients, ctx.needs_input_grad[1:]).run()


def _own(tensor: Any, inputs: Sequence[Tensor]) -> Tensor:
    """A tensor that is not one of the inputs, as a node may not hand its inputs back."""
    return tensor.clone() if any(tensor is one for one in inputs) else tensor


def _run_and_watch(walk: _Walk, index: int, step: Step, value: Any, context: Context) -> tuple[Any, Tensor]:
    """Run a step, and remember the random numbers that it used."""
    before = Randomness.now(as_tuple(value))
    answer = step.run(value, step.context(context))
    if before.differs(Randomness.now(as_tuple(value))):
        walk.randomness[index] = before
    return answer


def _refuse_hidden_leaves(step: Step, outputs: Sequence[Tensor], known: Sequence[Tensor]) -> None:
    """Refuse trainable tensors that a layer uses but does not own: their gradients would vanish silently."""
    expected, seen = {id(tensor) for tensor in known}, set()
    waiting: list[Any] = [output.grad_fn for output in outputs]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        waiting += [following for following, _ in node.next_functions]
        if hasattr(node, "variable") and id(node.variable) not in expected:
            raise NotInvertibleError(
                f"reversible chain: {type(step.layer).__name__} uses a trainable tensor of shape"
                f" {tuple(node.variable.shape)} that is neither its parameter nor its input nor its context,"
                " so its gradient would be lost; register it with the layer, pass it as context, or write"
                " memory='autograd'"
            )


class _Backward:
    """One walk from the last step to the first."""

    def __init__(
        self,
        walk: _Walk,
        saved: Sequence[Tensor],
        gradients: Sequence[Tensor | None],
        needed: Sequence[bool],
    ) -> None:
        self.walk, self.needed = walk, needed
        self.saved = list(saved)
        *values, self.log_det_gradient = gradients
        self.value_gradients: list[Tensor | None] = values
        outputs = len(values)
        ends = len(self.saved) - outputs
        self.contexts = [
            tensor.detach().requires_grad_(tensor.is_floating_point())
            for tensor in self.saved[ends - walk.contexts : ends]
        ]
        self.value: Any = unpack(self.saved[ends:])
        self.shared = [*self.contexts, *walk.parameters]
        self.totals: dict[int, Tensor] = {}

    def run(self) -> tuple[Tensor | None, ...]:
        """The gradients of all inputs of the node."""
        for index in reversed(range(len(self.walk.steps))):
            self._start_from_kept(index)
            self._step_back(index)
        self._check_drift(unpack(self.saved[: self.walk.inputs]))
        x_gradients = self.value_gradients
        shared = [self.totals.get(id(tensor)) for tensor in self.shared]
        found = [*x_gradients, *shared]
        return (None, *(g if wanted else None for g, wanted in zip(found, self.needed, strict=True)))

    def _start_from_kept(self, index: int) -> None:
        """Replace the recomputed output of a step by the kept one, where there is one."""
        place = self.walk.kept.get(index + 1)
        if place is not None:
            kept = unpack(self.saved[place])
            self._check_drift(kept)
            self.value = kept

    def _step_back(self, index: int) -> None:
        step = self.walk.steps[index]
        context = step.context(unpack(self.contexts) if self.contexts else None)
        buffers = [(buffer, buffer.clone()) for buffer in step.layer.buffers()]
        now, then = Randomness.now(as_tuple(self.value)), self.walk.randomness.get(index)
        if then is not None:
            then.restore()
        with self.walk.autocast.again():
            rebuilt = step.rebuild(self.value, context)
        if then is not None:
            now.restore()
        self._differentiate(step, rebuilt)
        for buffer, content in buffers:
            buffer.data.copy_(content)  # .data: batch norm has changed it twice, autograd need not know
        self.value = unpack(tensor.detach() for tensor in as_tuple(rebuilt.x))

    def _differentiate(self, step: Step, rebuilt: Rebuilt) -> None:
        outputs = (*rebuilt.outputs, rebuilt.log_det)
        gradients = (*rebuilt.split(self.value_gradients), self.log_det_gradient)
        pairs = [
            (output, gradient)
            for output, gradient in zip(outputs, gradients, strict=True)
            if gradient is not None and output.requires_grad
        ]
        if not pairs:
            self.value_gradients = [None] * len(as_tuple(rebuilt.x))
            return
        shared = self._shared_by(step)
        _refuse_hidden_leaves(step, [output for output, _ in pairs], [*rebuilt.leaves, *shared])
        found = torch.autograd.grad(
            [output for output, _ in pairs],
            [*rebuilt.leaves, *shared],
            [gradient for _, gradient in pairs],
            allow_unused=True,
        )
        split = len(rebuilt.leaves)
        whole = zip(rebuilt.leaves, found[:split], strict=True)
        self.value_gradients = list(
            rebuilt.join([torch.zeros_like(leaf) if part is None else part for leaf, part in whole])
        )
        for tensor, gradient in zip(shared, found[split:], strict=True):
            self._add(tensor, gradient)

    def _shared_by(self, step: Step) -> list[Tensor]:
        """The trainable parameters of a step, and the context where the step looks at it."""
        contexts = self.contexts if step.layer.context_domain is not None else []
        parameters = _parameters([step.layer])
        return [*parameters, *(context for context in contexts if context.requires_grad)]

    def _add(self, tensor: Tensor, gradient: Tensor | None) -> None:
        if gradient is None:
            return
        before = self.totals.get(id(tensor))
        self.totals[id(tensor)] = gradient if before is None else before + gradient

    def _check_drift(self, wanted: Any) -> None:
        drift = relative_residual(flat(self.value), flat(wanted))
        given = self.walk.runner.tolerance
        limit = torch.finfo(self.saved[0].dtype).eps ** 0.5 if given is None else given
        wrong = ~(drift <= limit) & flat(wanted).isfinite().all(1)
        if bool(wrong.any()):
            raise NotConvergedError(
                f"reversible chain of {len(self.walk.steps)} layers: an input recomputed from its output is"
                f" off by {drift.max().item():.1e} (relative), more than {limit:.1e}, so the gradients would"
                " be wrong; use float64, memory=ReversibleRunner(keep=8), or memory='autograd'"
            )
