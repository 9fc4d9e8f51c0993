"""Every sample of the table keeps every law, or has a reasoned exception that is still needed."""

import sys
from pathlib import Path

import pytest

from preimage.testing import LAWS, Law, Sample

sys.path.insert(0, str(Path(__file__).parent / "layers"))
import large_graphs
from large_graphs import large
from table import all_samples


def _cases(slow: bool) -> list:
    return [
        pytest.param(
            sample,
            law,
            id=f"{sample.name}-{law.name}",
            marks=[pytest.mark.xfail(reason=reason, strict=True)]
            if (reason := sample.exceptions.get(law.name))
            else [],
        )
        for sample in all_samples()
        for law in LAWS.values()
        if (law.slow or large(sample, law)) == slow
    ]


def test_large_graphs_name_samples_that_exist() -> None:
    assert {sample.name for sample in all_samples()} >= large_graphs.SAMPLES
    assert set(large_graphs.LAWS) <= set(LAWS)


@pytest.mark.parametrize(("sample", "law"), _cases(slow=False))
def test_sample_keeps_law(sample: Sample, law: Law) -> None:
    law.check(sample.case())


@pytest.mark.slow
@pytest.mark.parametrize(("sample", "law"), _cases(slow=True))
def test_sample_keeps_slow_law(sample: Sample, law: Law) -> None:
    law.check(sample.case())
