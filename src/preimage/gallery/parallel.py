"""Independent pieces of work on as many threads as PyTorch was given, one piece a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Job = TypeVar("Job")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[Result]:
    """Results of ``work(job)`` in the order of the jobs.

    One depth of a network on one thread keeps a core busier than one operation on all threads: most of its
    operations are too small to be shared out. PyTorch's own number of threads is restored afterwards.

    Args:
        work: must be safe to run on several threads at once.
        jobs: its arguments.

    Example:
        >>> list(side_by_side(lambda n: n * n, [1, 2, 3]))
        [1, 4, 9]
    """
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield from pool.map(work, jobs)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(threads)
