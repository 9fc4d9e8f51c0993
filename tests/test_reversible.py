"""Chains with reversible memory: the gradients of autograd, and everything around them."""

import pytest
import torch
from torch import Tensor, nn

from preimage import Chain
from preimage.errors import NotConvergedError, NotInvertibleError
from preimage.layers import Affine, ChannelPartition, Coupling, LeakyReLU, Permutation, SlicePartition
from preimage.nets import MLP
from preimage.reversible import ReversibleRunner


class Noisy(nn.Module):
    """A conditioner with dropout and batch norm."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(features, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        return 0.3 * self.layers(x)


def randomise(module: nn.Module, size: float = 0.2) -> nn.Module:
    """Parameters drawn anew, the same at every call."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(size * torch.randn(parameter.shape, generator=generator))
    return module


def conditional(memory: str | ReversibleRunner, depth: int = 6) -> Chain:
    layers = []
    for _ in range(depth):
        mask = torch.tensor([True, False, False, True])
        layers += [
            Affine(4),
            Coupling(mask, MLP(2, 4, (8,), context=3), context=3),
            Permutation([2, 0, 3, 1]),
            LeakyReLU(0.7),
        ]
    return randomise(Chain(*layers, memory=memory)).double()


def noisy(memory: str, depth: int = 4) -> Chain:
    layers = [Coupling(SlicePartition(4, first=i % 2 == 0), Noisy(2, 4)) for i in range(depth)]
    return randomise(Chain(*layers, memory=memory)).double()


def gradients(
    chain: Chain, x: Tensor, context: Tensor | None, direction: str = "forward"
) -> dict[str, Tensor]:
    x = x.clone().requires_grad_()
    context = None if context is None else context.clone().requires_grad_()
    run = chain.forward_and_log_det if direction == "forward" else chain.inverse_and_log_det
    y, log_det = run(x, context)
    (y.sin().sum() + (log_det * torch.arange(1.0, len(x) + 1)).sum()).backward()
    named = {"x": x, **dict(chain.named_parameters())} | ({} if context is None else {"context": context})
    return {name: tensor.grad for name, tensor in named.items()}


def assert_equal(actual: dict[str, Tensor], wanted: dict[str, Tensor], tolerance: float = 1e-10) -> None:
    assert actual.keys() == wanted.keys()
    for name, gradient in wanted.items():
        assert torch.allclose(actual[name], gradient, rtol=tolerance, atol=tolerance), name


