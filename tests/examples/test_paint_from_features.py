"""The example that paints photographs runs, and its sheet is a picture."""

import importlib.util
from pathlib import Path

from PIL import Image

SCRIPT = Path(__file__).parents[2] / "examples" / "paint_from_features.py"


def test_paint_from_features(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("paint_from_features", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.main(["--taps", "block 4,pooled", "--products", "2", "--out", str(tmp_path / "sheet.png")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  painted")[0].strip() for line in lines[:2]] == ["block 4", "pooled"]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert min(sheet.size) > 300
