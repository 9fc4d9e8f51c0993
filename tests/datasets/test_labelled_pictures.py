"""Pictures with classes, from folders and archives, of every kind that people have."""

import numpy as np
import pytest
import torch

from preimage.datasets import holds_labelled_pictures, read_labelled_pictures
from preimage.errors import DataFileError, PictureError

image = pytest.importorskip("PIL.Image")


def folders(place, **sizes):
    for name, shapes in sizes.items():
        (place / name).mkdir()
        for number, (width, height) in enumerate(shapes):
            image.new("L", (width, height), 10 * number + 5).save(place / name / f"{number}.png")
    return place


def test_a_folder_for_every_class(tmp_path):
    found = read_labelled_pictures(folders(tmp_path, dog=[(8, 8)], cat=[(8, 8)] * 2))
    assert found.classes == ("cat", "dog")
    assert found.labels.tolist() == [0, 0, 1]
    assert found.x.shape == (3, 1, 8, 8)
    assert found.x.dtype == torch.uint8
    assert found.x[:, 0, 0, 0].tolist() == [5, 15, 5]
    assert holds_labelled_pictures(tmp_path)


@pytest.mark.parametrize("sizes", [[(8, 8), (10, 8)], [(100, 80), (100, 80)]])
def test_unlike_and_large_pictures_are_scaled(tmp_path, sizes):
    assert read_labelled_pictures(folders(tmp_path, a=sizes, b=[(40, 30)])).x.shape == (3, 1, 32, 32)


def test_a_size_that_is_asked_for(tmp_path):
    assert read_labelled_pictures(folders(tmp_path, a=[(8, 9)], b=[(7, 30)]), size=12).x.shape == (
        2,
        1,
        12,
        12,
    )


def test_one_picture_in_colour_makes_all_of_three_channels(tmp_path):
    folders(tmp_path, a=[(8, 8)], b=[(8, 8)])
    image.new("RGB", (8, 8), "red").save(tmp_path / "b" / "red.png")
    assert read_labelled_pictures(tmp_path).x.shape == (3, 3, 8, 8)


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("shape", [(6, 4, 5), (6, 1, 4, 5), (6, 4, 5, 1), (6, 3, 4, 5), (6, 4, 5, 3)])
def test_archives_of_every_layout(tmp_path, shape):
    x = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    path = saved(tmp_path / "some.npz", x=x, labels=[1, 0, 1, 0, 1, 0], classes=["no", "yes"])
    found = read_labelled_pictures(path)
    channels = 3 if 3 in (shape[1], shape[-1]) else 1
    assert found.x.shape == (6, channels, 4, 5)
    assert found.classes == ("no", "yes")
    assert found.labels.tolist() == [1, 0, 1, 0, 1, 0]
    assert holds_labelled_pictures(path)
    pixel = x[0, 2, 3] if len(shape) == 3 else x[0, :, 2, 3] if shape[1] in (1, 3) else x[0, 2, 3]
    assert found.x[0, :, 2, 3].tolist() == np.atleast_1d(pixel).tolist()


def test_numbers_up_to_one_and_names_as_labels(tmp_path):
    path = saved(tmp_path / "some.npz", x=np.full((2, 1, 4, 4), 0.5), labels=["dog", "cat"])
    found = read_labelled_pictures(path)
    assert found.x.unique().tolist() == [128]
    assert (found.classes, found.labels.tolist()) == (("cat", "dog"), [1, 0])


def test_signals_are_no_pictures(tmp_path):
    assert not holds_labelled_pictures(saved(tmp_path / "a.npz", x=np.zeros((2, 3, 8)), labels=[0, 1]))
    bytes_with_rate = saved(tmp_path / "b.npz", x=np.zeros((2, 3, 8), np.uint8), rate=64.0)
    assert not holds_labelled_pictures(bytes_with_rate)
    (tmp_path / "recording.ds" / "hz.ds").mkdir(parents=True)
    assert not holds_labelled_pictures(tmp_path / "recording.ds")


def test_what_does_not_fit(tmp_path):
    with pytest.raises(DataFileError, match="two"):
        read_labelled_pictures(folders(tmp_path, one=[(4, 4)]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(PictureError, match="no picture"):
        read_labelled_pictures(tmp_path)
    wrong = {
        "labels": {"x": np.zeros((2, 4, 4), np.uint8)},
        "from 0 to 1": {"x": np.full((2, 4, 4), 2.0), "labels": [0, 1]},
        "numbers or names": {"x": np.zeros((2, 4, 4), np.uint8), "labels": [0, 1, 1]},
        "one class": {"x": np.zeros((2, 4, 4), np.uint8), "labels": [1, 1]},
    }
    for number, (message, arrays) in enumerate(wrong.items()):
        with pytest.raises(DataFileError, match=message):
            read_labelled_pictures(saved(tmp_path / f"{number}.npz", **arrays))
    with pytest.raises(DataFileError, match="scale"):
        read_labelled_pictures(tmp_path / "1.npz", size=8)
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(DataFileError):
        read_labelled_pictures(tmp_path / "broken.npz")