@pytest.mark.parametrize("direction", ["forward", "inverse"])
@pytest.mark.parametrize("memory", ["reversible", ReversibleRunner(keep=5)], ids=["two ends", "every fifth"])
def test_gradients_of_input_parameters_and_context(memory: str | ReversibleRunner, direction: str) -> None:
    x, context = torch.randn(5, 4, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    wanted = gradients(conditional("autograd"), x, context, direction)
    assert_equal(gradients(conditional(memory), x, context, direction), wanted)


def test_nested_and_inverted_chains() -> None:
    x, context = torch.randn(5, 4, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    found = []
    for memory in ("autograd", "reversible"):
        inner = conditional("autograd", depth=2)
        found.append(gradients(Chain(inner, Affine(4).double(), inner.inv, memory=memory), x, context))
    assert_equal(*found)


def test_only_some_outputs_are_used() -> None:
    x, context = torch.randn(5, 4, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    for part in (0, 1):
        found = []
        for memory in ("autograd", "reversible"):
            chain = conditional(memory)
            chain.forward_and_log_det(x, context)[part].sum().backward()
            found.append({name: p.grad for name, p in chain.named_parameters() if p.grad is not None})
        wanted, actual = found
        for name, gradient in wanted.items():
            torch.testing.assert_close(actual.get(name, torch.zeros_like(gradient)), gradient)


def test_dropout_is_reproduced_and_buffers_are_updated_once() -> None:
    x = torch.randn(6, 4, dtype=torch.float64)
    found, buffers, states = [], [], []
    for memory in ("autograd", "reversible"):
        chain = noisy(memory)
        torch.manual_seed(1)
        found.append(gradients(chain, x, None))
        buffers.append({name: buffer.clone() for name, buffer in chain.named_buffers()})
        states.append(torch.rand(3))
    assert_equal(*found)
    assert_equal(buffers[1], buffers[0])
    assert torch.equal(*states)
    assert buffers[1]["layers.0.conditioner.layers.1.num_batches_tracked"] == 1


def test_autograd_grad_works() -> None:
    x, context = (
        torch.randn(5, 4, dtype=torch.float64, requires_grad=True),
        torch.randn(5, 3, dtype=torch.float64),
    )
    wanted = torch.autograd.grad(conditional("autograd")(x, context).sum(), x)
    actual = torch.autograd.grad(conditional("reversible")(x, context).sum(), x)
    torch.testing.assert_close(actual, wanted)


def test_second_differentiation_is_refused() -> None:
    x, context = (
        torch.randn(5, 4, dtype=torch.float64, requires_grad=True),
        torch.randn(5, 3, dtype=torch.float64),
    )
    with pytest.raises(NotInvertibleError, match="memory='autograd'"):
        torch.autograd.grad(conditional("reversible")(x, context).sum(), x, create_graph=True)


def test_input_is_left_alone_and_nothing_is_built_without_gradients() -> None:
    chain, x = conditional("reversible"), torch.randn(5, 4, dtype=torch.float64)
    context, before = torch.randn(5, 3, dtype=torch.float64), x.clone()
    with torch.no_grad():
        y = chain(x, context)
    assert y.grad_fn is None
    chain(x, context).sum().backward()
    assert torch.equal(x, before)


def test_frozen_parameters_get_no_gradient() -> None:
    chain = conditional("reversible")
    chain[0].requires_grad_(False)
    chain(torch.randn(5, 4, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)).sum().backward()
    assert all(parameter.grad is None for parameter in chain[0].parameters())
    assert all(parameter.grad is not None for parameter in chain[4].parameters())


def test_gradients_of_unregistered_tensors_are_not_lost_silently() -> None:
    outside = torch.nn.Linear(2, 4)
    layer = Coupling(SlicePartition(4), nn.Identity())
    layer.conditioner.forward = outside.forward
    with pytest.raises(NotInvertibleError, match="neither its parameter"):
        Chain(layer, memory="reversible")(torch.randn(3, 4, requires_grad=True)).sum().backward()


def test_shared_layers_add_their_gradients() -> None:
    x = torch.randn(5, 4, dtype=torch.float64)
    found = []
    for memory in ("autograd", "reversible"):
        layer = randomise(Coupling(ChannelPartition.alternating(4), MLP(2, 4, (8,)))).double()
        found.append(gradients(Chain(layer, Permutation([1, 2, 3, 0]), layer, memory=memory), x, None))
    assert_equal(*found)


def test_saved_memory_does_not_grow_with_depth() -> None:
    x = torch.randn(64, 4)
    saved = {}
    for memory in ("autograd", "reversible"):
        for depth in (4, 16):
            layers = [Coupling(SlicePartition(4, first=i % 2 == 0), MLP(2, 4, (64,))) for i in range(depth)]
            chain, sizes = Chain(*layers, memory=memory), []
            mine = {parameter.data_ptr() for parameter in chain.parameters()}
            with torch.autograd.graph.saved_tensors_hooks(
                lambda t: (sizes.append(0 if t.data_ptr() in mine else t.numel()), t)[1],  # noqa: B023
                lambda t: t,
            ):
                chain.forward_and_log_det(x)
            saved[memory, depth] = sum(sizes)
    assert saved["reversible", 16] == saved["reversible", 4] <= 3 * x.numel()
    assert saved["autograd", 16] > 3 * saved["autograd", 4]


def test_drift_raises_instead_of_wrong_gradients() -> None:
    layers = [Coupling(SlicePartition(4, first=i % 2 == 0), MLP(2, 4, (32,))) for i in range(20)]
    chaotic = randomise(Chain(*layers, memory="reversible"), size=0.4)
    with pytest.raises(NotConvergedError, match="keep"):
        chaotic(torch.randn(8, 4)).sum().backward()


def test_kept_activations_stop_the_drift() -> None:
    x = torch.randn(8, 4)
    layers = [Coupling(SlicePartition(4, first=i % 2 == 0), MLP(2, 4, (32,))) for i in range(20)]
    chain = randomise(Chain(*layers, memory=ReversibleRunner(keep=1)), size=0.4)
    wanted = {name: gradient.clone() for name, gradient in gradients(Chain(*layers), x, None).items()}
    chain.zero_grad()
    for name, gradient in gradients(chain, x, None).items():
        assert (gradient - wanted[name]).norm() <= 1e-3 * wanted[name].norm(), name


def test_autocast_is_reproduced() -> None:
    x = torch.randn(8, 4)
    found = []
    for memory in ("autograd", "reversible"):
        layers = [Coupling(SlicePartition(4, first=i % 2 == 0), MLP(2, 4, (16,))) for i in range(6)]
        chain = randomise(Chain(*layers, memory=memory), 0.1)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y, log_det = chain.forward_and_log_det(x)
        assert log_det.dtype == y.dtype == torch.float32
        (y.square().mean() - log_det.mean()).backward()
        found.append({name: parameter.grad for name, parameter in chain.named_parameters()})
    assert_equal(found[1], found[0], tolerance=1e-2)


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # raised by the tracer itself
def test_compiled_chain_has_the_same_gradients() -> None:
    x = torch.randn(5, 4, dtype=torch.float64)
    context = torch.randn(5, 3, dtype=torch.float64)
    wanted, chain = gradients(conditional("reversible"), x, context), conditional("reversible")
    torch._dynamo.reset()
    compiled = torch.compile(chain, backend="eager")
    leaf = x.clone().requires_grad_()
    compiled(leaf, context).sin().sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.shape == wanted["x"].shape
    plain = x.clone().requires_grad_()
    conditional("autograd")(plain, context).sin().sum().backward()
    torch.testing.assert_close(leaf.grad, plain.grad)


def test_unknown_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="'autograd', 'reversible'"):
        Chain(LeakyReLU(), memory="none")


def _worker(rank: int, file: str, queue: torch.multiprocessing.Queue) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    chain = conditional("reversible", depth=2)
    parallel = nn.parallel.DistributedDataParallel(chain)
    generator = torch.Generator().manual_seed(3)
    x, context = (torch.randn(8, size, dtype=torch.float64, generator=generator) for size in (4, 3))
    parallel(x[rank::2], context[rank::2]).sin().mean().backward()
    if rank == 0:
        queue.put({name: parameter.grad.numpy() for name, parameter in chain.named_parameters()})
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_two_processes_give_the_gradients_of_one(tmp_path) -> None:
    context = torch.multiprocessing.get_context("spawn")
    queue = context.Queue()
    processes = [
        context.Process(target=_worker, args=(rank, str(tmp_path / "store"), queue)) for rank in (0, 1)
    ]
    for process in processes:
        process.start()
    actual = {name: torch.from_numpy(array) for name, array in queue.get(timeout=120).items()}
    for process in processes:
        process.join()
        assert process.exitcode == 0
    chain, generator = conditional("autograd", depth=2), torch.Generator().manual_seed(3)
    x, c = (torch.randn(8, size, dtype=torch.float64, generator=generator) for size in (4, 3))
    chain(x, c).sin().mean().backward()
    assert_equal(actual, {name: parameter.grad for name, parameter in chain.named_parameters()})
