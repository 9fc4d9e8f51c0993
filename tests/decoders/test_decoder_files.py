"""Saving picture decoders, and the one that ships."""

import json

import pytest
import torch
from decoder_networks import quick, small_network, smooth_pictures

import preimage as pi
from preimage.decoders.picture_decoder import PictureDecoder
from preimage.errors import ModelFileError, OutputError


@pytest.fixture(scope="module")
def decoder():
    inverse = pi.invert(small_network(), torch.zeros(1, 3, 16, 16), taps=["1", "5"])
    return pi.decoders.train(inverse, smooth_pictures(20), quick(epochs=1), widths=(8, 8), blocks=(1, 1))


def test_single_precision_comes_back_bit_by_bit(decoder, tmp_path):
    again = pi.decoders.load(decoder.save(tmp_path / "d", torch.float32))
    y = torch.rand(2, 5)
    assert torch.equal(again(y, "5"), decoder(y, "5"))
    assert again.card == decoder.card
    assert again.owner == decoder.owner


def test_half_precision_is_half_the_size_and_nearly_as_good(decoder, tmp_path):
    spectra = {tap: decoder.metric(tap) for tap in decoder.taps}
    bare = PictureDecoder(decoder.network, decoder.owner, spectra)  # error models stay in single precision
    half, full = bare.save(tmp_path / "h"), bare.save(tmp_path / "f", torch.float32)
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (half, full)]
    assert sizes[0] < 0.65 * sizes[1]
    y = torch.rand(2, 12, 8, 8)
    torch.testing.assert_close(pi.decoders.load(half)(y, "1"), decoder(y, "1"), atol=5e-2, rtol=0)


def test_the_errors_keep_their_spectrum(decoder, tmp_path):
    again = pi.decoders.load(decoder.save(tmp_path / "d"))
    before, after = decoder.metric("1"), again.metric("1")
    assert float((after.gain / before.gain).log().abs().mean()) < 0.1
    torch.testing.assert_close(after.rotation, before.rotation)


def test_a_changed_file_is_refused(decoder, tmp_path):
    folder = decoder.save(tmp_path / "d")
    config = json.loads((folder / "config.json").read_text())
    config["blueprint"]["widths"] = [8, 9]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelFileError):
        pi.decoders.load(folder)


def test_tensors_that_do_not_fit_are_refused(decoder, tmp_path):
    from preimage.decoders.picture_decoder import KIND, VERSION
    from preimage.storage import read_directory, write_directory

    tensors, config = read_directory(decoder.save(tmp_path / "d"), KIND, VERSION)
    del tensors["network.place"]
    write_directory(tmp_path / "d", KIND, VERSION, tensors, config)
    with pytest.raises(ModelFileError, match="not a picture decoder"):
        pi.decoders.load(tmp_path / "d")


def test_another_folder_is_not_overwritten(decoder, tmp_path):
    (tmp_path / "mine").write_text("a file")
    with pytest.raises(OutputError):
        decoder.save(tmp_path)


def test_unknown_names_are_answered_with_the_known_ones(tmp_path):
    with pytest.raises(ModelFileError, match="efficientnet-lite0"):
        pi.decoders.load("resnet")
    with pytest.raises(ModelFileError):
        pi.decoders.load(tmp_path)
