"""A network of the user's own, named on the command line."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from torch import nn

from preimage.errors import PreimageError
from preimage.zoo.networks import Network
from preimage.zoo.preprocessing import Preprocessing


def from_code(name: str, preprocessing: Preprocessing) -> Network:
    """Call a function of the user's that builds a network. This runs the user's code.

    Args:
        name: ``package.module:function`` or ``path/to/file.py:function``; the function takes no argument and
            returns an ``nn.Module``. A module object under that name is taken as it is.
        preprocessing: from a picture to what the network reads.

    Returns:
        The network in evaluation mode, with frozen parameters.

    Raises:
        PreimageError: there is no such file, module or function, it fails, or what it returns is no network.

    Cost: that of the user's function.

    Example:
        >>> from preimage.zoo import Preprocessing, from_code
        >>> half = Preprocessing(8, 8, (127.0,) * 3, (128.0,) * 3)
        >>> from_code("torch.nn:Identity", half).module
        Identity()
    """
    place, _, attribute = name.rpartition(":")
    if not place or not attribute:
        raise PreimageError(
            f"{name!r} names no function; write package.module:function or path/to/file.py:function"
        )
    module = _from_file(Path(place)) if place.endswith(".py") else _from_package(place)
    return Network(attribute, _built(module, attribute, name).eval().requires_grad_(False), preprocessing)


def _from_package(place: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ImportError as error:
        raise PreimageError(
            f"module {place!r} cannot be imported ({error}); give an installed module, or"
            " path/to/file.py:function"
        ) from error


def _from_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise PreimageError(f"{path} is no Python file; write path/to/file.py:function")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and torch.export look a class's module up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise PreimageError(f"{path} fails when it is run: {type(error).__name__}: {error}") from error
    return module


def _built(module: ModuleType, attribute: str, name: str) -> nn.Module:
    found = getattr(module, attribute, None)
    if found is None:
        raise PreimageError(f"{name!r}: there is no {attribute!r} in {module.__name__}")
    try:
        network = found if isinstance(found, nn.Module) else found()
    except Exception as error:
        raise PreimageError(f"{name!r} fails when it is called: {type(error).__name__}: {error}") from error
    if not isinstance(network, nn.Module):
        raise PreimageError(f"{name!r} returns a {type(network).__name__}; an nn.Module was wanted")
    return network
