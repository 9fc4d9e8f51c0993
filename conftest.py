"""Settings of the whole test run, examples in docstrings included."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _the_same_numbers_at_every_run() -> None:
    """Random numbers that do not depend on which tests ran before."""
    torch.manual_seed(20)
