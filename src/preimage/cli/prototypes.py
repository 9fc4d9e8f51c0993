"""``preimage prototypes``: what classes of recordings or of pictures look like."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def prototypes(
    data: Annotated[
        Path,
        typer.Argument(
            help="Recordings: .npz (x, labels, rate, channels), .npy, or what MNE reads. Pictures: a folder"
            " with one folder for every class, or .npz (x, labels)."
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder of the report; appears when it is complete.")],
    labels: Annotated[Path | None, typer.Option(help="Recordings: text file, one class a line.")] = None,
    rate: Annotated[float | None, typer.Option(help="Recordings: hertz, if the file does not say.")] = None,
    channels: Annotated[str, typer.Option(help="Recordings: names, if the file does not say.")] = "",
    window: Annotated[float | None, typer.Option(help="Recordings: seconds of windows to cut.")] = None,
    size: Annotated[int | None, typer.Option(help="Pictures: side of the squares to scale to.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Pictures: of training.")] = 600,
    model: Annotated[
        Path | None, typer.Option(help="A saved classifier. [default: one is fitted to the data]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of what is held out, and of the fit.")] = 0,
) -> None:
    """Show what classes of recordings or of pictures look like to a classifier."""
    import torch

    from preimage import classify, datasets, eeg, gallery
    from preimage.gallery import whole_folder

    gallery.check_target(out)
    classifier = None if model is None else classify.load_classifier(model)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    if rate is None and labels is None and datasets.holds_labelled_pictures(data):
        pictures = datasets.read_labelled_pictures(data, size)
        report = classify.report_pictures(*pictures, classifier, steps=steps, generator=generator)
        said = f"{len(pictures.x)} pictures of {', '.join(pictures.classes)}"
        with whole_folder(out) as folder:
            classify.write_picture_report(report, folder)
    else:
        names = [name.strip() for name in channels.split(",") if name.strip()]
        said = eeg.read_recordings(data, labels, rate, names, window)
        report = eeg.report_prototypes(said, classifier, generator=generator)
        with whole_folder(out) as folder:
            eeg.write_report(report, folder)
    typer.echo(f"{said}\n{report.sentence()}\n\nOpen {out / 'index.html'}")
