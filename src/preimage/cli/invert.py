"""``preimage invert``: each picture as each depth of a network remembers it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from preimage.errors import PictureError, PreimageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from preimage import zoo
    from preimage.gallery import Record
    from preimage.gallery.command import Pictures
    from preimage.gallery.engine import Painter
    from preimage.inverse.inverse import Inverse


def invert(
    model: Annotated[
        str, typer.Argument(help="A zoo name, package.module:function or path/to/file.py:function.")
    ],
    *,
    pictures: Annotated[Path, typer.Option(help="Folder of the pictures to show.")],
    out: Annotated[Path, typer.Option(help="Folder of the report; appears when it is complete.")],
    calibration: Annotated[
        Path | None,
        typer.Option(help="Folder of other pictures to calibrate on. [default: the packaged ones]"),
    ] = None,
    no_calibration: Annotated[bool, typer.Option("--no-calibration", help="Data-free only.")] = False,
    taps: Annotated[str, typer.Option(help="Comma-separated depths. [default: all]")] = "",
    size: Annotated[int | None, typer.Option(help="Side of the input of a zoo network, in pixels.")] = None,
    input_shape: Annotated[
        str, typer.Option(help="Channels, height and width that a network of your own reads.")
    ] = "3,224,224",
    mean: Annotated[str, typer.Option(help="Per channel, for pixels in 0..1, own networks only.")] = "0",
    std: Annotated[str, typer.Option(help="Per channel, for pixels in 0..1, own networks only.")] = "1",
    crops: Annotated[int, typer.Option(min=1, help="Crops per calibration picture.")] = 24,
    products: Annotated[int, typer.Option(min=1, help="Jacobian products of one refinement.")] = 20,
    cache: Annotated[
        Path | None, typer.Option(help="Folder that keeps ledger, decoders and answers between runs.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Show each picture as each depth of a network remembers it."""
    from preimage import gallery, zoo
    from preimage.gallery.command import Order, carry_out
    from preimage.gallery.measure import Effort

    gallery.check_target(out)
    shown = dict(zoo.read_folder(pictures))
    network = (
        zoo.from_code(model, _preprocessing(input_shape, mean, std))
        if ":" in model
        else zoo.load(model, size)
    )
    other = {} if no_calibration else _calibration(calibration, shown)
    chosen = tuple(tap.strip() for tap in taps.split(",") if tap.strip())
    attach = None if no_calibration else _attach(network.name)
    order = Order(network, shown, out, other, chosen, crops, Effort(products=products), cache, attach)
    progress = gallery.Silence() if quiet else gallery.progress_on(sys.stderr)
    record = carry_out(order, progress, lambda text: typer.echo(text, err=as_json))
    typer.echo(_as_json(record) if as_json else _summary(record, out))


def _calibration(folder: Path | None, shown: Pictures) -> Pictures:
    """Calibration pictures, without any that are shown."""
    from preimage import zoo

    if folder is None:
        found = {photograph.name: photograph.read() for photograph in zoo.pictures("calibration")}
    else:
        found = dict(zoo.read_folder(folder))
    seen = {picture.tobytes() for picture in shown.values()}
    other = {name: picture for name, picture in found.items() if picture.tobytes() not in seen}
    if len(other) < 2:
        raise PictureError(
            "calibration needs at least two pictures that are not among those shown; give --calibration DIR,"
            " or --no-calibration"
        )
    return other


def _attach(network: str) -> Callable[[Inverse], Painter] | None:
    """The picture prior that ships for a network of the zoo; None where there is none."""
    from preimage import decoders

    return decoders.load(network).attach if network in decoders.names() else None


def _preprocessing(input_shape: str, mean: str, std: str) -> zoo.Preprocessing:
    from preimage import zoo

    channels, height, width = (int(n) for n in _numbers("--input-shape", input_shape, 3))
    pixels = [tuple(255 * v for v in _numbers(o, t, channels)) for o, t in (("--mean", mean), ("--std", std))]
    return zoo.Preprocessing(height, width, *pixels)


def _numbers(option: str, text: str, count: int) -> list[float]:
    """Comma-separated numbers; a single mean or deviation stands for all channels."""
    parts = text.split(",") if "," in text or option == "--input-shape" else [text] * count
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = []
    if len(values) != count:
        raise PreimageError(f"{option} needs {count} comma-separated numbers; got {text!r}")
    return values


def _as_json(record: Record) -> str:
    from preimage.gallery.job import plain

    return json.dumps(plain(record.to_dict()))


def _summary(record: Record, out: Path) -> str:
    from preimage.gallery.summary import summary

    return f"\n{summary(record)}\n\nOpen {out / 'index.html'}"
