"""Exporting to ONNX, without the warnings that PyTorch's own exporter gives about itself."""

import warnings

import pytest
import torch


@pytest.fixture(scope="session")
def export():
    """``export(network, x, path, **settings)`` writes an ONNX file."""
    pytest.importorskip("onnxscript")

    def write(network, x, path, **settings):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(network, (x,), path, dynamo=True, verbose=False, **settings)
        return path

    return write
