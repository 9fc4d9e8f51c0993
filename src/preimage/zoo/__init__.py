"""Pretrained networks and photographs that ship inside installable packages, by name.

Nothing is vendored and nothing is downloaded here: the packages are found where the installer put them,
without importing them, and a missing one is named together with the line that installs it.
"""

from preimage.zoo.custom import from_code
from preimage.zoo.networks import Network, load, names
from preimage.zoo.packages import PACKAGES, locate
from preimage.zoo.photographs import Photograph, pictures
from preimage.zoo.preprocessing import Preprocessing
from preimage.zoo.reading import PictureLimits, read_folder, read_picture
from preimage.zoo.taps import Tap

__all__ = [
    "PACKAGES",
    "Network",
    "Photograph",
    "PictureLimits",
    "Preprocessing",
    "Tap",
    "from_code",
    "load",
    "locate",
    "names",
    "pictures",
    "read_folder",
    "read_picture",
]
