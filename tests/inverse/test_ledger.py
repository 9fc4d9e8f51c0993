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
    page = table.to_html().replace("<wbr>", "")
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


def participation(matrix):
    energy = torch.linalg.svdvals(matrix.double()).square()
    return (energy.sum() ** 2 / energy.square().sum()).item()


def test_effective_rank_is_that_of_the_matrix_or_close(inverse):
    rows = {row.name: row for row in inverse.ledger.rows}
    assert rows["4"].effective_rank == pytest.approx(participation(inverse.network[4].weight), rel=1e-6)
    torch.manual_seed(1)
    wide = nn.Linear(300, 200).double()
    (row,) = pi.invert(wide, torch.zeros(1, 300).double()).ledger.rows
    assert row.effective_rank == pytest.approx(participation(wide.weight), rel=0.2)
    assert row.effective_rank < row.rank
    again = pi.invert(wide, torch.zeros(1, 300).double()).ledger.rows[0]
    assert again.effective_rank == row.effective_rank


def test_losses_name_what_forgets_most(inverse):
    losses = inverse.ledger.losses
    assert losses[0].name == "0"
    assert losses[0].loses == 192 - 64
    assert {row.name for row in losses} >= {"0", "4"}


def test_a_stored_ledger_is_the_same_ledger(inverse):
    data = json.loads(json.dumps(inverse.ledger.to_dict()))
    again = pi.Ledger.from_dict(data)
    assert again == inverse.ledger
    assert not inverse.ledger.diff(again).changes
    assert str(inverse.ledger.diff(again)) == "no region differs"


def test_a_diff_shows_what_training_and_surgery_change():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 4))
    x = torch.zeros(1, 6)
    before = pi.invert(model, x).ledger
    with torch.no_grad():
        model[2].weight[0] = model[2].weight[1]
    trained = before.diff(pi.invert(model, x).ledger)
    (change,) = trained.changes
    assert set(change.fields) >= {"guarantee", "rank", "nullity"}
    assert "~ 2 (linear)" in str(trained)
    assert "rank 4 -> 3" in str(trained)
    longer = nn.Sequential(model[0], nn.Tanh(), nn.Sigmoid(), model[2])
    surgery = before.diff(pi.invert(longer, x).ledger)
    assert any(change.before is None and change.after.operations == "sigmoid" for change in surgery.changes)
    assert "+ 2 (sigmoid)" in str(surgery)
    json.dumps(surgery.to_dict())


def test_the_page_needs_nothing_else_and_can_be_read_without_colours(inverse):
    page = inverse.report.to_html()
    assert page.startswith("<!doctype html>")
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    assert 'scope="row"' in page
    assert 'scope="col"' in page
    assert "<caption>" in page
    assert "|f(g(y)) - y|" in page
    assert "<h1>" in page


def test_names_cannot_break_the_page():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.add_module("<b>&", nn.Linear(2, 2))

        def forward(self, x):
            return getattr(self, "<b>&")(x)

    page = pi.invert(Odd(), torch.zeros(1, 2)).ledger.to_html()
    assert "<b>" not in page
    assert "&lt;b&gt;&amp;" in page


class ReadsAllPositions(torch.nn.Module):
    """A recurrent cell: each step reads one position, all steps together read the whole input."""

    def __init__(self):
        super().__init__()
        self.cell = torch.nn.GRUCell(4, 6)

    def forward(self, x):  # (N, 5, 4) -> (N, 6)
        hidden = x.new_zeros(len(x), 6)
        for position in range(x.shape[1]):
            hidden = self.cell(x[:, position], hidden)
        return hidden


class Mixture(torch.nn.Module):
    """Three bijective branches, weighed by a gate whose weights are read one by one."""

    def __init__(self):
        super().__init__()
        self.gate = torch.nn.Linear(6, 3)
        self.branches = torch.nn.ModuleList(torch.nn.Linear(6, 6) for _ in range(3))

    def forward(self, x):  # (N, 6) -> (N, 6)
        weights = self.gate(x).softmax(1)
        return sum(weights[:, i : i + 1] * branch(x) for i, branch in enumerate(self.branches))


def test_only_a_bottleneck_counts_as_lost():
    torch.manual_seed(0)
    assert "at least 14 of 20" in pi.invert(ReadsAllPositions().eval(), torch.zeros(1, 5, 4)).ledger.verdict
    ledger = pi.invert(Mixture().eval(), torch.zeros(1, 6)).ledger
    assert "no dimension need be lost" in ledger.verdict
    assert not ledger.losses
    chain = torch.nn.Sequential(torch.nn.Linear(8, 3), torch.nn.Tanh(), torch.nn.Linear(3, 5)).eval()
    ledger = pi.invert(chain, torch.zeros(1, 8)).ledger
    assert "at least 5 of 8" in ledger.verdict
    assert ledger.narrowest is not None
    assert ledger.narrowest.name == "0"
