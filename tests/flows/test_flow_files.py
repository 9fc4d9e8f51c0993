"""Saved flows: the same answers again, hostile settings refused, and a changed meaning noticed."""

import json

import pytest
import torch
from samples_presets import SHAPED, SMALL, VECTORS
from torch import nn

import preimage.classify
import preimage.eeg  # its presets too  # noqa: F401
from preimage import flows, storage
from preimage.errors import ModelFileError, OutputError
from preimage.flows import PRESETS, Flow, Normal, probe
from preimage.flows.files import KIND, VERSION
from preimage.layers import Affine

INVNET = {"channels": 2, "times": 16, "blocks": 1, "hidden_channels": 4, "stages": 2}
TOKENS = {"patch": 4, "transforms": 1, "hidden_features": 8, "heads": 2}
OTHERS = {
    "glow, learnt noise": lambda: flows.glow(
        (1, 4, 4), context=3, levels=1, steps=1, **SMALL, grey_levels=8, noise_steps=1
    ),
    "glow, maps": lambda: flows.glow((3, 8, 8), context=(2, 8, 8), levels=2, steps=1, **SMALL),
    "jet, bytes": lambda: flows.jet((1, 8, 8), **TOKENS, grey_levels=256),
    "nsf, told": lambda: flows.nsf(2, context=3, transforms=1, **SMALL),
    "invnet_flow": lambda: PRESETS["invnet_flow"](**INVNET),
    "affine_invnet_flow": lambda: PRESETS["affine_invnet_flow"](**INVNET),
    "glow_invnet_flow": lambda: PRESETS["glow_invnet_flow"](**INVNET),
    "spectral_flow": lambda: PRESETS["spectral_flow"](2, 16, classes=2, low=4, edges=(4, 8, 12)),
    "stationary_flow": lambda: PRESETS["stationary_flow"](2, 8, classes=3),
    "vector_class_flow": lambda: PRESETS["vector_class_flow"](2, classes=3, transforms=1, **SMALL),
    "picture_class_flow": lambda: PRESETS["picture_class_flow"](
        (1, 8, 8), 3, (1,), (4,), readouts=1, readout_channels=8
    ),
}
EVERY = VECTORS | {name: make for name, (make, _) in SHAPED.items()} | OTHERS


def changed(flow, by=0.1):
    """The flow with no parameter at its start."""
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(by * torch.randn_like(parameter))
    return flow


def test_every_preset_is_in_the_table():
    ours = {name for name, build in PRESETS.items() if build.__module__.startswith("preimage.")}
    assert ours == {name.split(",")[0] for name in EVERY}


@pytest.mark.parametrize("name", EVERY)
def test_every_preset_comes_back_with_its_answers(name, tmp_path):
    torch.manual_seed(0)
    flow = changed(EVERY[name](), 0.02).train()
    state = {key: value.clone() for key, value in flow.state_dict().items()}
    numbers = torch.get_rng_state()
    path = flows.save(flow, tmp_path / "model")
    assert torch.equal(torch.get_rng_state(), numbers)
    assert flow.training
    assert all(torch.equal(value, state[key]) for key, value in flow.state_dict().items())
    again = flows.load(path)
    assert again.checked == probe.AGREED
    assert again.recipe == flow.recipe
    assert not again.training
    assert again.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[key]) for key, value in again.state_dict().items())
    config = json.loads((path / "config.json").read_text())
    assert not config["probe"]
    if flow.base.context_domain is None and flow.bijection.context_domain is None and flow.surjection is None:
        x = again.sample(3)
        assert torch.equal(again.log_prob(x), flow.eval().log_prob(x))


@pytest.fixture
def own():
    """A preset whose meaning the test changes, by the layers that it builds."""
    meaning = {"slope": 2.0, "levels": 0, "base": Normal}

    @flows.preset
    def tested(features: int) -> Flow:
        class Fixed(Affine):
            def forward_and_log_det(self, x, context=None):
                y, log_det = super().forward_and_log_det(x)
                return y * meaning["slope"], log_det + features * torch.tensor(abs(meaning["slope"])).log()

            def inverse_and_log_det(self, y, context=None):
                x, log_det = super().inverse_and_log_det(y / meaning["slope"])
                return x, log_det - features * torch.tensor(abs(meaning["slope"])).log()

        levels = meaning["levels"]
        surjection = flows.ClampedDequantisation(levels) if levels else None
        return Flow(Fixed(features), meaning["base"](features), surjection=surjection)

    yield tested, meaning
    del PRESETS["tested"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({}, {"slope": 2.001}, "of the probe"),
        ({}, {"slope": -2.0}, "latents of the probe"),
        ({}, {"base": flows.Logistic}, "log_prob of the probe"),
        ({"levels": 256}, {"levels": 64}, "data of the probe"),
        ({"levels": 256}, {"levels": 0}, "data of the probe is none"),
    ],
)
def test_another_meaning_of_a_preset_is_refused(own, tmp_path, before, after, said):
    make, meaning = own
    meaning.update(before)
    path = flows.save(make(3), tmp_path / "m")
    assert flows.load(path).checked == probe.AGREED
    meaning.update(after)
    with pytest.raises(ModelFileError, match=rf"{said}[^;]*; the file was written by preimage .*'tested'"):
        flows.load(path)


def test_a_flow_that_was_changed_after_its_preset_made_it_is_refused(tmp_path):
    flow = flows.maf(2, **SMALL)
    flow.base = flows.Logistic(2)
    with pytest.raises(ModelFileError, match="log_prob of the probe"):
        flows.load(flows.save(flow, tmp_path / "m"))


