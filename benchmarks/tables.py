"""Writes docs/results.md from the JSON files in benchmarks/results: no figure is typed by hand.

python benchmarks/tables.py
"""

import json
from pathlib import Path
from statistics import fmean, median

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"

INTRODUCTION = """# Results

Every figure on this page is copied by `python benchmarks/tables.py` from a JSON file that the command above it
wrote. Times are process time of one thread unless they are called wall-clock; machines differ, ratios within one
run travel. Pictures are 224 x 224 crops of photographs that ship inside Python packages. None of the pictures
reported under *depth curve* and *demo* was used to choose anything.
"""


def read(name: str) -> dict | None:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def table(head: list[str], rows: list[list]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)])


def section(title: str, command: str, *parts: str) -> str:
    return "\n\n".join([f"## {title}", f"`{command}`", *parts])


def stem() -> str:
    found = read("stem_region")["pictures"]
    decibels = [p["psnr"] for p in found.values()]
    seconds = [p["cpu_seconds"] for p in found.values()]
    wrong = sum(p["certified_but_wrong"] for p in found.values())
    rows = [
        ["PSNR, worst of all photographs", f"{min(decibels):.1f} dB", ">= 60 dB"],
        ["PSNR, median", f"{median(decibels):.1f} dB", ""],
        ["CPU seconds, median / worst", f"{median(seconds):.2f} / {max(seconds):.2f}", "<= 2"],
        [
            "positions certified, median",
            f"{median(p['certified_exact_share'] for p in found.values()):.1%}",
            "",
        ],
        ["certified but wrong", wrong, "0"],
    ]
    return section(
        f"Stem of EfficientNet-Lite0, data-free, {len(found)} photographs",
        "python benchmarks/stem_region.py",
        "Convolution, batch norm and ReLU6 inverted as one region from the true activations. The worst time was"
        " measured on a machine that was busy with other work.",
        table(["what", "measured", "goal"], rows),
    )


def expansions() -> str:
    found = read("expansions")["summary"]
    rows = [
        [
            f"block {block}",
            f"{layer['recovered']['median']:.1%} / {layer['recovered']['worst']:.1%}",
            f"{layer['determined']['median']:.1%}",
            f"{layer['pictures_at_95_percent']} of {found['pictures']}",
        ]
        for block, layer in found["layers"].items()
    ]
    return section(
        "The 15 six-fold expansions, data-free",
        "python benchmarks/expansions.py",
        f"Positions whose block input comes back with a relative error <= 1e-5. Certified but wrong:"
        f" {found['certified_but_wrong']}. Blocks 11, 14 and 15 miss the goal of 95 %: there the unsaturated rows"
        " have less than full rank at the remaining positions (column *determined*), so the input is not"
        " determined by equations; solving for it with the inequalities returns a preimage, not the input.",
        table(["layer", "recovered, median / worst", "determined, median", "photographs at 95 %"], rows),
    )


METHODS = ("calibrated", "refined", "plain ridge", "shrink and enlarge", "own mean colour")


def depth() -> str:
    found = read("depth_curve")
    rows = []
    for entry in found["rows"]:
        cells = [entry["tap"]]
        for method in METHODS:
            scores = entry["methods"].get(method)
            cells.append(
                f"{fmean(scores['psnr']):.1f} / {fmean(scores['feature_error']):.0%}" if scores else ""
            )
        rows.append(cells)
    head = ["tap", *METHODS]
    return section(
        f"Depth curve, {len(found['test'])} held-out photographs ({', '.join(found['test'])})",
        "python benchmarks/depth_curve.py",
        "Mean PSNR in dB / feature error |f(x) - y| / |y - channel mean|. *Plain ridge* is the ridge decoder of one"
        " window and one ridge that the calibrated decoder should not fall behind. Shrinking the picture to the"
        " tap's own size, which no inverse is allowed to do, wins wherever its column is larger.",
        table(head, rows),
    )


def against_adam() -> str:
    found, ours = read("against_adam"), read("depth_curve")
    at = [ours["test"].index(name) for name in found["pictures"]]
    methods = {entry["tap"]: entry["methods"] for entry in ours["rows"]}
    rows = []
    for entry in found["rows"]:
        own = methods.get(entry["tap"])
        if own:
            mean = {m: fmean(own[m]["psnr"][i] for i in at) for m in ("calibrated", "refined")}
            faster = {
                m: entry["seconds_per_picture"] / max(own[m]["seconds_per_picture"], 1e-4) for m in mean
            }
            cells = [f"{mean[m]:.1f}" for m in mean] + [f"{faster[m]:,.0f} x" for m in mean]
            rows.append([entry["tap"], f"{fmean(entry['psnr']):.1f}", *cells])
    return section(
        f"Against {found['steps']} steps of gradient inversion, {' and '.join(found['pictures'])}",
        "python benchmarks/against_adam.py",
        "Mean PSNR in dB. Adam with total variation from mid-grey gets the better of two settings on these very"
        " pictures, which favours it; *faster* counts process time of one run.",
        table(["tap", "Adam and TV", "one shot", "refined", "one shot faster", "refined faster"], rows),
    )


