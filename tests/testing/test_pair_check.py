"""The table of round trips, on layers whose errors are known."""

import math

import pytest
import torch

from preimage.bijection import Chain
from preimage.layers import Affine, Asinh, LeakyReLU, Logit, LULinear, PseudoInverseLinear
from preimage.testing import pair_check


class Off:
    """Comes back wrong by 0.25 in every element."""

    def __call__(self, x):
        return 2 * x

    def inverse(self, y):
        return y / 2 + 0.25


@pytest.mark.shows("1-12")
def test_errors_are_those_of_the_definition():
    x = torch.tensor([[3.0, 4.0], [0.0, 1.0]])
    (row,) = pair_check([Off()], x).rows
    assert row.there_and_back == 0.25
    assert row.there_and_back_relative == pytest.approx(0.25 * math.sqrt(2) / 1)
    assert row.back_and_there == 0.5
    assert row.back_and_there_relative == pytest.approx(0.5 * math.sqrt(2) / 2)


@pytest.mark.shows("1-12")
def test_all_layers_stand_in_one_table():
    chain = Chain(LULinear(4), LeakyReLU(0.3), Asinh()).double()
    table = pair_check(chain, torch.randn(8, 4).double())
    assert [row.name for row in table.rows] == ["0 LULinear", "1 LeakyReLU", "2 Asinh", "all"]
    assert table.worst < 1e-12
    assert len(str(table).splitlines()) == 5
    assert table.to_dict()[1]["name"] == "1 LeakyReLU"


@pytest.mark.shows("1-12")
def test_a_one_sided_layer_shows_which_direction_holds():
    layer = PseudoInverseLinear(6, 3).double()
    (row,) = pair_check({"contracting": layer}, torch.randn(5, 6).double()).rows
    assert row.name == "contracting"
    assert row.back_and_there_relative < 1e-12
    assert row.there_and_back_relative > 0.1


def test_a_layer_that_fails_is_a_row_and_not_the_end():
    table = pair_check([Affine(2), Logit(), Affine(2)], torch.tensor([[0.5, 2.0]]))
    assert [math.isinf(row.there_and_back) for row in table.rows] == [False, True]
    assert "DomainError" in str(table)
    assert table.worst == math.inf


def test_nan_counts_as_infinite_and_an_empty_batch_as_nothing():
    class Lost(Off):
        def inverse(self, y):
            return y * math.nan

    assert pair_check([Lost()], torch.ones(1, 2)).worst == math.inf
    assert pair_check(LeakyReLU(0.5), torch.ones(0, 2)).worst == 0.0
