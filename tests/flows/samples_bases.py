"""Named bases, with a context where they take one: the table that the property tests run over."""

import torch
from torch import nn

from preimage.flows import (
    ClassConditionalMixture,
    ClassConditionalNormal,
    ClassWeightedMixture,
    ConditionalLocationScale,
    FixedClassConditionalNormal,
    FullRankNormal,
    GatedClassConditionalNormal,
    HierarchicalClassConditional,
    Logistic,
    Mixture,
    Normal,
    PartlyClassConditional,
    StudentT,
    TruncatedNormal,
    Uniform,
    UnitClassConditionalNormal,
    mixture_of_normals,
    random_means,
)


def moved(base):
    """Every parameter away from its start, so that no term of a density is hidden by zeros."""
    with torch.no_grad():
        for parameter in base.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return base


def _full_rank():
    return moved(FullRankNormal(2))


def _partly():
    specific = torch.tensor([False, True])
    return moved(
        PartlyClassConditional(specific, ClassConditionalNormal(1, classes=3), Normal(1, learn=True))
    )


ROW = torch.tensor([[0.5, -1.0, 0.2]], dtype=torch.float64)
LABEL = torch.tensor([1])
BASES = {
    "normal": (lambda: Normal(2), None),
    "normal, learnt": (lambda: moved(Normal(2, learn=True)), None),
    "normal, tempered": (lambda: moved(Normal(2, learn=True)).tempered(0.6), None),
    "normal, truncated": (lambda: TruncatedNormal(moved(Normal(2, learn=True)), 1.2), None),
    "normal, tempered and truncated": (lambda: Normal(2).truncated(1.5).tempered(0.5), None),
    "logistic": (lambda: moved(Logistic(2, learn=True)), None),
    "student-t": (lambda: StudentT(2, degrees=6.0), None),
    "student-t, learnt": (lambda: moved(StudentT(2, degrees=9.0, learn=True)), None),
    "uniform": (lambda: Uniform(2, low=-1.0, high=2.0), None),
    "full rank": (_full_rank, None),
    "full rank, tempered": (lambda: _full_rank().tempered(1.4), None),
    "mixture": (lambda: moved(mixture_of_normals(2, 3)), None),
    "mixture, tempered": (lambda: moved(mixture_of_normals(2, 3)).tempered(0.5), None),
    "mixture of kinds": (lambda: Mixture([Normal(2), Uniform(2, low=1.0, high=3.0)]), None),
    "conditional": (lambda: ConditionalLocationScale(2, network=nn.Linear(3, 4), context=3), ROW),
    "class conditional": (lambda: moved(ClassConditionalNormal(2, classes=3)), LABEL),
    "class conditional, tempered": (lambda: ClassConditionalNormal(2, classes=3).tempered(0.7), LABEL),
    "unit class conditional": (lambda: moved(UnitClassConditionalNormal(2, classes=3)), LABEL),
    "fixed class conditional": (lambda: FixedClassConditionalNormal(random_means(3, 2)), LABEL),
    "class mixture": (lambda: moved(ClassConditionalMixture(2, classes=3, components=2)), LABEL),
    "class-weighted mixture": (lambda: moved(ClassWeightedMixture(2, classes=3, components=4)), LABEL),
    "hierarchical classes": (
        lambda: moved(HierarchicalClassConditional(2, classes=3, branches=(2, 3))),
        LABEL,
    ),
    "partly class conditional": (_partly, LABEL),
    "gated class conditional": (lambda: moved(GatedClassConditionalNormal(2, classes=3)), LABEL),
}


def made(name):
    """A base in float64 and its context for one row."""
    build, context = BASES[name]
    torch.manual_seed(0)
    return build().double(), context


def for_rows(context, rows):
    """The one row of a context, for many."""
    return None if context is None else context.expand(rows, *context.shape[1:])
