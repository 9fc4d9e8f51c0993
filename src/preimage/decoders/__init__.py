"""Picture decoders: networks that paint a picture from any tap of another network, and shipped ones."""

from preimage.decoders.attached import Attached
from preimage.decoders.blueprint import Blueprint
from preimage.decoders.picture_decoder import PictureDecoder
from preimage.decoders.shipped import load, names
from preimage.decoders.train import train
from preimage.decoders.train_corrector import train_corrector

__all__ = ["Attached", "Blueprint", "PictureDecoder", "load", "names", "train", "train_corrector"]
