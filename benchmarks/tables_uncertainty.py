"""Tables of posteriors: coverage of intervals at every tap, and draws that were moved onto the preimage."""

import json
from pathlib import Path
from statistics import fmean, stdev

RESULTS = Path(__file__).parent / "results"
LEVELS = ("0.5", "0.8", "0.9", "0.95")


def sections() -> list[str]:
    """What has been measured, one section for each calibration."""
    file = RESULTS / "uncertainty.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    free = found.pop("data-free", None)
    parts = [section(sources, run) for sources, run in found.items() if run["taps"]]
    return parts + ([data_free(free)] if free else [])


def table(head: list[str], rows: list[list]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)])


def section(sources: str, run: dict) -> str:
    calibration = run["calibration"]
    command = "python benchmarks/uncertainty.py --debian FOLDER" + (
        "" if sources == "train" else f" --sources {sources}"
    )
    text = (
        f"EfficientNet-Lite0 at {run['size']} pixels, calibrated on {calibration['crops']} crops of"
        f" photographs from {calibration['sources']} sources in {run['seconds to calibrate']:.0f} s of one thread,"
        f" {run['bytes of state'] / 1e6:.0f} MB. Coverage of {len(run['held out'])} held-out photographs: mean over"
        " photographs, in brackets its standard deviation and, for 90 %, the least covered photograph. Width"
        " of the 90 % interval and root mean square error in units of the input, whose range is 2. Seconds: estimate,"
        " intervals and certificate of one picture."
    )
    parts = [
        f"## Intervals of a calibrated inverse, {calibration['sources']} sources",
        f"`{command}`",
        text,
        coverage(run["taps"]),
    ]
    if run.get("painted"):
        parts += [
            "The same photographs with the shipped picture decoder, `attached.posterior`. Its intervals are"
            f" {run['painted']['stem']['mode']}, photographs that it was not trained on. Width and error of the"
            " inverse's own posterior beside it: both promise the same coverage, so the narrower one knows more.",
            beside(run["taps"], run["painted"]),
        ]
    if run.get("moved"):
        parts += [
            "Draws of the posterior, and the same moved to f(x) = y with at most 25 Jacobian products (0-10, 0-18):"
            " relative residuals before and after, how far samples are from the mean in units of the standard"
            " deviation that was predicted, and how many of their numbers lie in the 90 % intervals.",
            moved(run["moved"]),
        ]
    return "\n\n".join(parts)


def coverage(taps: dict) -> str:
    rows = []
    for tap, row in taps.items():
        cells = [cell(row["coverage"][level], worst=level == "0.9") for level in LEVELS]
        rows.append([tap, *cells, row["width"], row["root mean square error"], f"{row['seconds']:.2f}"])
    return table(["tap", "50 %", "80 %", "90 %", "95 %", "width", "error", "s"], rows)


def beside(own: dict, painted: dict) -> str:
    rows = []
    for tap, row in painted.items():
        cells = [cell(row["coverage"][level], worst=level == "0.9") for level in LEVELS]
        change = row["width"] / own[tap]["width"] - 1
        errors = [own[tap]["root mean square error"], row["root mean square error"]]
        rows.append([tap, *cells, own[tap]["width"], row["width"], f"{change:+.0%}", *errors])
    head = [
        "tap",
        "50 %",
        "80 %",
        "90 %",
        "95 %",
        "width, own",
        "painted",
        "change",
        "error, own",
        "painted",
    ]
    return table(head, rows)


def data_free(run: dict) -> str:
    """Members of preimages."""
    return "\n\n".join(
        [
            "## Intervals without any data",
            "`python benchmarks/uncertainty.py --debian FOLDER --data-free`",
            f"EfficientNet-Lite0 at {run['size']} pixels, {len(run['held out'])} photographs that were not used for"
            " anything: members of the preimage. Not to be compared with calibrated intervals.",
            coverage(run["taps"]),
        ]
    )


def cell(values: list[float], *, worst: bool) -> str:
    least = f", least {100 * min(values):.0f}" if worst else ""
    return f"{100 * fmean(values):.1f} ({100 * stdev(values):.1f}{least})"


def moved(taps: dict) -> str:
    rows = [
        [
            tap,
            f"{row['residual of draws']:.1%}",
            f"{row['residual of samples']:.2%}",
            row["distance over deviation"],
            f"{row['inside 90 %']:.1%}",
            row["seconds each"],
        ]
        for tap, row in taps.items()
    ]
    return table(["tap", "draws", "samples", "distance", "inside", "s each"], rows)
