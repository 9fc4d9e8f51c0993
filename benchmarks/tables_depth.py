"""Tables of how well pictures come back from every depth of EfficientNet-Lite0."""

from statistics import fmean

from results_text import measured, read, section, table

METHODS = ("calibrated", "refined", "plain ridge", "shrink and enlarge", "own mean colour")
GOALS = {
    "stem": 20, "block 0": 10, "block 2": 5, "block 4": 2.5, "block 7": 1.5, "block 10": 0.5, "block 14": 0,
    "block 15": 0, "pooled": 1.5, "logits": 0.5,
}  # fmt: skip


def prior() -> str:
    found = read("picture_prior")
    card, several = found["card"], max(len(refined(entry)) for entry in found["rows"])
    head = ["tap", "linear sketch", "painted", "yardstick", "painted - yardstick"]
    head += [f"refined ({several})", "refined - painted", "refined - yardstick"]
    head += [f"thorough ({several})", "thorough - yardstick", "goal"]
    return section(
        f"A picture prior that ships: depth curve, {len(found['pictures'])} held-out photographs",
        "python benchmarks/picture_prior.py --debian DEBIAN",
        "Mean PSNR in dB / feature error |f(x) - y| / |y - channel mean|, for whole photographs of which nothing was"
        f" trained or chosen on ({', '.join(found['pictures'])}). All three answers are calibrated: they have seen"
        f" {card['photographs']} other photographs. *Linear sketch*: the decoder's closed-form part alone. *Painted*:"
        f" the shipped decoder, one shot. *Refined*: painted, then at most {found['products']} products so that the"
        f" features agree, and its differences, on the first {several} of these photographs; feature goals are 1 %"
        " (stem), 2 % (block 0), 5 % (to block 7), 10 % (deeper). *Thorough*: the same with at most"
        f" {found.get('thorough', 0)} products, where they pay; from the stem both are the exact route. At blocks 2 and 4 both begin with learnt corrections. *Yardstick*: the picture itself, shrunk to the tap's"
        " own size and enlarged; for single positions its mean colour. *Goal*: wanted difference to the yardstick;"
        " where both differences are smaller it is missed, see docs/picture_prior.md.",
        table(head, [prior_row(entry) for entry in found["rows"]]),
    )


def refined(entry: dict, method: str = "refined") -> list[float]:
    return entry["methods"].get(method, {"psnr": []})["psnr"]


def gain(found: list[float], other: list[float]) -> str:
    return f"{fmean(found) - fmean(other[: len(found)]):+.1f}" if found else ""


def prior_row(entry: dict) -> list:
    methods, tap, last = entry["methods"], entry["tap"], refined(entry)
    yard, painted = (methods[name]["psnr"] for name in ("shrink and enlarge", "painted"))
    cells = [tap, both(methods["sketch"]), both(methods["painted"]), f"{fmean(yard):.1f}"]
    cells += [f"{fmean(painted) - fmean(yard):+.1f}", both(methods.get("refined"))]
    thorough = refined(entry, "thorough")
    cells += [gain(last, painted), gain(last, yard), both(methods.get("thorough")), gain(thorough, yard)]
    return [*cells, f"{GOALS[tap]:+g}" if tap in GOALS else ""]


def both(scores: dict | None) -> str:
    return f"{fmean(scores['psnr']):.1f} / {fmean(scores['feature_error']):.1%}" if scores else ""


def prior_against_adam() -> str:
    found, ours = read("against_adam"), read("picture_prior")
    at = [ours["pictures"].index(name) for name in found["pictures"]]
    methods = {entry["tap"]: entry["methods"] for entry in ours["rows"]}
    rows = []
    for entry in found["rows"]:
        own = methods[entry["tap"]]
        slow, adam = entry["seconds_per_picture"], fmean(entry["psnr"])
        cells = [entry["tap"], f"{adam:.1f}"]
        painted = fmean(own["painted"]["psnr"][i] for i in at)
        cells += [f"{painted:.1f}", f"{painted - adam:+.1f}"]
        cells.append(f"{slow / own['painted']['seconds_per_picture']:,.0f} x")
        rows.append(cells)
    return section(
        f"The picture prior against {found['steps']} steps of gradient inversion, {' and '.join(found['pictures'])}",
        "python benchmarks/against_adam.py; python benchmarks/picture_prior.py --debian DEBIAN",
        "Mean PSNR in dB. Adam with total variation from mid-grey gets the better of two settings on these very"
        " pictures. Process time of one thread, measured in different runs. Goal: 5 dB better at 1000 times less work.",
        table(["tap", "Adam and TV", "painted", "difference", "faster"], rows),
    )


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
        "Mean PSNR in dB / feature error |f(x) - y| / |y - channel mean|, from the packaged photographs alone. *Plain"
        " ridge* is the ridge decoder of one window and one ridge that the calibrated decoder should not fall behind."
        " Shrinking the picture to the tap's own size, which no inverse is allowed to do, wins wherever its column is"
        " larger.",
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


def synthetic() -> str:
    found = read("synthetic_calibration")
    taps = list(found["sets"]["photographs"]["psnr"])
    rows = [
        [name, one["pictures"], *(f"{one['psnr'][tap]:.1f}" for tap in taps), one["seconds"]]
        for name, one in found["sets"].items()
    ]
    return section(
        f"Made-up pictures to calibrate on, {found['size']} pixels, {found['held out']} held-out photographs",
        "python benchmarks/synthetic_calibration.py --stamps FOLDER",
        "Mean PSNR in dB of the closed-form answer by tap. *Photographs*: the packaged ones and their mirror images."
        " Process time of calibrating all these taps, one thread.",
        table(["calibrated on", "pictures", *taps, "s"], rows),
    )


def sections() -> list[str]:
    parts = {"depth_curve": depth, "against_adam": against_adam}
    prior_parts = {"picture_prior": prior} | (
        {"against_adam": prior_against_adam} if read("picture_prior") else {}
    )
    return [*measured(parts), *measured(prior_parts), *measured({"synthetic_calibration": synthetic})]
