"""Flows on the data of the published tables, as far as they lie in a folder.

python benchmarks/flow_published.py FOLDER [--only power,gas] [--epochs 400]

FOLDER holds power/, gas/, hepmass/, miniboone/, BSDS300/, cifar-10-batches-bin/, train_32x32/ and so on, as
docs/datasets.md says. What is absent is named, and written down as absent. Settings are those of the papers
(RQ-NSF with ten transforms, MAF with ten, Glow with uniform dequantisation), chosen without looking at test
rows; weights are those of the best validation loss.
"""

import argparse
import json
import math
import time
from pathlib import Path

import torch

from preimage import datasets, flows
from preimage.errors import PreimageError

RESULTS = Path(__file__).parent / "results" / "flow_published.json"
TABLES = {
    "POWER": datasets.power,
    "GAS": datasets.gas,
    "HEPMASS": datasets.hepmass,
    "MINIBOONE": datasets.miniboone,
    "BSDS300": datasets.bsds300,
}
PICTURES = {
    "CIFAR-10": datasets.cifar10,
    "ImageNet32": datasets.imagenet32,
    "ImageNet64": datasets.imagenet64,
}
# Width and bins of the networks, as in appendix B of Durkan et al. (2019); wider where there are more rows.
WIDTHS = {"POWER": 256, "GAS": 256, "HEPMASS": 128, "MINIBOONE": 32, "BSDS300": 512}
BINS = {"MINIBOONE": 4}
SETTINGS = {"batch_size": 512, "learning_rate": 5e-4, "patience": 20, "average": 0.999}


def models(name: str, data: datasets.Dataset) -> dict[str, flows.Flow]:
    """The flows that are trained on a data set."""
    if name in PICTURES:
        return {
            "Glow": flows.glow(
                data.event_shape,
                levels=3,
                steps=32,
                hidden_features=(512, 512),
                grey_levels=256,
                memory="reversible",
            )
        }
    width, features = WIDTHS[name], data.event_shape[0]
    return {
        "RQ-NSF (AR)": flows.nsf(
            features, transforms=10, hidden_features=(width, width), bins=BINS.get(name, 8)
        ),
        "MAF (10)": flows.maf(features, transforms=10, hidden_features=(width, width)),
    }


@torch.no_grad()
def held_out(flow: flows.Flow, x: torch.Tensor, batch: int = 512) -> dict[str, float]:
    """The mean log-density of test rows with its standard error, and bits per dimension."""
    device = next(flow.parameters()).device
    parts = [flow.log_prob(rows.to(device)).double().cpu() for rows in x.split(batch)]
    log_prob = torch.cat(parts)
    mean, error = log_prob.mean().item(), (log_prob.std() / math.sqrt(len(log_prob))).item()
    numbers = math.prod(x.shape[1:])
    return {"log_likelihood": mean, "standard_error": error, "bits_per_dim": -mean / (numbers * math.log(2))}


def trained(
    name: str, data: datasets.Dataset, model: str, flow: flows.Flow, epochs: int, seed: int
) -> dict[str, object]:
    flow.to("cuda" if torch.cuda.is_available() else "cpu")
    begun = time.perf_counter()
    flow.fit(data.train, validation=data.validation, epochs=epochs, seed=seed, **SETTINGS)
    row = {
        "data": name,
        "model": model,
        "seed": seed,
        "epochs": len(flow.history),
        "seconds": time.perf_counter() - begun,
    }
    return (
        row
        | {"parameters": sum(p.numel() for p in flow.parameters()), "source": data.source}
        | held_out(flow.eval(), data.test)
    )


def main(arguments: list[str] | None = None) -> dict[str, list[dict[str, object]]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="comma-separated names")
    parser.add_argument("--epochs", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    wanted = {name.strip().lower() for name in chosen.only.split(",") if name.strip()}
    found: dict[str, list[dict[str, object]]] = {"rows": [], "absent": []}
    for name, load in (TABLES | PICTURES).items():
        if wanted and name.lower() not in wanted:
            continue
        try:
            data = load(chosen.folder)
        except PreimageError as error:
            print(f"ABSENT {name}: {error}")
            found["absent"].append(
                {"data": name, "reason": str(error).splitlines()[0].replace(str(chosen.folder), "FOLDER")}
            )
            continue
        for seed in range(chosen.seeds):
            torch.manual_seed(seed)
            for model, flow in models(name, data).items():
                row = trained(name, data, model, flow, chosen.epochs, seed)
                print(
                    f"{name} {model} seed {seed}: {row['log_likelihood']:.4f} ± {row['standard_error']:.4f} nats"
                )
                found["rows"].append(row)
        chosen.out.write_text(json.dumps(found, indent=1) + "\n")
    chosen.out.write_text(json.dumps(found, indent=1) + "\n")
    return found


if __name__ == "__main__":
    main()
