"""Every layer of the library in one table of round trips."""

import pytest
import torch
from table import all_samples

from preimage.testing import pair_check


class Conditioned:
    """A layer with its context in place."""

    def __init__(self, case):
        self.layer, self.context = case.layer, case.context

    def __call__(self, x):
        return self.layer(x, self.context)

    def inverse(self, y):
        return self.layer.inverse(y, self.context)


@pytest.mark.shows("1-12")
def test_all_layers_in_one_table():
    rows, wrong = [], []
    for sample in all_samples():
        case = sample.case()
        if sample.exceptions:
            continue
        with torch.no_grad():
            (row,) = pair_check({sample.name: Conditioned(case)}, case.x).rows
        rows.append(row)
        if max(row.there_and_back_relative, row.back_and_there_relative) > 1e-8 * case.tolerance:
            wrong.append(str(row))
    assert not wrong, "\n".join(wrong)
    assert len(rows) > 100
