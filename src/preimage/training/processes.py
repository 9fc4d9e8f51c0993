"""One process or many: what training needs of ``torch.distributed``."""

from __future__ import annotations

import os
from typing import cast

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


def start() -> bool:
    """Join the process group that ``torchrun`` announces, unless this was done already.

    Returns:
        Whether this call joined it, so that the caller leaves it in the end.
    """
    if "WORLD_SIZE" not in os.environ or not distributed.is_available() or distributed.is_initialized():
        return False
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return True


def stop(started: bool) -> None:
    """Leave the group, if :func:`start` joined it."""
    if started:
        distributed.destroy_process_group()


def rank() -> int:
    """Number of this process."""
    return distributed.get_rank() if distributed.is_available() and distributed.is_initialized() else 0


def world() -> int:
    """Number of processes."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def wrapped(module: nn.Module) -> nn.Module:
    """The module as training calls it, with its gradients averaged over all processes."""
    return DistributedDataParallel(module) if world() > 1 else module


def total(value: Tensor) -> Tensor:
    """The sum of a tensor over all processes."""
    if world() == 1:
        return value
    value = value.clone()
    distributed.all_reduce(value)
    return cast(Tensor, value)


def wait() -> None:
    """Until every process has come here."""
    if world() > 1:
        distributed.barrier()


def gathered(value: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """The tensors of every process, by rank."""
    if world() == 1:
        return [value]
    found: list[dict[str, Tensor]] = [{} for _ in range(world())]
    distributed.all_gather_object(found, value)
    return found
