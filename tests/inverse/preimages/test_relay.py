"""Methods that hand the work over to each other."""

import pytest
import torch
from small_networks import normal

from preimage.certificate import Certificate, relative_residual
from preimage.errors import ShapeError
from preimage.inverse.preimages.search.relay import LAP, relay
from preimage.inverse.solvers.nonlinear.effort import Effort


class Pretender:
    """Shrinks the residual of ``f = identity`` by a factor a product, and notes when it ran."""

    def __init__(self, name, factor, log):
        self.name, self.factor, self.log = name, factor, log

    def __call__(self, f, y, start, *, effort, metric, misfit):
        self.log.append((self.name, len(y), effort.max_products))
        x = y + (start - y) * self.factor**effort.max_products
        used = torch.full((len(y),), effort.max_products)
        residual = relative_residual(f(x), y)
        return x, Certificate(residual, residual <= effort.tolerance, iterations=used, message="not yet")


def race(slow, fast, budget, tol=1e-6):
    log = []
    methods = (Pretender("first", slow, log), Pretender("second", fast, log))
    y = normal(1, 4)
    _, certificate = relay(lambda x: x, y, y + 1.0, effort=Effort(tol, budget), methods=methods)
    return [name for name, *_ in log], certificate


def test_a_method_that_will_arrive_keeps_the_work():
    names, certificate = race(0.9, 0.1, 1000)  # two laps needed, nobody else is asked
    assert set(names) == {"first"}
    assert certificate.ok


def test_a_slow_one_hands_over_to_a_faster_one():
    names, certificate = race(0.999, 0.95, 1000)
    assert names[0] == "first"
    assert set(names[1:]) == {"second"}
    assert certificate.ok


def test_the_better_of_two_goes_on_when_neither_will_arrive():
    names, certificate = race(0.9995, 0.9999, 1000)
    assert names[:3] == ["first", "second", "first"]
    assert not certificate.ok
    assert certificate.message == "not yet"
    assert certificate.iterations.item() == 1000


def test_methods_that_stand_still_are_not_asked_for_ever():
    names, certificate = race(1.0, 1.0, 10**6)
    assert names == ["first", "second"]
    assert certificate.iterations.item() == 2 * LAP


def test_many_equations_of_very_different_size():
    matrix = normal(600, 700) * torch.logspace(0, -1, 600).double()[:, None]
    y = normal(2, 700, seed=1) @ matrix.T
    x, certificate = relay(lambda x: x @ matrix.T, y, torch.zeros(2, 700).double(), effort=Effort(1e-4, 1500))
    assert certificate.ok
    assert ((x @ matrix.T - y).norm(dim=1) <= 1e-4 * y.norm(dim=1)).all()
    assert (certificate.iterations <= 1500).all()


def test_a_wrong_shape_is_refused():
    with pytest.raises(ShapeError, match="y must have the same"):
        relay(lambda x: x[:, :2], torch.zeros(1, 3), torch.zeros(1, 3))
