"""Failed captures leave one sentence, and captured networks may write what they like."""

import logging
import sys

import pytest
import torch
from torch import nn

import preimage as pi
from preimage.capture.echo import LOGGERS
from preimage.errors import CaptureError


class Branching(nn.Module):
    def forward(self, x):
        return 2 * x if x.sum() > 0 else x.nonzero()


class Talking(nn.Module):
    def forward(self, x):
        print("heard", file=sys.stderr)
        return 2 * x


def test_a_failed_capture_prints_nothing(capfd):
    with pytest.raises(CaptureError, match=r"x\.sum\(\) > 0"):
        pi.invert(Branching(), torch.ones(1, 3))
    written = capfd.readouterr()
    assert written.err == ""
    assert written.out == ""
    assert not any(logging.getLogger(name).filters for name in LOGGERS)


def test_what_a_network_writes_appears(capfd):
    pi.invert(Talking(), torch.ones(1, 3))
    assert "heard" in capfd.readouterr().err
