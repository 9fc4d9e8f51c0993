"""Evidence that is joined along a chain, or chosen sample by sample."""

import torch

from preimage.certificate import Certificate, choose, join


def made(residual: list[float], message: str) -> Certificate:
    rows = torch.tensor(residual)
    return Certificate(rows, rows < 0.1, iterations=torch.arange(len(rows)), message=message)


def test_a_chain_is_as_good_as_its_worst_step():
    joined = join([made([0.01, 0.5, 0.02], "one"), made([0.02, 0.03, 0.01], "")])
    assert joined.residual.tolist() == torch.tensor([0.02, 0.5, 0.02]).tolist()
    assert joined.converged.tolist() == [True, False, True]
    assert joined.message == "one"


def test_chosen_rows_bring_their_own_evidence():
    first = torch.tensor([True, False, False])
    chosen = choose(first, made([0.01, 0.5, 0.6], "one"), made([0.7, 0.02, 0.9], "two"))
    assert chosen.residual.tolist() == torch.tensor([0.01, 0.02, 0.9]).tolist()
    assert chosen.converged.tolist() == [True, True, False]
    assert chosen.message == "two"  # the only row that failed is one of the second answer


def test_a_message_without_a_failure_is_dropped():
    first = torch.tensor([True, False])
    assert choose(first, made([0.01, 0.5], "one"), made([0.7, 0.02], "two")).message == ""


def test_no_evidence_is_a_closed_form_without_doubt():
    first = torch.tensor([True, False])
    chosen = choose(first, None, made([0.01, 0.5], "two"))
    assert chosen.converged.tolist() == [True, False]
    assert chosen.residual[0] == 0.0
    assert choose(first, None, None) is None
