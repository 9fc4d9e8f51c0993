"""The file of measured coverage: taps of an earlier run survive, other settings do not mix."""

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("PIL")
sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from uncertainty import Record

ORDER = ["stem", "block 1", "pooled"]
SETTING = {"calibration": {"crops": 4, "sources": 2}, "held out": ["a"], "size": 64}


def record(file, setting, size, seconds=1.0):
    found = Record(file, "packages", ORDER, written=True)
    found.report |= setting | {"bytes of state": size, "seconds to calibrate": seconds}
    return found


def read(file):
    return json.loads(file.read_text())["packages"]


def test_other_taps_survive_in_the_order_of_the_network(tmp_path):
    file = tmp_path / "found.json"
    first = record(file, SETTING, 9, 3.0)
    first.add("taps", "pooled", {"width": 1})
    first.add("moved", "pooled", {"inside": 2})
    later = record(file, SETTING, 5)
    later.add("taps", "stem", {"width": 3})
    later.add("taps", "pooled", {"width": 4})
    found = read(file)
    assert list(found["taps"]) == ["stem", "pooled"]
    assert found["taps"]["pooled"] == {"width": 4}
    assert found["moved"] == {"pooled": {"inside": 2}}
    assert (found["bytes of state"], found["seconds to calibrate"]) == (9, 3.0)  # of the larger run


def test_another_setting_starts_anew(tmp_path):
    file = tmp_path / "found.json"
    record(file, SETTING, 9).add("taps", "pooled", {"width": 1})
    record(file, SETTING | {"size": 32}, 5).add("taps", "stem", {"width": 3})
    assert list(read(file)["taps"]) == ["stem"]
    assert read(file)["bytes of state"] == 5


def test_other_sections_stay(tmp_path):
    file = tmp_path / "found.json"
    file.write_text(json.dumps({"zoo": {"taps": {}}}))
    record(file, SETTING, 9).add("taps", "pooled", {"width": 1})
    assert json.loads(file.read_text())["zoo"] == {"taps": {}}


def test_a_quick_look_writes_nothing(tmp_path):
    file = tmp_path / "found.json"
    look = Record(file, "packages", ORDER, written=False)
    look.add("taps", "pooled", {"width": 1})
    assert look.report["taps"] == {"pooled": {"width": 1}}
    assert not file.exists()
