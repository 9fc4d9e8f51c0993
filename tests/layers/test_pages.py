"""The code on the pages about layers runs."""

import re
from pathlib import Path

import pytest
import torch

PAGES = sorted((Path(__file__).parents[2] / "docs").glob("layers_*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_snippets_run(page: Path) -> None:
    torch.manual_seed(0)
    found = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    assert found
    for number, block in enumerate(found):
        exec(compile(block, f"{page.name}, snippet {number}", "exec"), {})
