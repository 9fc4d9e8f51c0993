"""Classifiers as files and on the Hub: one folder, the first format too, and what is refused."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from preimage import flows
from preimage.classify import (
    GenerativeClassifier,
    classifier_card,
    from_pretrained,
    load_classifier,
    push_to_hub,
    save_classifier,
    vector_classifier,
)
from preimage.errors import ModelFileError
from preimage.flows import hub
from preimage.storage import write_directory


@pytest.fixture
def model() -> GenerativeClassifier:
    torch.manual_seed(0)
    made = vector_classifier(2, ("cat", "dog"), priors=[0.3, 0.7], temperature=2.5, transforms=1)
    made.history.append({"epoch": 0, "loss": 1.5})
    with torch.no_grad():
        made.base.class_centres().normal_()
    return made.eval()


X = torch.randn(7, 2, generator=torch.Generator().manual_seed(1))


def the_same(a, b):
    assert torch.equal(a.predict_proba(X), b.predict_proba(X))
    assert torch.equal(a.log_prob(X), b.log_prob(X))
    assert a.class_names == b.class_names
    assert list(a.history) == list(b.history)


def test_one_folder_holds_all_and_is_a_model_of_the_hub(model, tmp_path):
    path = save_classifier(model, tmp_path / "model")
    assert {file.name for file in path.iterdir()} == set(hub.MODEL)
    the_same(load_classifier(path), model)
    the_same(from_pretrained(path), model)
    the_same(flows.from_pretrained(path), model)
    save_classifier(model, path)  # again, in the same place


def test_the_first_format_is_read(model, tmp_path):
    flows.save(model.flow, tmp_path / "flow")
    tensors = {"log_prior": model.log_prior, "log_temperature": model.log_temperature}
    config = {"class_names": list(model.class_names), "history": list(model.history)}
    write_directory(tmp_path / "classes", "generative classifier", 1, tensors, config)
    the_same(load_classifier(tmp_path), model)


def test_a_subclass_comes_back_as_a_classifier(model, tmp_path):
    class Own(GenerativeClassifier):
        pass

    own = Own(model.flow, model.class_names)
    assert type(load_classifier(save_classifier(own, tmp_path / "own"))) is GenerativeClassifier
    assert hub._for_type(hub.WRITERS, own) is save_classifier


def test_it_is_uploaded_with_its_own_page(model, monkeypatch):
    came = {}

    class Api:
        def __init__(self, **_):
            pass

        def create_repo(self, name, **_):
            return f"https://hub/{name}"

        def upload_folder(self, *, folder_path, **_):
            came.update({file.name: file.stat().st_size for file in Path(folder_path).iterdir()})

        def upload_file(self, *, path_or_fileobj, **_):
            came["card"] = path_or_fileobj.decode()

    monkeypatch.setattr(hub, "_hub", lambda: SimpleNamespace(HfApi=Api))
    assert push_to_hub(model, "ann/pets") == "https://hub/ann/pets"
    assert set(came) == {*hub.MODEL, "card"}
    assert came["card"] == classifier_card(model, "ann/pets")
    assert "`cat`, `dog`" in came["card"]
    with pytest.raises(ModelFileError, match="GenerativeClassifier"):
        push_to_hub(torch.nn.Linear(2, 2), "ann/pets")


def test_who_reads_it_is_said_where_nobody_does(model, tmp_path, monkeypatch):
    monkeypatch.delitem(hub.READERS, "generative classifier")
    with pytest.raises(ModelFileError, match=r"import preimage\.classify first"):
        flows.from_pretrained(save_classifier(model, tmp_path / "model"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class_names": ["one"]}, "two names or more"),
        ({"class_names": ["one", 2]}, "two names or more"),
        ({"class_names": ["one", "two", "three"]}, "classes"),
        ({"flow": "nothing"}, "preset"),
        ({"flow": {"preset": "unknown", "arguments": {}}}, "preset"),
    ],
)
def test_settings_that_do_not_fit_are_refused(change, message, model, tmp_path):
    path = save_classifier(model, tmp_path / "model")
    config = json.loads((path / "config.json").read_text(encoding="utf-8")) | change
    from safetensors.torch import load_file

    write_directory(path, "generative classifier", 2, load_file(path / "model.safetensors"), config)
    with pytest.raises(Exception, match=message) as caught:
        load_classifier(path)
    assert isinstance(caught.value, ModelFileError)


def test_a_weight_that_lacks_is_refused(model, tmp_path):
    path = save_classifier(model, tmp_path / "model")
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    from safetensors.torch import load_file

    tensors = load_file(path / "model.safetensors")
    del tensors["log_prior"]
    write_directory(path, "generative classifier", 2, tensors, config)
    with pytest.raises(ModelFileError, match="log_prior"):
        load_classifier(path)
