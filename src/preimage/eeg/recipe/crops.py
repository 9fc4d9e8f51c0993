"""Windows out of longer recordings: at random for training, evenly spaced for evaluation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from preimage.errors import ShapeError


class RandomCrops(Dataset[tuple[Tensor, Tensor]]):
    """One window of every recording each time it is asked for, at a random place.

    In an epoch every recording comes once, so an epoch of training sees one window of each.

    Args:
        recordings: tensor or array ``(N, C, L)``.
        labels: classes ``(N,)``.
        times: samples of a window, at most L.

    Raises:
        ShapeError: the shapes do not fit together.

    Example:
        >>> crops = RandomCrops(torch.arange(20.0).view(2, 1, 10), torch.tensor([0, 1]), times=4)
        >>> window, label = crops[1]
        >>> window.shape, label.item(), bool((window.diff() == 1).all())
        (torch.Size([1, 4]), 1, True)
    """

    def __init__(self, recordings: Any, labels: Any, times: int) -> None:
        self.recordings, self.labels = checked_recordings("RandomCrops", recordings, labels, times)
        self.times = times

    def __len__(self) -> int:
        return len(self.recordings)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """A window ``(C, times)`` and its label ``()``."""
        places = self.recordings.shape[2] - self.times + 1
        start = int(torch.randint(places, ()))
        return self.recordings[index, :, start : start + self.times], self.labels[index]


def evenly_spaced_crops(recordings: Tensor, times: int, count: int = 3) -> Tensor:
    """Windows at the same distances from each other, the first at the start and the last at the end.

    One window stands in the middle. They overlap where the recording is shorter than all of them.

    Args:
        recordings: tensor ``(N, C, L)``.
        times: samples of a window, at most L.
        count: number of windows, 1 or more.

    Returns:
        Tensor ``(N, count, C, times)``.

    Raises:
        ShapeError: a window is longer than a recording.
        ValueError: no window is wanted.

    Example:
        >>> evenly_spaced_crops(torch.arange(9.0).view(1, 1, 9), times=3, count=3)[0, :, 0]
        tensor([[0., 1., 2.],
                [3., 4., 5.],
                [6., 7., 8.]])
    """
    if recordings.dim() != 3 or not 1 <= times <= recordings.shape[2]:
        raise ShapeError(
            f"evenly_spaced_crops: recordings {tuple(recordings.shape)} and windows of {times} samples,"
            " wanted (N, C, L) and at most L samples"
        )
    if count < 1:
        raise ValueError(f"evenly_spaced_crops: count is {count}, wanted 1 or more")
    last = recordings.shape[2] - times
    starts = [last // 2] if count == 1 else [round(last * i / (count - 1)) for i in range(count)]
    return torch.stack([recordings[:, :, start : start + times] for start in starts], dim=1)


def split_subjects(
    subjects: Any, share: float = 0.25, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Recordings to train on and recordings to validate with, no subject in both.

    Args:
        subjects: name or number of the subject of every recording ``(N,)``.
        share: of the subjects to validate with, in (0, 1).
        generator: source of randomness; the global one by default.

    Returns:
        Two tensors of indices, of the recordings kept and of those held out, in order.

    Raises:
        ValueError: the share is out of range, or there are fewer than two subjects.

    Example:
        >>> kept, held = split_subjects(["a", "a", "b", "c", "d"], generator=torch.Generator().manual_seed(0))
        >>> len(kept) + len(held)
        5
    """
    names = subjects.tolist() if hasattr(subjects, "tolist") else list(subjects)
    unique = sorted(set(names), key=str)
    if not 0 < share < 1 or len(unique) < 2:
        raise ValueError(
            f"split_subjects: share is {share} with {len(unique)} subjects, wanted a share between 0 and 1"
            " and two subjects or more"
        )
    count = min(max(1, round(share * len(unique))), len(unique) - 1)
    order = torch.randperm(len(unique), generator=generator).tolist()
    chosen = {unique[place] for place in order[:count]}
    held = torch.tensor([name in chosen for name in names])
    return (~held).nonzero()[:, 0], held.nonzero()[:, 0]


def checked_recordings(where: str, recordings: Any, labels: Any, times: int) -> tuple[Tensor, Tensor]:
    """Recordings ``(N, C, L)`` and labels ``(N,)`` as tensors, refused where they do not fit together."""
    x, y = torch.as_tensor(recordings), torch.as_tensor(labels)
    fits = x.dim() == 3 and x.is_floating_point() and y.shape == x.shape[:1] and not y.is_floating_point()
    if not fits or not 1 <= times <= x.shape[2]:
        raise ShapeError(
            f"{where}: recordings {tuple(x.shape)} of {x.dtype}, labels {tuple(y.shape)} of {y.dtype} and"
            f" windows of {times} samples; wanted real numbers (N, C, L), whole numbers (N,), at most L"
            " samples"
        )
    return x, y
