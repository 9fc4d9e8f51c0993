"""Tables about losses of flows, flows of pictures, and the times of layers in both directions."""

from statistics import median

from results_text import measured, read, section, table


def adversarial() -> str:
    found = read("adversarial")
    rows = [
        [
            name,
            loss,
            f"{row['divergence']:.2f} ± {row['divergence error']:.2f}",
            f"{row['divergence of latents']:.2f}",
            f"{row['samples where data are rare']:.1%}",
            f"{row['data where samples are rare']:.1%}",
            f"{row['seconds']:.0f} s",
        ]
        for name, losses in found["table"].items()
        for loss, row in losses.items()
    ]
    head = ["data", "loss", "NLL - entropy, nats", "divergence of latents"]
    return section(
        f"Losses of flows, judged from both sides, {found['steps']} steps",
        "python benchmarks/adversarial.py",
        "One flow, one start, one number of steps of 128 rows for every loss (acceptance ids 3-22, 3-24). The first"
        " column is the divergence of the data from the flow, from the true entropy; the second estimates the same"
        " number from encoded data by nearest neighbours, large ones too low. *Samples where data are rare*: share of samples in"
        " places that only 1 % of the data reach; *data where samples are rare*: the reverse; both 1 % for an exact"
        " flow. No run diverged or had to go back. One critic alone leaves the other side free; both together do not, but stay far"
        " behind the likelihood, beside which they neither help nor harm much here. One seed.",
        table(
            [*head, "samples where data are rare", "data where samples are rare", "process time"],
            rows,
        ),
    )


def picture_bits() -> str:
    found = read("picture_flow")
    rows = []
    for noise in ("uniform", "learnt"):
        if noise not in found:
            continue
        row = found[noise]
        bits = [f"{bound:.3f}" for bound, _ in row["test"].values()]
        error = f"{next(iter(row['test'].values()))[1]:.2f}"
        rows.append([noise, f"{row['parameters']:,}", *bits, error, f"{row['minutes']:.1f} min"])
    if not rows:
        return ""
    draws = next(found[noise] for noise in ("uniform", "learnt") if noise in found)["test"]
    heads = [f"bits, {count} draw{'s' * (count != '1')}" for count in draws]
    return section(
        f"Glow on 32 x 32 crops of photographs, {found['steps']} steps",
        "python benchmarks/picture_flow.py",
        f"`flows.glow((3, 32, 32), levels=3, steps=8, grey_levels=256)` with networks of {found['widths'][0]}"
        f" channels; {found['crops']['train']:,} crops to train on, {found['crops']['validation']} to validate with,"
        f" {found['crops']['test']} to report, no photograph on two sides. Bits per dimension of the bytes, an upper"
        " bound; more draws of the noise tighten it. The standard error over the crops is large because crops"
        " differ. A few minutes of training on a dozen photographs: not to be compared with published figures.",
        table(["noise", "parameters", *heads, "standard error", "process time"], rows),
    )


def picture_memory() -> str:
    columns = [
        f"{memory}, {meter}" for meter in ("allocator", "process") for memory in ("autograd", "reversible")
    ]
    rows = [
        [steps, f"{row['parameters']:.1f} MB", *(f"{row[name]:.0f} MB" for name in columns)]
        for steps, row in read("picture_flow")["memory"].items()
    ]
    return section(
        "Memory of training Glow by depth, 16 crops of 3 x 32 x 32, 3 levels",
        "python benchmarks/picture_flow.py --memory",
        "Peaks of one training step, by PyTorch's allocator and by the operating system.",
        table(["steps a level", "parameters and gradients", *columns], rows),
    )


def small_pictures() -> str:
    found = read("small_pictures")
    rows = [
        [name, f"{row['one']:.3f}", f"{row['several']:.3f}", f"{row['error']:.3f}", f"{row['seconds']:.0f} s"]
        for name, row in found["table"].items()
    ]
    return section(
        f"Glow on digits and clothes, {found['steps']} steps",
        "python benchmarks/small_pictures.py",
        "Bits per dimension of the bytes, an upper bound (acceptance id 3-23), with one draw of the noise and with"
        " eight; seconds of training on one core, so far from what more training gives: learnt noise does not pay off yet.",
        table(["data, noise", "bits, 1 draw", "bits, 8 draws", "standard error", "process time"], rows),
    )


def layer_times() -> str:
    found = read("layer_times")
    layers: dict[str, list[dict]] = {}
    for row in found["table"].values():
        layers.setdefault(row["layer"], []).append(row)

    def middle(rows: list[dict], key: str) -> float:
        return median(row[key] for row in rows)

    ratio = "inverse / forward"
    ordered = sorted(layers.items(), key=lambda pair: middle(pair[1], ratio))
    rows = [
        [
            name,
            *(f"{middle(samples, f'{way} ms'):.2f}" for way in ("forward", "inverse", "backward")),
            f"{middle(samples, ratio):.1f}",
            f"{middle(samples, 'backward / forward'):.1f}",
        ]
        for name, samples in ordered
    ]
    every = [row[ratio] for row in found["table"].values()]
    within = sum(value <= 2 for value in every)
    head = ["layer", "forward, ms", "inverse, ms", "backward, ms", ratio, "backward / forward"]
    return section(
        "Time of every layer in both directions",
        "python benchmarks/layer_times.py",
        f"{found['rows']} rows of the small samples of the tests, float32, one thread, medians over the samples of a"
        f" layer (acceptance id 3-26). Of {len(every)} samples {within} take at most twice as long backwards as"
        f" forwards; the median ratio is {median(every):.2f}. The others solve an equation: by bisection, by fixed"
        " points or by Newton's method.",
        table(head, rows),
    )


def sections() -> list[str]:
    picture = [*measured({"picture_flow": picture_bits}), *measured({"picture_flow": picture_memory})]
    others = measured(
        {"small_pictures": small_pictures, "adversarial": adversarial, "layer_times": layer_times}
    )
    return [part for part in [*picture, *others] if part]
