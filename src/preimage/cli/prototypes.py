"""``preimage prototypes``: what classes of recordings look like."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def prototypes(
    data: Annotated[
        Path, typer.Argument(help="Recordings: .npz (x, labels, rate, channels), .npy, or what MNE reads.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder of the report; appears when it is complete.")],
    labels: Annotated[Path | None, typer.Option(help="Text file, one class a line.")] = None,
    rate: Annotated[float | None, typer.Option(help="Hertz, where the file does not say.")] = None,
    channels: Annotated[str, typer.Option(help="Comma-separated names, where the file does not say.")] = "",
    window: Annotated[float | None, typer.Option(help="Seconds of the windows to cut.")] = None,
    model: Annotated[
        Path | None, typer.Option(help="A saved classifier. [default: one is fitted to the data]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the recordings that are held out.")] = 0,
) -> None:
    """Show what classes of EEG or MEG recordings look like to a classifier."""
    import torch

    from preimage import eeg, gallery
    from preimage.classify import load_classifier
    from preimage.gallery import whole_folder

    gallery.check_target(out)
    names = [name.strip() for name in channels.split(",") if name.strip()]
    recordings = eeg.read_recordings(data, labels, rate, names, window)
    classifier = None if model is None else load_classifier(model)
    report = eeg.report_prototypes(recordings, classifier, generator=torch.Generator().manual_seed(seed))
    with whole_folder(out) as folder:
        eeg.write_report(report, folder)
    typer.echo(f"{recordings}\n{report.sentence()}\n\nOpen {out / 'index.html'}")
