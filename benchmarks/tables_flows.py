"""Tables of the flows: against other libraries, and presets as densities."""

from __future__ import annotations

import statistics
from typing import Any

from results_text import read, section, table

NAMES = {
    "magic": "MAGIC gamma telescope, 10 columns",
    "patches": "8 x 8 patches of photographs, 63 dimensions",
    "mnist": "MNIST-5k, halved to 16 x 16",
    "fashion": "Fashion-MNIST, halved to 16 x 16",
}


def sections() -> list[str]:
    """The sections of this topic, where their files exist."""
    made = [comparison(), families(), presets(), deep()]
    return [text for text in made if text]


def _mean_error(rows: list[dict[str, Any]], key: str = "test") -> tuple[float, float]:
    values = [row[key] for row in rows]
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return statistics.fmean(values), error


def _figure(rows: list[dict[str, Any]]) -> str:
    mean, error = _mean_error(rows)
    return f"{mean:.3f} ± {error:.3f}"


def comparison() -> str:
    """Held-out figures of every library on every data set."""
    found = read("flow_comparison")
    if not found or "runs" not in found:
        return ""
    libraries = list(next(iter(found["runs"].values())))
    rows = []
    for name, runs in found["runs"].items():
        best = min(libraries, key=lambda library: _mean_error(runs[library])[0])
        cells = [f"**{_figure(runs[one])}**" if one == best else _figure(runs[one]) for one in libraries]
        fits = found.get("fits", {}).get(name, {}).get("preimage")
        rows.append([NAMES.get(name, name), *cells, _figure(fits) if fits else ""])
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return section(
        "Flows against other libraries, held-out data",
        "python benchmarks/flow_comparison.py",
        "Negative log-likelihood of test rows, lower is better: nats for tables, patches and the plane, bits per"
        " dimension for pictures (uniform dequantisation, a bound). Mean and standard error of three seeds. Every"
        " library has the same number of parameters within 5 %, the same process time on one thread"
        f" ({_seconds(found)}), the same optimiser, schedule, batches and data, and enters with"
        " the best of its own families by validation in a pilot run with another seed. The last column is our flow"
        f" trained by its own `fit`, for as many steps. {versions}, torch {found['torch']}.",
        table(["data", *libraries, "preimage, own fit"], rows),
    )


def _seconds(found: dict[str, Any]) -> str:
    taken = {}
    for name, runs in found["runs"].items():
        seconds = round(statistics.fmean(row["seconds"] for rows in runs.values() for row in rows))
        taken.setdefault(seconds, []).append(name)
    return ", ".join(f"{seconds} s for {', '.join(names)}" for seconds, names in taken.items())


def families() -> str:
    """Which family every library entered with."""
    found = read("flow_comparison")
    if not found or "runs" not in found:
        return ""
    rows = []
    for name, runs in found["runs"].items():
        cells = [
            f"{rows_of[0]['family']}, {rows_of[0]['transforms']} ({_steps(rows_of):,} steps)"
            for rows_of in runs.values()
        ]
        rows.append([name, *cells])
    libraries = list(next(iter(found["runs"].values())))
    tried = {
        library: sorted({row["family"] for rows_of in _pilots(found, library) for row in rows_of})
        for library in libraries
    }
    text = "; ".join(f"{library}: {', '.join(names)}" for library, names in tried.items())
    return section(
        "Families that the libraries entered with",
        "python benchmarks/flow_comparison.py",
        f"Family, number of transforms, and steps that fitted into the time. Tried were: {text}.",
        table(["data", *libraries], rows),
    )


def _pilots(found: dict[str, Any], library: str) -> list[list[dict[str, Any]]]:
    return [pilots[library] for pilots in found.get("pilots", {}).values() if library in pilots]


def _steps(rows: list[dict[str, Any]]) -> int:
    return round(statistics.fmean(row["steps"] for row in rows))


def presets() -> str:
    """Integrals and samples of every preset over the plane (3-4, 4-2)."""
    found = read("flow_presets")
    if not found:
        return ""
    rows = [
        [
            name,
            f"{row['untrained']['integral']:.6f}",
            f"{row['trained']['integral']:.6f}",
            f"{row['untrained']['p-value']:.2f}",
            f"{row['trained']['p-value']:.2f}",
        ]
        for name, row in found["presets"].items()
    ]
    normal = found["normal"]
    return section(
        "Every preset over the plane is a density, and its samples follow it",
        "python benchmarks/flow_presets.py",
        "Integral of exp(log_prob) over the plane, with random weights and after training on two moons (goal: 1"
        " within 1e-3), and the p-value of an energy-distance permutation test between samples of the flow and draws"
        f" from its density on a grid (acceptance ids 3-4, 4-2). The worst of {len(rows) * 2} p-values should not be"
        f" far below {1 / (2 * len(rows)):.2f}. Linear flows against the exact multivariate normal: largest difference"
        f" of log_prob {normal['log_prob']:.1e}, of the covariance of a large sample in its own standard errors"
        f" {normal['covariance z']:.1f}.",
        table(["preset", "integral, random", "integral, trained", "p, random", "p, trained"], rows),
    )


def deep() -> str:
    """Sixty-four layers from the default start."""
    found = read("flow_depth")
    if not found:
        return ""
    cells = [
        [row["library"], row["family"], f"{row['finite']} of {found['steps']}", _number(row["last"])]
        for row in found["rows"]
    ]
    return section(
        "Chains of 64 layers from their default start",
        "python benchmarks/flow_presets.py --deep",
        f"{found['steps']} training steps on two features of very different scales, batches of 64, Adam at 1e-3,"
        " gradients clipped at 5. Counted are the steps with a finite loss; a library's own error counts as not"
        " finite, and after 20 such steps in a row the rest does. The last loss is that"
        " of one batch, in nats; the entropy of the data is 6.24.",
        table(["library", "flow", "finite losses", "last loss"], cells),
    )


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.3g}"
