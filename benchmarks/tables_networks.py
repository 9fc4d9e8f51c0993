"""Tables about whole networks run backwards."""

from results_text import measured, read, section, table


def both_ways(found: dict | None) -> str:
    if found is None:
        return ""
    solved = "yes" if found["converged"] == len(found["residual"]) else "no"
    return f"{max(found['residual']):.1e}, {max(found['input_error']):.1e}, {solved}"


def demo() -> str:
    found = read("demo")
    runs = [
        [name, *(run.get(k) for k in ("wall_seconds", "cpu_seconds", "peak_mebibytes"))]
        for name, run in found["runs"].items()
    ]
    return section(
        "The demo",
        "python benchmarks/demo.py",
        "First without, then with kept decoders and answers.",
        table(["run", "wall-clock s", "CPU s", "peak MiB"], runs),
    )


def trained_networks() -> str:
    found = read("trained_networks")
    rows = []
    for name, entry in found["networks"].items():
        solved = "; ".join(f"{block['solved']}" for block in entry["blocks"])
        last, out = entry["from_last_block"], entry["from_output"]
        rows.append(
            [
                name,
                f"{entry['accuracy']:.1%}",
                solved,
                ", ".join(f"{value:.0f}" for value in last["psnr"]) + " dB",
                f"{last['residual']:.0e}",
                f"{last['cpu_seconds']:.0f}",
                ", ".join(f"{value:.0f}" for value in out["psnr"]) + " dB",
                f"{out['residual']:.0e}",
            ]
        )
    head = [
        "network",
        "test accuracy",
        "pictures solved, each block alone",
        "from the last block",
        "residual",
    ]
    return section(
        f"Small networks trained on digits, data-free, {found['pictures']} test pictures, float64",
        found["command"],
        "Goal: 40 dB from the last block. A block alone counts as solved where a preimage was found: what a ReLU"
        " clipped, or several solutions leave open, only the layers before it can tell. From the output ten numbers"
        " remain of 64.",
        table([*head, "CPU s", "from the output", "residual "], rows),
    )


def saved_inverse() -> str:
    found = read("saved_inverse")
    seconds, size = found["seconds"], sum(found["bytes"].values())
    rows = [
        ["calibrate", f"{seconds['calibrate']:.1f} s"],
        ["save", f"{seconds['save']:.2f} s"],
        ["load, capture included", f"{seconds['load']:.2f} s"],
        [
            "size of the folder",
            f"{size / 1e6:.1f} MB; the network has {found['bytes of the network'] / 1e6:.1f} MB",
        ],
        ["answers are the same bit by bit", "yes" if found["answers are the same bit by bit"] else "NO"],
    ]
    return section(
        f"A calibrated inverse on disk: EfficientNet-Lite0 at {found['size']} px, {found['taps']} taps",
        "python benchmarks/saved_inverse.py",
        table(["what", "measured"], rows),
    )


def coverage() -> str:
    rows = read("coverage")["rows"]
    lines = []
    for library in ("torchvision", "timm"):
        mine = [row for row in rows if row["library"] == library]
        done = [row for row in mine if not isinstance(row.get("error"), str)]
        capture, planning = (max(row[key] for row in done) for key in ("capture_seconds", "plan_seconds"))
        share = f"{len(done)} of {len(mine)} ({100 * len(done) / len(mine):.0f} %)"
        lines.append([library, share, max(row["nodes"] for row in done), capture, planning])
    head = ["library", "families covered", "largest, values", "slowest capture, s", "slowest plan, s"]
    text = "One small network of each family with random weights; each network is on the [coverage](coverage.md) page."
    return section("Coverage", "python benchmarks/coverage.py", text, table(head, lines))


def real_networks() -> str:
    found = read("real_networks")
    ways = ("data-free", "solved", "with side information")
    rows = [
        [name, row["tap"], row["numbers"], row["guarantee"], *(both_ways(row.get(way)) for way in ways)]
        for name, network in found["networks"].items()
        for row in network["taps"]
    ]
    facts = "; ".join(
        f"{name}: {network['parameters']:,} parameters, {network['input_size']:,} input numbers,"
        f" first {network['samples']} of its inputs, at most {network['products']} Jacobian products to solve,"
        f" {network['ledger']['ranks_checked']} ranks of its ledger checked against dense matrices,"
        f" {network['ledger']['ranks_wrong']} wrong"
        for name, network in found["networks"].items()
    )
    return section(
        "Small trained networks of other people, from every tap",
        found["command"],
        f"{facts}. Each cell: |f(g(y)) - y| / |y|, then |g(f(x)) - x| / |x|, worst sample, and whether the"
        " certificate says converged. *With side information* keeps the places of the maxima of every pool in"
        " front of the tap, so it is not comparable with the others, and is empty where there is no such pool.",
        table(["network", "tap", "numbers", "promise", *ways], rows),
    )


PARTS = {
    "demo": demo,
    "trained_networks": trained_networks,
    "saved_inverse": saved_inverse,
    "coverage": coverage,
    "real_networks": real_networks,
}


def sections() -> list[str]:
    return measured(PARTS)
