"""Models on the Hugging Face Hub, in its layout, and models of any kind from a folder."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from preimage.errors import MissingExtraError, ModelFileError, OutputError
from preimage.flows import files
from preimage.flows.card import model_card
from preimage.flows.flow import Flow
from preimage.flows.tables import TabularFlow
from preimage.flows.tables.files import KIND as TABLE
from preimage.storage import CONFIG, DEFAULT_LIMITS, MANIFEST, WEIGHTS, Limits, kind_of

READERS: dict[str, Callable[[Path, Limits], nn.Module]] = {files.KIND: files.load, TABLE: TabularFlow.load}
"""How a model of every kind is read from its folder; a library of further models adds its own."""
WRITERS: dict[type, Callable[[Any, Path], Path]] = {Flow: files.save, TabularFlow: TabularFlow.save}
"""How a model of every type is written to a folder."""
CARDS: dict[type, Callable[[Any, str], str]] = {Flow: model_card, TabularFlow: model_card}
"""The page of a model of every type, from the model and the name of its repository."""
ELSEWHERE = {"generative classifier": "preimage.classify"}
"""Kinds whose readers another part of the library adds when it is imported."""

MODEL = (MANIFEST, CONFIG, WEIGHTS)
BESIDE = ("data.json", "report.json", "report.html", "plots/*.png")
CARD = "README.md"
REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)


def from_pretrained(
    repository: str | Path,
    *,
    revision: str | None = None,
    token: str | None = None,
    cache: str | Path | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Any:
    """The model in a folder, or in a repository of the Hugging Face Hub.

    Only the three files of a model, and the note about its data, are downloaded, after their sizes were
    looked at; nothing in them can run code.

    Args:
        repository: a folder, or ``owner/name`` of a repository.
        revision: branch, tag or commit of the repository; its main branch by default.
        token: for repositories that are not public.
        cache: folder for downloads; that of huggingface_hub by default.
        limits: largest sizes that are accepted.

    Returns:
        The flow, the :class:`~preimage.flows.TabularFlow`, or what else was saved, on the CPU and in
        evaluation mode.

    Raises:
        ModelFileError: there is none, it is of an unknown kind, broken, changed or too large.
        MissingExtraError: it is not in a folder, and huggingface_hub is not installed.

    Cost: one download, then that of :func:`preimage.flows.load`.

    Example:
        >>> import tempfile
        >>> from preimage import flows
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = flows.save(flows.nice(2), f"{folder}/nice")
        ...     from_pretrained(path).recipe.preset
        'nice'
    """
    folder = Path(repository)
    if not folder.is_dir():
        folder = _downloaded(str(repository), revision, token, cache, limits)
    kind = kind_of(folder, limits)
    if kind not in READERS:
        hint = f"; import {ELSEWHERE[kind]} first" if kind in ELSEWHERE else ""
        raise ModelFileError(
            f"{repository}: holds {kind!r}, wanted one of {', '.join(map(repr, READERS))}{hint}"
        )
    return READERS[kind](folder, limits)


def push_to_hub(
    model: nn.Module | str | Path,
    repository: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    message: str | None = None,
    token: str | None = None,
    card: str | None = None,
) -> str:
    """Upload a model to a repository of the Hugging Face Hub, which is made if need be.

    Args:
        model: a flow, a generative classifier, or the folder of one, with the report that ``preimage train``
            wrote into it.
        repository: ``owner/name``.
        private: whether a new repository is; the Hub's default otherwise.
        revision: branch; the main one by default.
        message: of the commit.
        token: that may write; the one that huggingface_hub has stored by default.
        card: text of the ``README.md``; by default it says what the model is, how it was trained and how it
            is loaded.

    Returns:
        The address of the repository.

    Raises:
        ModelFileError: the model cannot be saved, or the folder holds none.
        OutputError: the upload failed.
        MissingExtraError: huggingface_hub is not installed.

    Cost: one upload.
    """
    _check_name(repository)
    hub = _hub()
    with tempfile.TemporaryDirectory() as place:
        folder, flow = _folder(model, Path(place))
        text = _for_type(CARDS, flow)(flow, repository) if card is None else card
        try:
            api = hub.HfApi(token=token, library_name="preimage")
            address = api.create_repo(repository, private=private, exist_ok=True)
            upload = {"repo_id": repository, "revision": revision}
            api.upload_folder(
                folder_path=folder,
                allow_patterns=[*MODEL, *BESIDE],
                commit_message=message or f"A {type(flow).__name__} of preimage",
                **upload,
            )
            api.upload_file(
                path_or_fileobj=text.encode(), path_in_repo=CARD, commit_message="Model card", **upload
            )
        except Exception as error:  # whatever the network, or the Hub, leads its package to
            raise OutputError(f"push_to_hub: {repository}: {_said(error)}") from error
    return str(address)


def _for_type(table: dict[type, Callable[..., Any]], model: object) -> Callable[..., Any]:
    """What the table says of the type of a model, or of one that it derives from."""
    found = [table[kind] for kind in type(model).__mro__ if kind in table]
    if not found:
        raise ModelFileError(
            f"push_to_hub: {type(model).__name__} is no model that can be shared, wanted one of"
            f" {', '.join(kind.__name__ for kind in table)}, or a folder"
        )
    return found[0]


def _folder(model: nn.Module | str | Path, place: Path) -> tuple[Path, Any]:
    """The model as a folder, and itself; a folder is read first, so that nothing broken is uploaded."""
    if isinstance(model, str | Path):
        if not Path(model).is_dir():
            raise ModelFileError(f"push_to_hub: {model} is no folder; give a flow, or the folder of one")
        return Path(model), from_pretrained(model)
    return _for_type(WRITERS, model)(model, place / "model"), model


def _downloaded(
    repository: str, revision: str | None, token: str | None, cache: str | Path | None, limits: Limits
) -> Path:
    _check_name(repository)
    hub = _hub()
    try:
        found = hub.HfApi(token=token, library_name="preimage").model_info(
            repository, revision=revision, files_metadata=True
        )
        _check_sizes(repository, {file.rfilename: file.size for file in found.siblings or []}, limits)
        # The commit whose sizes were looked at, not a later one of the same name.
        folder = hub.snapshot_download(
            repository,
            revision=found.sha,
            allow_patterns=[*MODEL, BESIDE[0]],
            cache_dir=cache,
            token=token,
            library_name="preimage",
        )
    except ModelFileError:
        raise
    except Exception as error:  # whatever the network, or the Hub, leads its package to
        raise ModelFileError(f"{repository}: cannot be downloaded: {_said(error)}") from error
    return Path(folder)


def _check_sizes(repository: str, sizes: dict[str, int | None], limits: Limits) -> None:
    absent = [name for name in MODEL if name not in sizes]
    if absent:
        raise ModelFileError(f"{repository}: lacks {', '.join(absent)}, so it holds no model of preimage")
    for name in (*MODEL, BESIDE[0]):
        cap = limits.tensor_bytes if name == WEIGHTS else limits.text_bytes
        if (sizes.get(name) or 0) > cap:
            raise ModelFileError(
                f"{repository}: {name} has {sizes[name]} bytes, wanted at most {cap}; raise the limit with"
                " limits=Limits(...)"
            )


def _check_name(repository: str) -> None:
    if not REPOSITORY.fullmatch(repository) or ".." in repository:
        raise ModelFileError(
            f"{repository}: no such folder, and no repository; wanted owner/name, such as ann/moons"
        )


def _hub() -> ModuleType:
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingExtraError(
            "the Hugging Face Hub needs huggingface_hub. Install with:\n    pip install 'preimage[hub]'"
        ) from error
    return huggingface_hub


def _said(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no reason given'}"
