"""``train``, ``sample`` and ``score``: files in, files out, and one clear line for everything else."""

import json
import math
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from commands import QUICK
from PIL import Image

from preimage import flows, storage
from preimage.flows import TabularFlow
from preimage.flows.files import KIND, VERSION

pd = pytest.importorskip("pandas")
pytest.importorskip("matplotlib")

RANDOM = np.random.default_rng(0)


def people(rows=120):
    group = RANDOM.choice(["a", "b"], rows)
    height = np.where(group == "a", 170.0, 120.0) + 5 * RANDOM.normal(size=rows)
    age = np.where(RANDOM.random(rows) < 0.2, np.nan, RANDOM.normal(40, 3, rows))
    return pd.DataFrame({"group": group, "height": height, "age": age, "visits": RANDOM.poisson(30, rows)})


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("density")
    people().to_csv(folder / "people.csv", index=False)
    people(30).to_csv(folder / "new.csv", index=False)
    np.save(folder / "points.npy", RANDOM.normal(size=(150, 3)) * [1, 2, 3] + [5, 0, 100])
    (folder / "photos").mkdir()
    for number in range(24):
        picture = RANDOM.integers(0, 256, (11, 12, 3), dtype=np.uint8)
        Image.fromarray(picture).save(folder / f"photos/{number:02d}.png")
    return folder


def size_of(path):
    with Image.open(path) as picture:
        return picture.size


def test_a_table_from_file_to_report_to_samples(done, place):
    said = done("train", "people.csv", "--out", "table", *QUICK)
    assert "table/report.html" in said
    report = json.loads((place / "table/report.json").read_text())
    assert report["schema"] == "preimage.flow_report/1"
    assert report["rows"] == {"train": 96, "validation": 12, "test": 12}
    assert report["held_out"]["rows"] == 12
    page = (place / "table/report.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    assert {p.stem for p in (place / "table/plots").iterdir()} == {"training", "corner", "latents"}
    for plot in (place / "table/plots").iterdir():
        assert min(size_of(plot)) > 300
    done("sample", "table", "--count", 7, "--out", "rows.csv")
    drawn = pd.read_csv(place / "rows.csv")
    assert list(drawn.columns) == ["group", "height", "age", "visits"]
    assert len(drawn) == 7
    assert set(drawn["group"]) <= {"a", "b"}


def test_scores_are_those_of_the_model(done, place):
    done("train", "points.npy", "--out", "points", *QUICK, "--no-report")
    said = json.loads(done("score", "points", "points.npy", "--out", "scores.csv", "--json"))
    scores = pd.read_csv(place / "scores.csv")
    x = np.load(place / "points.npy")
    expected = flows.load(place / "points").log_prob(torch.from_numpy(x).float()).detach()
    np.testing.assert_allclose(scores["log_prob"], expected, rtol=1e-4)
    np.testing.assert_allclose(scores[["x0", "x1", "x2"]], x)
    assert said["mean_log_prob"] == pytest.approx(scores["log_prob"].mean())
    done("sample", "points", "--count", 4, "--out", "drawn.npy", "--temperature", 0.5)
    assert np.load(place / "drawn.npy").shape == (4, 3)
    first, again = (
        done("sample", "points", "--count", 2, "--out", "s.csv", "--seed", seed) for seed in (1, 1)
    )
    assert first == again


def test_rows_with_a_context(done, place):
    chosen = ("--columns", "height,age", "--context", "group")
    done("train", "people.csv", "--out", "given", *chosen, *QUICK)
    model = TabularFlow.load(place / "given")
    assert [c.name for c in model.context] == ["group"]
    done("score", "given", "new.csv", "--out", "given.parquet")
    scored = pd.read_parquet(place / "given.parquet")
    assert list(scored.columns) == ["height", "age", "group", "log_prob"]
    done("sample", "given", "--count", 2, "--context", "new.csv", "--out", "given.csv")
    assert len(pd.read_csv(place / "given.csv")) == 60


def test_an_array_with_a_context(done, place):
    done("train", "points.npy", "--out", "conditional", "--preset", "maf", "--context", "2", *QUICK)
    done("sample", "conditional", "--count", 3, "--context", "points.npy", "--out", "c.csv")
    drawn = pd.read_csv(place / "c.csv")
    assert list(drawn.columns) == ["x2", "x0", "x1"]
    assert len(drawn) == 450


def test_pictures(done, place):
    small = ("--set", "levels=1", "--set", "steps=1", "--set", "hidden_features=4")
    train = ("train", "photos", "--size", 8, "--out", "pictures", "--epochs", 1, "--quiet", *small)
    numbers = json.loads(done(*train, "--json"))
    assert numbers["held_out"]["bits_per_dim"] > 0
    assert (place / "pictures/plots/samples.png").is_file()
    done("sample", "pictures", "--count", 3, "--out", "drawn")
    assert size_of(place / "drawn/0.png") == (8, 8)
    done("sample", "pictures", "--count", 3, "--out", "drawn.npy")
    assert np.load(place / "drawn.npy").dtype == np.uint8
    done("score", "pictures", "photos", "--out", "photos.csv")
    scores = pd.read_csv(place / "photos.csv", dtype={"picture": str})
    assert scores["picture"][0] == "00"
    np.testing.assert_allclose(scores["bits_per_dim"], -scores["log_prob"] / (192 * math.log(2)))


def test_numbers_far_from_zero_are_learnt_in_double(done, place):
    np.save(place / "far.npy", RANDOM.normal(size=(200, 2)) * 1e-3 + 1e4)
    done("train", "far.npy", "--out", "far", *QUICK, "--no-report")
    assert next(flows.load(place / "far").parameters()).dtype == torch.float64


def test_a_killed_run_goes_on_exactly(done, place, tmp_path):
    """One run alone, one killed, and one that goes on: the same weights to the last bit."""
    script = tmp_path / "killed.py"
    script.write_text(
        "import os, signal, torch\n"
        "torch.set_num_threads(1)\n"
        "from preimage import cli\n"
        "from preimage.training.run import Run\n"
        "step, seen = Run.step, []\n"
        "def counted(self, batch):\n"
        "    seen.append(1)\n"
        "    if len(seen) == 7: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return step(self, batch)\n"
        "Run.step = counted\n"
        "cli.main()\n"
    )
    common = ("train", "points.npy", "--batch-size", "32", *QUICK, "--epochs", "3", "--no-report")
    kept = (
        "--checkpoint",
        str(tmp_path / "kept"),
        "--checkpoint-every",
        "2",
        "--out",
        str(tmp_path / "resumed"),
    )
    done(*common, "--out", tmp_path / "alone")
    command = [sys.executable, str(script), *common, *kept]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    killed = subprocess.run(command, cwd=place, capture_output=True, check=False, env=environment)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "resumed").exists()
    done(*common, *kept)
    read = [storage.read_directory(tmp_path / name, KIND, VERSION)[0] for name in ("alone", "resumed")]
    assert all(torch.equal(read[0][name], read[1][name]) for name in read[0])


