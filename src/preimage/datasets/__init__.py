"""Data sets as plain tensors, from files of the user or of installed packages. One line a name."""

from preimage.datasets.bsds300 import bsds300 as bsds300
from preimage.datasets.cifar import cifar10 as cifar10
from preimage.datasets.dataset import Dataset as Dataset
from preimage.datasets.dataset import Labels as Labels
from preimage.datasets.frames import read_frame as read_frame
from preimage.datasets.gas import gas as gas
from preimage.datasets.hepmass import hepmass as hepmass
from preimage.datasets.imagenet import imagenet32 as imagenet32
from preimage.datasets.imagenet import imagenet64 as imagenet64
from preimage.datasets.labelled_pictures import LabelledPictures as LabelledPictures
from preimage.datasets.labelled_pictures import holds_labelled_pictures as holds_labelled_pictures
from preimage.datasets.labelled_pictures import read_labelled_pictures as read_labelled_pictures
from preimage.datasets.magic import magic as magic
from preimage.datasets.miniboone import miniboone as miniboone
from preimage.datasets.mnist import fashion_mnist as fashion_mnist
from preimage.datasets.mnist import mnist_5k as mnist_5k
from preimage.datasets.patches import photo_patches as photo_patches
from preimage.datasets.pictures import read_pictures as read_pictures
from preimage.datasets.power import power as power
from preimage.datasets.toys import toy as toy