def demo() -> str:
    found = read("demo")
    runs = [
        [name, *(run.get(k) for k in ("wall_seconds", "cpu_seconds", "peak_mebibytes"))]
        for name, run in ((n, found[n]) for n in ("cold", "warm") if n in found)
    ]
    return section(
        "The demo",
        "python benchmarks/demo.py",
        "First without, then with kept decoders.",
        table(["run", "wall-clock s", "CPU s", "peak MiB"], runs),
    )


def householder() -> str:
    found = read("householder_layer")["contenders"]
    rows = [[name, f"{c['ratio']:.1f} x", f"{c['peak_mb']:.0f} MB"] for name, c in found.items()]
    return section(
        "Householder layer, 512 reflections of 512 features, batch 512, training step",
        "python benchmarks/householder_layer.py",
        table(["what", "time of one dense product step", "peak extra memory"], rows),
    )


def honest() -> str:
    found = read("honest_certificates")
    row = found["table"]["all"]
    return section(
        "Certificates over random chains of layers",
        "python benchmarks/honest_certificates.py",
        f"{found['pairs']:,} random (chain, input) pairs, inputs up to 1e6 times larger, weights up to 4 times, NaN.",
        table(
            ["rows", "certified", "flagged", "flagged although right", "certified with an error above 1 %"],
            [
                [
                    row["rows"],
                    row["certified"],
                    row["flagged"],
                    row["flagged although right"],
                    row["silent: certified, error above 1 %"],
                ]
            ],
        ),
    )


def reversible() -> str:
    found = read("reversible_memory")
    rows = []
    for kind in ("additive", "affine"):
        for entry in found[kind]:
            peaks = [f"{entry[m]['peak_mb']:.0f} MB" for m in ("autograd", "reversible")]
            rows.append([kind, entry["depth"], *peaks, f"{entry['gradient_error_float32']:.0e}"])
    return section(
        "Memory of reversible chains",
        "python benchmarks/reversible_memory.py",
        table(["coupling", "depth", "autograd, peak", "reversible, peak", "gradient error, float32"], rows),
    )


def splines() -> str:
    found = read("spline_extremes")
    unit = found["table"]["preimage rational quadratic"]

    def cell(entry: dict) -> str:
        if entry["raised"]:
            return entry["raised"]
        return f"{entry['error']:.0e}" + ("" if entry["finite"] else ", not finite")

    rows = [
        [
            name,
            *map(cell, entry["deviations"].values()),
            *(f"{entry[way] / unit[way]:.2f}" for way in ("forward_seconds", "inverse_seconds")),
        ]
        for name, entry in found["table"].items()
    ]
    heads = [f"deviation {float(key):g}" for key in unit["deviations"]]
    return section(
        "Splines and other monotone maps with extreme parameters, float32",
        "python benchmarks/spline_extremes.py",
        f"Largest error of a round trip within the box, {found['numbers']:,} numbers, raw parameters drawn with the"
        " deviation of the column; *not finite*: so are some values, log_dets or gradients. Times in units of the"
        " first row. Goal for the rational quadratic spline: 1e-4 at deviation 5. With the knots of nflows slopes"
        " reach 1e-8, which no float32 arithmetic can undo.",
        table(["map", *heads, "time forward", "time inverse"], rows),
    )


def penrose() -> str:
    found = read("penrose_grid")
    rows, large = [], []
    for dtype in ("torch.float32", "torch.float64"):
        grid = found[dtype]["grid"]
        worst = [f"{value:.0e}" for value in grid["worst"].values()]
        rows.append([dtype, grid["layers"], f"{grid['goal']:.0e}", grid["within_goal"], *worst])
        large += [[row["layer"], dtype, row["route"], f"{row['worst']:.0e}"] for row in found[dtype]["large"]]
    names = found["torch.float32"]["grid"]["worst"]
    return section(
        "Penrose identities of convolutions",
        found["command"],
        "Kernels 1 to 7, strides 1 to 4, dilations 1 to 3, groups, four kinds of padding, transposed ones, in one to"
        " three dimensions, normal weights. Worst relative error of each identity. What misses the goal is badly"
        " conditioned (the JSON file lists every such layer): there torch's float64 pseudo-inverse, merely rounded"
        " to the tested precision, misses it by as much.",
        table(["precision", "layers", "goal", "within", *names], rows),
        table(["larger layer", "precision", "route", "worst error"], large),
    )


