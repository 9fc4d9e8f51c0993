"""Walking a functional Keras model, layer by layer."""

from __future__ import annotations

from typing import Any, final

from torch import fx, nn

from preimage.capture.importers.builder import Builder, legal_name
from preimage.capture.importers.keras import layers
from preimage.capture.importers.keras.place import LAYERS, OPERATIONS, Laid, Place
from preimage.errors import CaptureError, PreimageError

FAMILIES = layers.__all__
"""The files of translators; importing them is what registers these."""


def walk(model: Any) -> fx.GraphModule:
    """Write every layer of a Functional or Sequential model, in order."""
    build = Builder()
    inputs = [Laid(build.input(tensor.name), len(tensor.shape)) for tensor in model.inputs]
    outputs = _Walk(build).run(model, inputs)
    seen = [Place(model, model.name, (), {}, build).as_seen(value) for value in outputs]
    return build.finish(seen, legal_name(model.name, "KerasNetwork"))


def functional_of(model: Any) -> Any:
    """The functional graph of a model; None where it has none."""
    import keras

    if isinstance(model, keras.Sequential):
        if model._functional is None:
            raise CaptureError(
                f"the Keras model {model.name!r} has no input shape yet; call it or build it once"
            )
        return model._functional
    return model if hasattr(model, "_nodes_by_depth") and hasattr(model, "_inputs_struct") else None


@final
class _Walk:
    """Builds the layers of a model and of the models inside it."""

    def __init__(self, build: Builder) -> None:
        self.build = build
        self.modules: dict[tuple[int, str], nn.Module] = {}

    def run(self, model: Any, inputs: list[Laid]) -> list[Laid]:
        """The outputs of a model for values of its inputs."""
        graph = functional_of(model)
        known: dict[int, Laid] = {id(t): value for t, value in zip(graph.inputs, inputs, strict=True)}
        for depth in sorted(graph._nodes_by_depth, reverse=True):
            for node in graph._nodes_by_depth[depth]:
                if not node.is_input and any(id(t) not in known for t in node.outputs):
                    self._visit(node, known)
        return [known[id(tensor)] for tensor in graph.outputs]

    def _visit(self, node: Any, known: dict[int, Laid]) -> None:
        args = _replaced(node.arguments.args, known)
        kwargs = {k: v for k, v in _replaced(node.arguments.kwargs, known).items() if k != "training"}
        found = self._applied(node.operation, args, kwargs)
        results = list(found) if isinstance(found, (list, tuple)) else [found]
        for tensor, value in zip(node.outputs, results, strict=True):
            known[id(tensor)] = value

    def _applied(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        import keras

        is_layer = isinstance(layer, keras.layers.Layer)
        if is_layer and isinstance(layer, keras.Model) and functional_of(layer) is not None:
            given = args[0] if isinstance(args[0], (list, tuple)) else [args[0]]
            found = self.run(layer, list(given))
            return found if len(found) > 1 else found[0]
        name = type(layer).__name__
        place = Place(layer, layer.name, args, kwargs, self.build, self.modules)
        translator = (LAYERS if is_layer else OPERATIONS).get(name)
        if translator is None:
            place.refuse("layers of this class are not known here")
        try:
            return translator(place)
        except PreimageError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError, IndexError, RuntimeError) as error:
            return place.refuse(f"{type(error).__name__}: {error}")


def _replaced(value: Any, known: dict[int, Laid]) -> Any:
    """An argument with every symbolic tensor replaced by its value."""
    if id(value) in known:
        return known[id(value)]
    if isinstance(value, dict):
        return {key: _replaced(item, known) for key, item in value.items()}
    return type(value)(_replaced(v, known) for v in value) if isinstance(value, (tuple, list)) else value
