"""Synthetic EEG from end to end: planted features, an EEG-InvNet, what it learnt, and a report.

python examples/eeg_demo.py --out eeg-demo

Every explanation is scored against what was planted. Needs the extra `eeg`.
"""

import argparse
from pathlib import Path

import torch

from preimage import eeg
from preimage.classify import ClassAndBitsLoss

NAMES = ("normal", "abnormal")


def train_invnet(x: torch.Tensor, labels: torch.Tensor, epochs: int) -> eeg.EEGInvNet:
    """A small EEG-InvNet; the published one has 256 hidden channels and 4 blocks a stage."""
    model = eeg.EEGInvNet(
        x.shape[1],
        x.shape[2],
        NAMES,
        stages=2,
        blocks=1,
        hidden_channels=24,
        kernel_size=5,
        loss=eeg.NoisyLoss(ClassAndBitsLoss(), 0.005),
    )
    settings = eeg.recipe_settings(epochs=epochs, schedule="cosine", batch_size=64, hold_out=0.15)
    return model.fit(x, labels, **settings, progress=False).eval()


def accuracy(model: torch.nn.Module, x: torch.Tensor, labels: torch.Tensor) -> float:
    return float((model.predict(x) == labels).double().mean())  # pyright: ignore[reportCallIssue]


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("eeg-demo"))
    parser.add_argument("--recordings", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> dict[str, float]:
    options = parsed(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)

    x, labels, truth = eeg.synthetic(options.recordings, generator=generator)
    fresh, wanted = truth.draw(max(200, options.recordings // 4), generator)
    channels, rate = truth.grid.channels, truth.grid.rate
    scale = x.std()
    print(
        f"{len(x)} recordings of {len(channels)} electrodes; at best {truth.bayes_accuracy(2000, generator)}"
    )

    invnet = train_invnet(x / scale, labels, options.epochs)
    prototypes = invnet.prototypes()
    shown = prototypes.x.detach() * scale  # microvolts
    scores = eeg.score_prototypes(shown, truth)
    figures = {"invnet": accuracy(invnet, fresh / scale, wanted)}
    figures["inverse"] = float(prototypes.certificate.residual.max())
    print(
        f"EEG-InvNet: {figures['invnet']:.1%}; inverse of the class means exact to {figures['inverse']:.0e}"
    )
    for score in scores:
        print(f"  {score.feature}: correlation {score.correlation:.2f}, found at {', '.join(score.found)}")
    figures["worst correlation"] = min(score.correlation for score in scores)
    figures["localised"] = sum(score.localised for score in scores) / len(scores)

    cosnet = eeg.EEGCosNet(len(channels), filters=16)
    cosnet.distil(invnet, x / scale, epochs=options.epochs, progress=False)
    same = cosnet.predict(fresh / scale) == invnet.predict(fresh / scale)
    figures["cosnet agrees"] = float(same.double().mean())
    print(f"EEG-CosNet, 16 filters: agrees with EEG-InvNet on {figures['cosnet agrees']:.1%}")

    draw(options.out, invnet, cosnet, shown, fresh / scale, wanted, channels, rate)
    recordings = eeg.Recordings(x, labels, channels, rate, NAMES)
    report = eeg.report_prototypes(recordings, generator=generator)
    figures["report"] = report.accuracy.value
    print(report.sentence())
    print(f"Open {eeg.write_report(report, options.out / 'report')}; figures in {options.out}")
    return figures


def draw(
    out: Path,
    invnet: eeg.EEGInvNet,
    cosnet: eeg.EEGCosNet,
    prototypes: torch.Tensor,
    x: torch.Tensor,
    labels: torch.Tensor,
    channels: tuple[str, ...],
    rate: float,
) -> None:
    """Every figure of the networks as a PNG."""
    patterns = eeg.cosnet_patterns(cosnet, x)
    drawings = {
        "architecture": eeg.plot_architecture(stages=2, blocks=1),
        "prototypes": eeg.plot_waveforms(prototypes, channels, rate, NAMES, "EEG-InvNet: class prototypes"),
        "evidence": eeg.plot_class_evidence(invnet.predict_proba(x), labels, NAMES),
        "cosnet_filters": eeg.plot_cosnet_filters(patterns, channels, NAMES),
        "cosnet_steps": eeg.plot_cosnet_steps(cosnet, x[0], rate, NAMES),
    }
    one, titles = eeg.band_maps(prototypes[1], channels, rate)
    other, _ = eeg.band_maps(prototypes[0], channels, rate)
    drawings["maps"] = eeg.separate_scalp_maps(one - other, channels, titles, title="abnormal minus normal")
    for name, drawing in drawings.items():
        drawing.savefig(out / f"{name}.png")


if __name__ == "__main__":
    main()