def branches() -> str:
    found = read("branches")["activations"]
    ways = list(next(iter(found.values()))["right"])
    rows = [
        [
            name,
            f"{entry['doubtful_share']:.0%}",
            *(f"{entry['right'][way]:.1%}" for way in ways),
            f"{entry['pictures_recovered']:.1%} / {entry['pictures_certified']:.1%}",
            entry["certified_but_wrong"],
        ]
        for name, entry in found.items()
    ]
    return section(
        "Activations with two preimages: the right one, in a perceptron trained on digits",
        "python benchmarks/branches.py",
        "Share of the doubtful hidden outputs of test pictures for which the right preimage is taken.",
        table(
            ["activation", "doubtful", *ways, "pictures recovered / certified", "certified but wrong"], rows
        ),
    )


def honest_inverses() -> str:
    found = read("honest_inverses")
    rows = [[name, count] for name, count in found["counts"].items()]
    rows += [
        ["refused by an exception of the library", len(found["refused"])],
        ["crashed", len(found["crashed"])],
    ]
    return section(
        f"What the inverse of {found['networks']:,} random networks claims, and whether it is so",
        found["command"],
        "Against the dense float64 Jacobian and the true input. The three rows that say *not returned* and"
        " *differs* count broken claims; the goal is 0.",
        table(["claim", "networks"], rows),
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
        "Goal: 40 dB from the last block. A block behind a ReLU loses what the ReLU clips when it is looked at alone;"
        " the picture is then solved for jointly. From the output ten numbers remain of 64.",
        table([*head, "from the output", "residual "], rows),
    )


def residual_blocks() -> str:
    found = read("residual_blocks")
    rows = [
        [
            block,
            entry["unknowns"],
            f"{entry['solved']} of {entry['pictures']}",
            f"{entry['input']} of {entry['pictures']}",
            ", ".join(f"{cell['residual']:.0e}" for cell in entry["cells"]),
            ", ".join(f"{cell['input_error']:.0e}" for cell in entry["cells"]),
        ]
        for block, entry in found["blocks"].items()
    ]
    return section(
        f"Residual blocks of EfficientNet-Lite0 at {found['pixels']} pixels",
        found["command"],
        "Newton steps with the whole Jacobian from a linear calibrated start, float64. The goal (residual 1e-6 at"
        " 224 pixels, 90 % of the photographs) is not reached: there the Jacobian is too large to write down, and"
        " 400 Jacobian products of matrix-free Gauss-Newton leave about 2e-3; fifty GMRES iterations, with and"
        " without a preconditioner of the matrices at each position, leave a tenth of the linear residual or more.",
        table(["block", "unknowns", "solved", "true input", "residual", "error of the input"], rows),
    )


def tarflow() -> str:
    found = read("tarflow_sampling")["batches"]
    rows = []
    for name in next(iter(found.values()))["rows"]:
        per_batch = [batch["rows"][name] for batch in found.values()]
        passes = per_batch[-1].get("passes")
        rows.append(
            [
                name,
                *(f"{row['ratio']:.1f} x" for row in per_batch),
                f"{fmean(passes):.0f}" if passes else "64",
                f"{max(row['difference'] for row in per_batch):.0e}",
            ]
        )
    batches = [f"batch {name}" for name in found]
    return section(
        "Sampling from an autoregressive transformer (TarFlow), 64 tokens a block",
        "python benchmarks/tarflow_sampling.py",
        "Process time of one thread, of sampling over that of computing densities; sequential steps a block;"
        " relative difference from one run of the whole network for every token, float32.",
        table(["inverse", *batches, "steps", "difference"], rows),
    )


def transformer_coupling() -> str:
    found = read("transformer_coupling")
    rows = [
        [couplings, *(f"{peaks[m]:.0f} MB" for m in ("autograd", "reversible"))]
        for couplings, peaks in found["peak_mb"].items()
    ]
    return section(
        "Transformer couplings (Jet), 3 x 32 x 32, patches of 4 x 4, width 128",
        "python benchmarks/transformer_coupling.py",
        f"Inverse over forward: {found['inverse / forward']:.2f}. Reversible over plain training step:"
        f" {found['reversible step / autograd step']:.2f}. Parameters and gradients of 16 couplings:"
        f" {2 * found['parameters_mb']:.0f} MB.",
        table(["couplings", "autograd, peak", "reversible, peak"], rows),
    )


