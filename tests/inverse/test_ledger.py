"""The ledger: figures against dense matrices, and all three forms of it."""

import json

import pytest
import torch
from torch import nn

import preimage as pi


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))

    def forward(self, x):
        return x + 0.1 * self.body(x)


@pytest.fixture(scope="module")
def inverse():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 2, 2), nn.LeakyReLU(0.1), Block(), nn.Flatten(), nn.Linear(64, 10), nn.Sigmoid()
    ).double()
    return pi.invert(model, torch.zeros(1, 3, 8, 8).double())


def test_rank_and_condition_are_those_of_the_matrices(inverse):
    rows = {row.name: row for row in inverse.ledger.rows}
    dense = torch.linalg.svdvals(inverse.network[4].weight)
    assert rows["4"].rank == 10
    assert rows["4"].nullity == 54
    assert rows["4"].condition == pytest.approx((dense.max() / dense.min()).item())
    assert rows["4"].certified
    assert rows["0"].guarantee == "right"  # 192 numbers to 64
    assert rows["0"].rank == 64


def test_parts_of_a_residual_block_stand_below_it(inverse):
    rows = inverse.ledger.rows
    block = next(row for row in rows if row.kind == "residual")
    inside = [row for row in rows if row.depth == 1]
    assert block.guarantee == "iterative"
    assert [row.name for row in inside] == ["2.body.0", "2.body.2"]


def test_text_data_and_page_say_the_same(inverse):
    table = inverse.ledger
    data = json.loads(json.dumps(table.to_dict()))
    assert len(data["rows"]) == len(table.rows)
    page = table.to_html()
    for row in table.rows:
        assert row.operations in str(table)
        assert row.operations in page
    assert "182 of 192 input dimensions are lost" in table.verdict
    assert page.count("<tr") == len(table.rows) + 1


def test_a_singular_square_layer_is_not_called_exact():
    layer = nn.Linear(3, 3).double()
    with torch.no_grad():
        layer.weight[2] = layer.weight[0] + layer.weight[1]
    row = pi.invert(layer, torch.zeros(1, 3).double()).ledger.rows[0]
    assert row.guarantee == "estimate"
    assert (row.rank, row.nullity) == (2, 1)


def test_nothing_is_inverted_for_the_ledger(inverse, monkeypatch):
    monkeypatch.setattr(type(inverse), "data_free", None)
    assert inverse.report.ledger.rows
