"""The code of the documentation page runs."""

import re
from pathlib import Path

import torch

PAGE = Path(__file__).parents[2] / "docs" / "layers_structure.md"


def test_code_blocks_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert len(blocks) == 5
    torch.manual_seed(0)
    for block in blocks:
        exec(block, {})