def convolutions() -> str:
    found = read("convolution_inverse")
    names = ("slanted lines", "loop over positions", "dense solve")
    rows = [
        [f"{entry['size']} x {entry['size']}"]
        + [f"{entry[f'{name}, ms']:.1f} ms" if f"{name}, ms" in entry else "-" for name in names]
        + [f"{entry['loop over positions, ratio']:.1f}", f"{entry['slanted lines, error']:.0e}"]
        for entry in found["methods"]
    ]
    layers = [
        [name, f"{entry['forward, ms']:.1f} ms", f"{entry['inverse, ms']:.1f} ms", f"{entry['error']:.0e}"]
        for name, entry in found["layers"].items()
    ]
    return section(
        "Inverses of convolutions",
        "python benchmarks/convolution_inverse.py",
        "An autoregressive convolution, 3 x 3, 8 channels, batch 16, float32; then every layer at 32 x 32.",
        table(["positions", *names, "loop over lines", "error of the lines"], rows),
        table(["layer", "forward", "inverse", "round trip error"], layers),
    )


def log_det_estimators() -> str:
    found = read("log_det_estimators")
    rows = [
        [
            case["layer"],
            case["estimator"],
            case["probes"],
            f"{case['coverage']:.1%}",
            f"{case['bias']:+.1e}",
            f"{case['bias_over_uncertainty']:+.1f}",
            f"{case['standard_error']:.1e}",
            f"{case['spread']:.1e}",
        ]
        for case in found["cases"]
    ]
    head = ["layer", "estimator", "probes", "coverage", "bias", "bias / its uncertainty"]
    return section(
        f"Stochastic log-determinants, {found['calls']} calls of {found['rows']} rows",
        "python benchmarks/log_det_estimators.py",
        "Coverage of 95 % intervals of Student's distribution around the estimate, against the exact log_det."
        " Truncation and a fixed probability of 0.5 are there for comparison. Goal: 93 to 97 %, no bias.",
        table([*head, "standard error", "true spread"], rows),
    )


def autoregressive() -> str:
    rows = [
        [
            *[row[key] for key in ("features", "transforms", "hidden", "batch")],
            f"{row['log_prob ms']:.2f} / {row['sample ms']:.2f} ms",
            f"{row['ratio']:.1f}",
            f"{row['zuko ratio']:.1f}",
            f"{row['difference from one by one']:.0e}",
        ]
        for row in read("autoregressive_sampling")["rows"]
    ]
    head = ["features", "layers", "hidden units", "batch", "log_prob / sample", "ratio", "ratio of zuko"]
    return section(
        "Sampling from masked autoregressive flows",
        "python benchmarks/autoregressive_sampling.py",
        "Every hidden unit is computed once. Goal: sampling takes at most 4, 8 and 12 times as long as log_prob"
        " at 16, 64 and 256 features. With 64 rows of 64 features the goal is missed where the ratio is above"
        " 8: there single operations of PyTorch take longer than the arithmetic in them.",
        table([*head, "difference from one feature after the other"], rows),
    )


def monotone() -> str:
    found = read("monotone_honesty")["contenders"]
    columns = list(dict.fromkeys(key for entry in found.values() for key in entry))

    def cell(row: dict | str | None) -> str:
        if not isinstance(row, dict):
            return row or ""
        return f"{row['right']} / {row['flagged']} / {row['silent']}"

    rows = [[name, *[cell(entry.get(key)) for key in columns]] for name, entry in found.items()]
    return section(
        "Inverses of monotone networks, far outside of the data",
        "python benchmarks/monotone_honesty.py",
        "Rows of 128 that came back right, that were flagged, and that came back wrong in silence. The peers"
        " give no certificate.",
        table(["two layers", *columns], rows),
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


def both_ways(found: dict | None) -> str:
    if found is None:
        return ""
    solved = "yes" if found["converged"] == len(found["residual"]) else "no"
    return f"{max(found['residual']):.1e}, {max(found['input_error']):.1e}, {solved}"


PARTS = {
    "stem_region": stem,
    "expansions": expansions,
    "depth_curve": depth,
    "against_adam": against_adam,
    "demo": demo,
    "householder_layer": householder,
    "honest_certificates": honest,
    "reversible_memory": reversible,
    "penrose_grid": penrose,
    "branches": branches,
    "honest_inverses": honest_inverses,
    "trained_networks": trained_networks,
    "residual_blocks": residual_blocks,
    "tarflow_sampling": tarflow,
    "transformer_coupling": transformer_coupling,
    "spline_extremes": splines,
    "convolution_inverse": convolutions,
    "log_det_estimators": log_det_estimators,
    "saved_inverse": saved_inverse,
    "autoregressive_sampling": autoregressive,
    "monotone_honesty": monotone,
    "coverage": coverage,
    "real_networks": real_networks,
}


def main() -> None:
    parts = [make() for name, make in PARTS.items() if read(name) is not None]
    (ROOT / "docs" / "results.md").write_text("\n\n".join([INTRODUCTION.strip(), *parts]) + "\n")


if __name__ == "__main__":
    main()
