"""Tables about layers that are invertible by design."""

from statistics import fmean

from results_text import measured, read, section, table


def householder() -> str:
    found = read("householder_layer")["contenders"]
    rows = [[name, f"{c['ratio']:.1f} x", f"{c['peak_mb']:.0f} MB"] for name, c in found.items()]
    return section(
        "Householder layer, 512 reflections of 512 features, batch 512, training step",
        "python benchmarks/householder_layer.py",
        table(["what", "time of one dense product step", "peak extra memory"], rows),
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


PARTS = {
    "householder_layer": householder,
    "reversible_memory": reversible,
    "tarflow_sampling": tarflow,
    "transformer_coupling": transformer_coupling,
    "spline_extremes": splines,
    "log_det_estimators": log_det_estimators,
    "autoregressive_sampling": autoregressive,
    "monotone_honesty": monotone,
}


def sections() -> list[str]:
    return measured(PARTS)