def test_far_data_are_probed_where_they_are(tmp_path):
    x = torch.randn(200, 2) * torch.tensor([1e-3, 1e4]) + torch.tensor([5.0, -1e5])
    flow = flows.nsf(2, transforms=1, **SMALL)
    flow.log_prob(x)  # its first batch
    rows = probe.taken(flow).part("x")
    assert ((rows - x.mean(0)).abs() < 6 * x.std(0)).all()


def test_half_precision_weights_are_asked_in_double(tmp_path):
    flow = changed(flows.nsf(3, transforms=1, **SMALL)).to(torch.bfloat16)
    again = flows.load(flows.save(flow, tmp_path / "m"))
    assert next(again.parameters()).dtype == torch.bfloat16
    assert again.checked == probe.AGREED


class Noisy(Affine):
    """A map whose log_det is an estimate."""

    def forward_and_log_det(self, x, context=None):
        y, log_det = super().forward_and_log_det(x)
        return y, log_det + torch.randn_like(log_det)


def test_what_is_random_is_left_out_with_the_reason(tmp_path):
    found = probe.taken(Flow(Noisy(2), Normal(2)))
    assert sorted(found.answers()) == ["answer.latents"]
    assert found.note == "log_prob: random or not finite, so not in the probe"


def test_a_flow_without_answers_is_saved_with_the_reason(own, tmp_path):
    make, _ = own
    flow = make(2)
    nn.init.constant_(flow.bijection.shift, torch.nan)
    path = flows.save(flow, tmp_path / "m")
    assert (
        flows.load(path).checked == "no probe: no answer to it: the rows of the fixed latents are not finite"
    )


def older(path):
    """The same directory as the version before probes wrote it."""
    tensors, config = storage.read_directory(path, KIND, VERSION)
    config = {key: config[key] for key in ("preset", "arguments", "history")}
    return storage.write_directory(path, KIND, 1, probe.without_probe(tensors)[0], config)


def test_older_files_still_load_and_say_so(tmp_path):
    flow = changed(flows.maf(2, **SMALL)).eval()
    again = flows.load(older(flows.save(flow, tmp_path / "m")))
    x = torch.randn(4, 2)
    assert torch.equal(again.log_prob(x), flow.log_prob(x))
    assert "older than probes" in again.checked
    assert flows.load(flows.save(again, tmp_path / "n")).checked == probe.AGREED


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("x.000", torch.zeros(5, 2), "does not hold 2 rows"),
        ("x.000", torch.tensor(1.0), "does not hold 2 rows"),
        ("x.000", torch.zeros(2, 7), "cannot be computed"),
        ("answer.log_prob", torch.zeros(2, 3), "log_prob of the probe"),
        ("answer.log_prob", torch.full((2,), torch.nan), "log_prob of the probe"),
        ("answer.colour", torch.zeros(2), "colour of the probe is none"),
    ],
)
def test_hostile_probes_are_refused(tmp_path, name, value, said):
    path = flows.save(flows.maf(2, **SMALL), tmp_path / "m")
    tensors, config = storage.read_directory(path, KIND, VERSION)
    storage.write_directory(path, KIND, VERSION, tensors | {probe.PREFIX + name: value}, config)
    with pytest.raises(ModelFileError, match=said):
        flows.load(path)

    def test_keep_the_history(tmp_path):
        flow = flows.maf(2, **SMALL).fit(torch.randn(64, 2), epochs=2, progress=False)
        assert flows.load(flows.save(flow, tmp_path / "m")).history == flow.history

    def test_a_flow_put_together_by_hand_is_refused(tmp_path):
        flow = flows.maf(2, **SMALL)
        with pytest.raises(ModelFileError, match=r"@preimage\.flows\.preset"):
            flows.save(Flow(flow.bijection, flow.base), tmp_path / "m")

    def test_only_plain_arguments_make_a_recipe():
        with pytest.raises(TypeError, match="plain data"):
            flows.maf(2, hidden_features=torch.tensor([3]))

    def test_another_directory_is_left_alone(tmp_path):
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "b").touch()
        with pytest.raises(OutputError):
            flows.save(flows.maf(2, **SMALL), tmp_path / "a")

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"preset": "nothing"}, "wanted one of"),
            ({"preset": None}, "wanted one of"),
            ({"arguments": {"features": 2, "colour": 1}}, "wanted those of maf"),
            ({"arguments": []}, "wanted those of maf"),
            ({"arguments": {"features": "two"}}, "cannot be built"),
            ({"arguments": {}}, "cannot be built"),
            ({"arguments": {"features": 2, "hidden_features": [17]}}, "do not fit"),
            ({"arguments": {"features": 2, "transforms": 3}}, "do not fit"),
            ({"arguments": {"features": 10**12}}, "more numbers|cannot be built"),
            ({"arguments": {"features": 2, "transforms": 10**9}}, "more numbers"),
            ({"arguments": {"features": 2, "hidden_features": [10**6, 10**6]}}, "more numbers"),
        ],
    )
    def test_hostile_settings_are_refused(tmp_path, change, said):
        path = flows.save(flows.maf(2, **SMALL), tmp_path / "m")
        config = json.loads((path / "config.json").read_text()) | change
        _rewrite(path, config)
        with pytest.raises(ModelFileError, match=said):
            flows.load(path)


def _rewrite(path, config):

    (path / "config.json").write_text(json.dumps(config))
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"]["config.json"] = storage._fingerprint(path / "config.json")
    (path / "manifest.json").write_text(json.dumps(manifest))
