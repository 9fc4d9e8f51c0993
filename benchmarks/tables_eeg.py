"""Tables about real recordings of brains."""

from results_text import measured, read, section, table


def real() -> str:
    parts = []
    for name, found in read("eeg_real").items():
        rows = [
            [
                method,
                f"{100 * entry['mean']:.1f} %",
                f"{100 * entry['deviation']:.1f}",
                f"{100 * entry['low']:.1f} to {100 * entry['high']:.1f} %",
                f"{entry['cpu_seconds']:.0f} s",
            ]
            for method, entry in found["methods"].items()
        ]
        head = ["method", "accuracy, mean of seeds", "deviation of seeds", "95 % interval", "process time"]
        parts.append(
            f"**{name}** ({found['kind']}, {found['channels']} channel{'s' * (found['channels'] > 1)};"
            f" {found['train']} recordings to train on, {found['test']} to report on; largest class"
            f" {100 * found['majority']:.1f} %)\n\n{table(head, rows)}"
        )
    return section(
        "Real recordings (4-10)",
        "python benchmarks/eeg_real.py",
        "SelfRegulationSCP1 is repaired to the one channel that was recorded; HandMovementDirection is MEG."
        " Everything was chosen inside the recordings to train on: settings of the closed-form methods by"
        " ten-fold cross-validation, the epoch of networks by a held-out fifth, which also chose one of two input"
        " rates for EEG-InvNet and EEG-CosNet. All networks train for 40 epochs with the same seeds; those of"
        " braindecode see the recordings at 64 and 100 Hz. The corpus of the thesis (TUH Abnormal) is not"
        " freely available; these sets stand in for it. The interval is that of Clopper and Pearson for the mean accuracy: with 293"
        " recordings about 3 points to either side, with 74 about 12, so neighbours in the second table cannot"
        " be told apart. EEG-CosNet knows no signs, so slow potentials, which differ in sign, are beyond it.",
        *parts,
    )


def sections() -> list[str]:
    return measured({"eeg_real": real})
