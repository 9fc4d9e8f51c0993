"""What a reader of a model's page wants to know."""

from __future__ import annotations

import json
from typing import Any

from preimage.flows.flow import Flow
from preimage.flows.tables import TabularFlow

_CARD = """---
library_name: preimage
tags:
- normalizing-flow
- density-estimation
---

# {name}

{what} {parameters:,} parameters; its log-density is {likelihood}.

```python
from preimage import flows

flow = flows.from_pretrained("{name}")
{use}
```

{training}
Files: `model.safetensors`, `config.json` and `manifest.json` (sizes and SHA-256). There is no pickle;
what does not fit is refused when it is loaded.
"""


def model_card(flow: Flow | TabularFlow, name: str) -> str:
    """The page of a model, as Markdown with the header that the Hugging Face Hub reads.

    Args:
        flow: the model.
        name: of its repository.

    Example:
        >>> from preimage import flows
        >>> print(model_card(flows.maf(2), "ann/moons").splitlines()[7])
        # ann/moons
    """
    return _CARD.format(
        name=name,
        what=_what(flow),
        parameters=sum(parameter.numel() for parameter in flow.parameters()),
        likelihood=flow.likelihood,
        use=_use(flow),
        training=_training(list(flow.history)),
    )


def _what(flow: Flow | TabularFlow) -> str:
    if isinstance(flow, TabularFlow):
        columns = ", ".join(f"`{column.name}` ({type(column).__name__})" for column in flow.columns)
        given = ", ".join(f"`{column.name}`" for column in flow.context)
        return f"The density of the columns {columns}{f', given {given}' if given else ''}."
    if flow.recipe is None:
        return "A normalizing flow."
    arguments = ", ".join(f"{key}={json.dumps(value)}" for key, value in flow.recipe.arguments.items())
    return f"A normalizing flow, `{flow.recipe.preset}({arguments})`."


def _use(flow: Flow | TabularFlow) -> str:
    if isinstance(flow, TabularFlow):
        given = ", frame" if flow.context else ""
        return f"flow.log_prob(frame)  # nats, in the units of the columns\nflow.sample(10{given})"
    conditional = (flow.bijection.context_domain or flow.base.context_domain) is not None
    given = ", context" if conditional else ""
    return f"flow.log_prob(x{given})  # nats\nflow.sample(10{given})"


def _training(history: list[dict[str, Any]]) -> str:
    if not history:
        return ""
    held = [record["validation_loss"] for record in history if "validation_loss" in record]
    said = f"Trained for {len(history)} epochs"
    return said + (f"; lowest validation loss {min(held):.4g} nats a row.\n" if held else ".\n")