TRAIN = ("train", "people.csv", "--out", "never")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("train", "nowhere.csv", "--out", "never"), "no such file"),
        (("train", "empty", "--out", "never"), "holds no picture"),
        (("train", "words.txt", "--out", "never"), "wanted a table"),
        (("train", "broken.parquet", "--out", "never"), "cannot be read as a table"),
        (("train", "head.csv", "--out", "never"), "holds 0 rows"),
        (("train", "gap.npy", "--out", "never"), "1 rows hold NaN or infinity, the first is row 3"),
        (("train", "harm.pkl", "--out", "never"), "a pickle can run code"),
        (("train", "photos", "--out", "never"), "glow halves its pictures, but these are 11x12"),
        (("train", "photos", "--columns", "a", "--out", "never"), "pictures have no columns"),
        (("train", "points.npy", "--columns", "9", "--out", "never"), "no column '9'"),
        ((*TRAIN, "--columns", "hight"), "Did you mean 'height'?"),
        ((*TRAIN, "--context", "grup"), "Did you mean 'group'?"),
        ((*TRAIN, "--columns", "age", "--context", "age"), "both as --columns and as --context"),
        ((*TRAIN, "--preset", "nfs"), "Did you mean 'nsf'?"),
        ((*TRAIN, "--preset", "maf"), "column 'group' holds"),
        ((*TRAIN, "--preset", "maf", "--columns", "height,age"), "values of column 'age' are missing"),
        ((*TRAIN, "--set", "depth=3"), "wanted NAME=VALUE, where table has bins"),
        ((*TRAIN, "--set", "transforms=0"), "transforms is 0"),
        ((*TRAIN, "--epochs", "0"), "epochs is 0"),
        ((*TRAIN, "--learning-rate", "-1"), "learning_rate is -1"),
        ((*TRAIN, "--size", "8"), "--size is for folders of pictures"),
        (("train", "people.csv", "--out", "photos"), "photos exists already"),
        (("train", "people.csv", "--out", "people.csv/below"), "is a file"),
        ((*TRAIN, "--test", "0.6", "--validation", "0.4"), "rows are left for training"),
        (("sample", "nowhere", "--count", "1", "--out", "x.csv"), "no such folder"),
        (("sample", "photos", "--count", "1", "--out", "x.csv"), "wanted a directory written by save"),
        (("sample", "model", "--count", "1", "--out", "x.xls"), "suffixes .csv"),
        (("sample", "model", "--count", "1", "--out", "no/where.csv"), "which is no folder"),
        (
            ("sample", "model", "--count", "1", "--out", "x.csv", "--context", "points.npy"),
            "leave --context out",
        ),
        (("sample", "model", "--count", "1", "--out", "x.csv", "--temperature", "0"), "tempered: got 0"),
        (("score", "model", "people.csv", "--out", "x.csv"), "column 'group' holds"),
        (("score", "model", "nowhere.npy", "--out", "x.csv"), "no such file"),
        (("score", "model", "wide.npy", "--out", "x.csv"), "shape"),
    ],
    ids=lambda value: " ".join(map(str, value))[:60] if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_clear_line(refused, place, arguments, says):
    (place / "empty").mkdir(exist_ok=True)
    (place / "words.txt").write_text("words")
    (place / "broken.parquet").write_bytes(b"no table")
    (place / "head.csv").write_text("a,b\n")
    (place / "harm.pkl").write_bytes(b"harm")
    np.save(place / "gap.npy", np.array([[1.0], [2.0], [3.0], [np.nan]] * 1))
    np.save(place / "wide.npy", np.zeros((4, 5)))
    if not (place / "model").exists():
        flows.save(flows.maf(3, transforms=1), place / "model")
    refused(*arguments, says=says)
    assert not (place / "never").exists()
    assert not (place / "x.csv").exists()


def test_a_changed_model_is_refused(refused, place):
    folder = flows.save(flows.maf(2, transforms=1), place / "changed")
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    refused("sample", "changed", "--count", 1, "--out", "x.csv", says="incomplete or changed")
