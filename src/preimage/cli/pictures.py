"""``preimage pictures``: the packaged photographs as a folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from preimage.errors import PictureError

LICENCES = "LICENCES.tsv"


def pictures(
    out: Annotated[Path, typer.Option(help="Folder to copy to.")],
    split: Annotated[str, typer.Option(help="demo or calibration.")] = "demo",
) -> None:
    """Copy the packaged photographs into a folder, with their licences."""
    from preimage import zoo
    from preimage.gallery import whole_folder

    if split not in ("demo", "calibration"):
        raise PictureError(f"--split is demo or calibration; got {split!r}")
    photographs = zoo.pictures(split)
    with whole_folder(out, mark=LICENCES) as folder:
        for photograph in photographs:
            shutil.copyfile(photograph.path, folder / photograph.path.name)
        lines = [f"{p.path.name}\t{p.package}\t{p.licence}\n" for p in photographs]
        (folder / LICENCES).write_text("".join(lines), encoding="utf-8")
    typer.echo(f"{len(photographs)} photographs in {out}")
