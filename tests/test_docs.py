"""The pages of the documentation: their code runs, their tables are complete, their links lead somewhere."""

import inspect
import re
import sys
import types
from pathlib import Path

import pytest

from preimage import errors

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
# The quickstart runs with the README, the pages about layers with the layers.
ELSEWHERE = ("quickstart", "layers_")
WITH_CODE = [p for p in PAGES if "```python\n" in p.read_text("utf-8") and not p.stem.startswith(ELSEWHERE)]

EXTRAS = ("onnx",)  # pages whose code needs the package of their name


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.stem)
def test_code_runs(page, capsys, monkeypatch):
    if page.stem in EXTRAS:
        pytest.importorskip(page.stem)
    module = types.ModuleType("a_page")  # a real module, so that classes written on a page can be pickled
    monkeypatch.setitem(sys.modules, "a_page", module)
    found = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    assert found
    for number, block in enumerate(found):
        exec(compile(block, f"{page.name}, snippet {number}", "exec"), module.__dict__)


def test_every_exception_has_an_entry():
    text = (DOCS / "failures.md").read_text(encoding="utf-8")
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__]
    missing = [c.__name__ for c in classes if c is not errors.PreimageError and f"`{c.__name__}`" not in text]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert not [link for link in links if not link.startswith("http") and not (page.parent / link).exists()]
