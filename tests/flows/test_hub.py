"""The Hub, as far as this library reaches it: what is asked of huggingface_hub, and what is refused."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from preimage import flows
from preimage.errors import MissingExtraError, ModelFileError, OutputError
from preimage.flows import TabularFlow, hub
from preimage.flows.card import model_card
from preimage.storage import Limits, write_directory

huggingface_hub = pytest.importorskip("huggingface_hub")


class Server:
    """Repositories in folders, behind the calls that the library makes."""

    def __init__(self, root):
        self.root, self.calls = root, []
        server = self

        class HfApi:
            def __init__(self, token=None, library_name=None):
                self.token = token
                server.calls.append(("api", token))

            def create_repo(self, repo_id, *, private=None, exist_ok=False):
                server.calls.append(("create_repo", repo_id, private, exist_ok))
                (server.root / repo_id).mkdir(parents=True, exist_ok=exist_ok)
                return f"https://hub/{repo_id}"

            def upload_folder(self, *, repo_id, folder_path, allow_patterns, commit_message, revision):
                server.calls.append(("upload_folder", repo_id, revision, commit_message))
                for pattern in allow_patterns:
                    for file in folder_path.glob(pattern):
                        target = server.root / repo_id / file.relative_to(folder_path)
                        target.parent.mkdir(exist_ok=True)
                        shutil.copyfile(file, target)

            def upload_file(self, *, path_or_fileobj, path_in_repo, repo_id, revision, commit_message):
                (server.root / repo_id / path_in_repo).write_bytes(path_or_fileobj)

            def model_info(self, repo_id, *, revision=None, files_metadata=False):
                server.calls.append(("model_info", repo_id, revision, files_metadata))
                folder = server.root / repo_id
                if not folder.is_dir():
                    raise huggingface_hub.errors.EntryNotFoundError("404: Not Found")
                files = [p for p in folder.rglob("*") if p.is_file()]
                listed = [
                    SimpleNamespace(rfilename=str(p.relative_to(folder)), size=p.stat().st_size)
                    for p in files
                ]
                return SimpleNamespace(siblings=listed, sha="c0ffee")

        self.api = HfApi

    def snapshot_download(self, repo_id, *, revision, allow_patterns, cache_dir, token, library_name):
        self.calls.append(("snapshot_download", repo_id, revision, tuple(allow_patterns), token))
        target = self.root.parent / "cache" / repo_id
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in allow_patterns:
            if (self.root / repo_id / name).is_file():
                shutil.copyfile(self.root / repo_id / name, target / name)
        return str(target)


@pytest.fixture
def server(tmp_path, monkeypatch):
    made = Server(tmp_path / "hub")
    monkeypatch.setattr(huggingface_hub, "HfApi", made.api)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", made.snapshot_download)
    return made


def test_up_and_down_again(server):
    flow = flows.maf(3, context=2, transforms=1)
    assert flow.push_to_hub("ann/maf", private=True, token="t") == "https://hub/ann/maf"
    assert ("create_repo", "ann/maf", True, True) in server.calls
    assert {p.name for p in (server.root / "ann/maf").iterdir()} == {*hub.MODEL, "README.md"}
    again = flows.from_pretrained("ann/maf", revision="v2", token="r")
    x, context = torch.randn(4, 3), torch.randn(4, 2)
    assert torch.equal(again.log_prob(x, context), flow.eval().log_prob(x, context))
    assert ("model_info", "ann/maf", "v2", True) in server.calls
    download = server.calls[-1]
    # The commit that was looked at, and no other file than those of a model.
    assert download == ("snapshot_download", "ann/maf", "c0ffee", (*hub.MODEL, "data.json"), "r")


def test_tables_and_folders(server, tmp_path):
    rows = {"height": np.random.default_rng(0).normal(size=60), "group": ["a", "b"] * 30}
    table = TabularFlow(rows, transforms=1, hidden_features=(8,))
    table.push_to_hub("ann/table")
    again = flows.from_pretrained("ann/table")
    assert [c.name for c in again.columns] == ["height", "group"]
    folder = table.save(tmp_path / "t")
    (folder / "report.html").write_text("<p>")
    (folder / "secret.txt").write_text("s")
    flows.push_to_hub(folder, "ann/folder", revision="main", message="New")
    assert ("upload_folder", "ann/folder", "main", "New") in server.calls
    assert (server.root / "ann/folder/report.html").is_file()
    assert not (server.root / "ann/folder/secret.txt").exists()
    assert isinstance(flows.from_pretrained(folder), TabularFlow)


def test_cards_say_what_it_is_and_how_it_is_used(server):
    flow = flows.nsf(2, transforms=1, hidden_features=(8,))
    flow.fit(torch.randn(60, 2), epochs=1, progress=False)
    card = model_card(flow, "ann/moons")
    assert card.startswith("---\nlibrary_name: preimage\n")
    assert 'from_pretrained("ann/moons")' in card
    assert "`nsf(features=2" in card
    assert "Trained for 1 epochs; lowest validation loss" in card
    assert "flow.sample(10, context)" in model_card(flows.maf(2, context=3), "a/b")
    rows = {"height": [1.5, 2.5, 3.5], "group": ["a", "b", "a"]}
    card = model_card(TabularFlow(rows, context=["group"]), "a/b")
    assert "`height` (Real), given `group`" in card
    flow.push_to_hub("ann/own", card="# Mine")
    assert (server.root / "ann/own/README.md").read_text() == "# Mine"


def changed(folder, harm):
    flows.save(flows.nice(2, transforms=1), folder)
    harm(folder)


def rewritten(name, change):
    def harm(folder):
        found = json.loads((folder / name).read_text())
        change(found)
        (folder / name).write_text(json.dumps(found))

    return harm


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda f: (f / "model.safetensors").unlink(), "lacks model.safetensors"),
        (lambda f: (f / "manifest.json").unlink(), "lacks manifest.json"),
        (lambda f: (f / "config.json").write_text("{}"), "incomplete or changed"),
        (rewritten("manifest.json", lambda m: m.update(version=99)), "format version is 99, wanted 1 to 2"),
        (rewritten("manifest.json", lambda m: m.update(kind="virus")), "holds 'virus', wanted one of 'flow'"),
        (rewritten("manifest.json", lambda m: m.update(format="x")), "not a manifest of preimage"),
    ],
)
def test_hostile_repositories_are_refused(server, harm, said):
    changed(server.root / "eve/harm", harm)
    with pytest.raises(ModelFileError, match=said):
        flows.from_pretrained("eve/harm")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"preset": "os.system", "arguments": {}}, "preset is 'os.system', wanted one of"),
        ({"preset": "nice", "arguments": {"features": 10**9}}, "ask for more numbers"),
        ({"preset": "nice", "arguments": {"features": 2, "evil": 1}}, "wanted those of nice"),
        ({"preset": "nice", "arguments": {"features": 4}}, "do not fit the settings"),
        ({"preset": ["nice"], "arguments": {}}, "preset is"),
        ({}, "preset is None"),
        ({"preset": "nice", "arguments": {"features": None}}, "cannot be built"),
        ({"preset": "nice", "arguments": {"features": 2, "hidden_features": {"a": 1}}}, "nice"),
        ({"preset": "nice", "arguments": {"features": 2, "memory": 3}}, "nice"),
        ({"preset": "glow", "arguments": {"event_shape": [[1], 2]}}, "cannot be built"),
    ],
)
def test_hostile_settings_are_refused(server, config, said):
    flow = flows.nice(2, transforms=1)
    (server.root / "eve").mkdir(parents=True)
    write_directory(server.root / "eve/harm", "flow", 1, flow.state_dict(), config)
    with pytest.raises(ModelFileError, match=said):
        flows.from_pretrained("eve/harm")


def test_records_of_another_kind_are_ignored(server):
    flow = flows.nice(2, transforms=1)
    (server.root / "eve").mkdir(parents=True)
    config = {"preset": "nice", "arguments": flow.recipe.arguments, "history": 3}
    write_directory(server.root / "eve/odd", "flow", 1, flow.state_dict(), config)
    assert list(flows.from_pretrained("eve/odd").history) == []


def test_huge_files_are_not_even_downloaded(server):
    changed(server.root / "eve/huge", lambda folder: None)
    with pytest.raises(ModelFileError, match=r"model\.safetensors has .* bytes, wanted at most 10"):
        flows.from_pretrained("eve/huge", limits=Limits(tensor_bytes=10))
    assert not [call for call in server.calls if call[0] == "snapshot_download"]


@pytest.mark.parametrize("name", ["../etc", "a/b/c", "https://hub/a", "", "a b", "no/such/folder"])
def test_names_that_are_no_repository_are_refused(server, name):
    with pytest.raises(ModelFileError, match="wanted owner/name"):
        flows.push_to_hub(flows.nice(2), name)
    if name:
        with pytest.raises(ModelFileError, match="wanted owner/name"):
            flows.from_pretrained(name)
    assert not server.calls


def test_what_goes_wrong_on_the_way_is_one_error(server, tmp_path, monkeypatch):
    with pytest.raises(ModelFileError, match="cannot be downloaded: EntryNotFoundError: 404"):
        flows.from_pretrained("ann/nothing")

    def broken(*_, **__):
        raise ConnectionError("no network")

    monkeypatch.setattr(server.api, "create_repo", broken)
    with pytest.raises(OutputError, match="ConnectionError: no network"):
        flows.nice(2).push_to_hub("ann/nice")
    with pytest.raises(ModelFileError, match="is no folder"):
        flows.push_to_hub(tmp_path / "nowhere", "ann/nice")


def test_an_absent_package_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"preimage\[hub\]"):
        flows.from_pretrained("ann/moons")
