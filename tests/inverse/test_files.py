"""Saved inverses: the same answers bit by bit, no weights in the file, and nothing broken is believed."""

import json
import shutil
import warnings

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import preimage as pi
from preimage.errors import ModelFileError, NumericalWarning, OutputError
from preimage.inverse.saving.folder import CONFIG, MANIFEST, TENSORS, _facts


def make(seed=0, width=6):
    torch.manual_seed(seed)
    layers = [nn.Conv2d(3, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 5, 3, 1, 1)]
    return nn.Sequential(*layers).eval()


@pytest.fixture(scope="module")
def network():
    return make()


@pytest.fixture(scope="module")
def pictures():
    return torch.randn(12, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module", params=["calibrated", "data-free"])
def inverse(network, pictures, request):
    return pi.invert(network, pictures[:1], pictures if request.param == "calibrated" else None)


@pytest.fixture
def saved(inverse, tmp_path):
    inverse.save(tmp_path / "saved")
    return tmp_path / "saved"


def test_answers_are_the_same_bit_by_bit(inverse, network, pictures, saved):
    again = pi.load_inverse(saved, network, pictures[:1])
    assert again.taps == inverse.taps
    assert str(again.plan()) == str(inverse.plan())
    assert again.is_calibrated == inverse.is_calibrated
    for tap, y in inverse.features(pictures[:3]).items():
        assert torch.equal(again(y, tap), inverse(y, tap))
        for one, other in zip(
            again.solve(y, tap, max_products=9), inverse.solve(y, tap, max_products=9), strict=True
        ):
            pair = (one, other) if isinstance(one, torch.Tensor) else (one.residual, other.residual)
            assert torch.equal(*pair)


def test_no_weights_are_in_the_folder(inverse, network, saved):
    assert {file.name for file in saved.iterdir()} == {CONFIG, TENSORS, MANIFEST}
    held = {tuple(t.shape) for t in load_file(saved / TENSORS).values()}
    assert not held & {tuple(p.shape) for p in network.parameters() if p.dim() > 1}
    assert all(name.startswith("decoders.") for name in load_file(saved / TENSORS))


def test_saving_again_replaces_the_folder_and_leaves_nothing_behind(inverse, saved):
    (saved / "note").write_text("old")
    inverse.save(saved)
    assert [file.name for file in saved.parent.iterdir()] == ["saved"]
    assert not (saved / "note").exists()


def test_other_folders_are_never_replaced(inverse, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "text").write_text("years of work")
    with pytest.raises(OutputError, match="something else"):
        inverse.save(tmp_path / "thesis")
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError):
        inverse.save(tmp_path / "file" / "saved")
    assert (tmp_path / "thesis" / "text").read_text() == "years of work"


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (lambda: make(seed=1), "weights"),
        (lambda: make(width=7), "structure|weights"),
        (lambda: make().double(), "weights"),
        (lambda: nn.Sequential(*make(), nn.ReLU()), "structure"),
    ],
)
def test_another_network_is_refused(saved, pictures, other, what):
    model = other()
    x = pictures[:1].to(next(model.parameters()).dtype)
    with pytest.raises(ModelFileError, match=what):
        pi.load_inverse(saved, model, x)
    with pytest.raises(ModelFileError, match="inputs"):
        pi.load_inverse(saved, make(), torch.zeros(1, 3, 16, 16))


def test_a_trained_network_is_refused(saved, pictures):
    model = make()
    with torch.no_grad():
        model[3].bias += 1e-3
    with pytest.raises(ModelFileError, match="weights differ"):
        pi.load_inverse(saved, model, pictures[:1])


def rewrite(folder, **changes):
    """Change the config, and the manifest with it, as an attacker would."""
    config = json.loads((folder / CONFIG).read_text()) | changes
    (folder / CONFIG).write_text(json.dumps(config))
    seal(folder)


def seal(folder):
    files = {name: _facts((folder / name).read_bytes()) for name in (CONFIG, TENSORS)}
    (folder / MANIFEST).write_text(json.dumps({"files": files}))


BROKEN = {
    "no folder": shutil.rmtree,
    "no tensors": lambda f: (f / TENSORS).unlink(),
    "a flipped bit": lambda f: (f / TENSORS).write_bytes((f / TENSORS).read_bytes()[:-1] + b"\x99"),
    "cut off": lambda f: (f / CONFIG).write_bytes((f / CONFIG).read_bytes()[:40]),
    "no json": lambda f: (f / MANIFEST).write_text("["),
    "deep json": lambda f: (f / MANIFEST).write_text("[" * 100_000),
    "a list": lambda f: (f / MANIFEST).write_text("[]"),
    "more files": lambda f: (f / MANIFEST).write_text('{"files": {"../x": {}}}'),
    "newer version": lambda f: rewrite(f, version=2),
    "other format": lambda f: rewrite(f, format="flow"),
    "no network": lambda f: rewrite(f, network=None),
    "strange taps": lambda f: rewrite(f, taps={"a": "__class__"}),
    "taps as a list": lambda f: rewrite(f, taps=[1]),
    "decoders without tensors": lambda f: rewrite(f, decoders=["3"] * 7),
    "a link": lambda f: ((f / CONFIG).rename(f.parent / "c"), (f / CONFIG).symlink_to(f.parent / "c")),
}


@pytest.mark.parametrize("how", BROKEN)
def test_broken_folders_are_refused(saved, network, pictures, how):
    BROKEN[how](saved)
    with pytest.raises(ModelFileError):
        pi.load_inverse(saved, network, pictures[:1])


@pytest.mark.parametrize(
    "change",
    [
        lambda s, n: s.update({n: s[n].fill_(10**9)}),
        lambda s, n: s.update({n: s[n].neg()}),
        lambda s, n: s.update({n: s[n][:3]}),
        lambda s, n: s.update({n: s[n].float()}),
        lambda s, n: s.pop(n),
        lambda s, n: s.update({n.replace("blueprint", "offset"): torch.full((3,), float("nan"))}),
        lambda s, n: s.update({n.replace("blueprint", "weight"): torch.zeros(2, 2)}),
        lambda s, n: s.update({n.replace("blueprint", "extra"): torch.zeros(2)}),
    ],
)
def test_hostile_tensors_are_refused(network, pictures, tmp_path, change):
    folder = tmp_path / "saved"
    pi.invert(network, pictures[:1], pictures).save(folder)
    tensors = load_file(folder / TENSORS)
    change(tensors, "decoders.0.blueprint")
    save_file({name: t.contiguous() for name, t in tensors.items()}, folder / TENSORS)
    seal(folder)
    with pytest.raises(ModelFileError):
        pi.load_inverse(folder, network, pictures[:1])


def test_another_plan_is_a_warning(inverse, network, pictures, saved):
    rewrite(saved, plan=["another one"])
    with pytest.warns(NumericalWarning, match="plan differs"):
        pi.load_inverse(saved, network, pictures[:1])


def test_several_inputs_and_outputs(tmp_path):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x, z):
            return self.a(x) + z, self.b(z)

    model, x = Two(), (torch.randn(2, 3), torch.randn(2, 3))
    inverse = pi.invert(model, x)
    inverse.save(tmp_path / "two")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = pi.load_inverse(tmp_path / "two", model, x)
    y = tuple(v.detach() for v in model(*x))
    for one, other in zip(again(y), inverse(y), strict=True):
        assert torch.equal(one, other)
