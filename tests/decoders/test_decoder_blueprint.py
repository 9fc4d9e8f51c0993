"""Where taps enter a picture decoder."""

import json

import pytest

from preimage.decoders.blueprint import Blueprint, map_channels, map_size
from preimage.errors import ShapeError

TAPS = {
    "full": (8, 64, 64),
    "half": (16, 32, 32),
    "odd": (16, 15, 15),
    "tokens": (17, 24),
    "pooled": (32, 1, 1),
    "logits": (10,),
}
PLAN = Blueprint((3, 64, 64), TAPS, widths=(8, 8, 8, 8), blocks=(1, 1, 1, 1))


@pytest.mark.parametrize(
    ("tap", "level", "painted"),
    [("full", 1, 1), ("half", 1, 1), ("odd", 2, 1), ("tokens", 4, 3), ("pooled", 4, 3), ("logits", 4, 3)],
)
def test_taps_enter_at_their_own_size(tap, level, painted):
    assert (PLAN.level(tap), PLAN.exit(tap)) == (level, painted)


def test_a_tap_deeper_than_all_levels_enters_at_the_last():
    assert Blueprint((3, 64, 64), {"a": (4, 2, 2)}, widths=(8, 8), blocks=(1, 1)).level("a") == 2


@pytest.mark.parametrize(
    ("tap", "sketch"), [("full", (5, 1)), ("half", (5, 2)), ("odd", (3, 4)), ("logits", (1, 0))]
)
def test_sketches_paint_no_finer_than_the_input(tap, sketch):
    assert PLAN.sketch(tap) == sketch


def test_only_maps_as_large_as_the_input_are_strided():
    assert [PLAN.stride(tap) for tap in TAPS] == [2, 1, 1, 1, 1, 1]


def test_tokens_are_laid_out_as_a_square_without_the_class_token():
    assert (map_size((17, 24)), map_channels((17, 24))) == ((4, 4), 24)
    assert (map_size((2, 3, 4, 5)), map_channels((2, 3, 4, 5))) == ((1, 1), 120)


def test_a_blueprint_survives_json():
    assert Blueprint.from_dict(json.loads(json.dumps(PLAN.to_dict()))) == PLAN


@pytest.mark.parametrize(
    ("shape", "changes", "message"),
    [
        ((10,), {}, "needs inputs"),
        ((3, 0, 4), {}, "needs inputs"),
        ((3, 8, 8), {"taps": {}}, "0 taps"),
        ((3, 8, 8), {"widths": ()}, "widths"),
        ((3, 8, 8), {"widths": (8, 8)}, "same levels"),
    ],
)
def test_bad_blueprints_are_refused(shape, changes, message):
    with pytest.raises(ShapeError, match=message):
        Blueprint(shape, **{"taps": {"a": (4, 4, 4)}, **changes})
