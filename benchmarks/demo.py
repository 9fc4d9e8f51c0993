"""The main job, timed and measured: the demo twice, first without and then with kept decoders and answers.

    python benchmarks/demo.py            # writes benchmarks/results/demo.json
    python benchmarks/demo.py --table    # prints the README's table from that file

Seconds are wall-clock and CPU time of the whole command; quality is the mean over the demo photographs,
none of which is among the photographs that the calibration has seen.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULT = Path(__file__).parent / "results" / "demo.json"
MODES = ("data-free", "calibrated", "painted", "refined")
SHOWN = ("stem", "block 0", "block 2", "block 4", "block 7", "block 10", "block 15", "head", "pooled")


def command() -> Path:
    return Path(sys.executable).with_name("preimage")


def timed(arguments: list[str]) -> dict[str, float]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    subprocess.run([str(command()), *arguments], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "wall_seconds": round(time.perf_counter() - begun, 1),
        "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "peak_mebibytes": round(after.ru_maxrss / 1024),
    }


def measure() -> dict:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        timed(["pictures", "--out", str(folder / "pictures")])
        shown = ["--pictures", str(folder / "pictures"), "--cache", str(folder / "cache")]
        runs = {
            name: timed(["invert", "efficientnet-lite0", *shown, "--out", str(folder / "report")])
            for name in ("first", "repeated")
        }
        report = json.loads((folder / "report" / "report.json").read_text())
    return {
        "command": "python benchmarks/demo.py",
        "machine": {"processor": platform.machine(), "cores": os.cpu_count()},
        "runs": runs,
        "environment": report["environment"],
        "calibration": report["calibration"],
        "pictures": report["pictures"],
        "summary": report["summary"],
        "cells": report["cells"],
    }


def table(result: dict) -> str:
    rows = {row["tap"]: row for row in result["summary"]}
    lines = [
        "| depth | numbers / input | data-free | calibrated | painted | refined | shrink and enlarge |",
        "|---|---|---|---|---|---|---|",
    ]
    for tap in SHOWN:
        row = rows[tap]
        cells = [cell(row[mode]) for mode in MODES]
        shrunk = f"{row['shrink and enlarge']['psnr']:.1f} dB"
        lines.append(f"| {tap} | {row['ratio']:.3g} | {' | '.join(cells)} | {shrunk} |")
    return "\n".join(lines)


def cell(found: dict) -> str:
    if found["psnr"] is None:
        return "–"
    flag = "" if found["converged"] == found["pictures"] else " ⚑"
    return f"{found['psnr']:.1f} dB, {100 * found['feature_error']:.2g} %{flag}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--table", action="store_true", help="print the table of the last measurement")
    if not parser.parse_args().table:
        RESULT.write_text(json.dumps(measure(), indent=1) + "\n")
    print(table(json.loads(RESULT.read_text())))


if __name__ == "__main__":
    main()
