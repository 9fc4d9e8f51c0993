"""CosNet: classification by cosines with prototypes. One line a name."""

from preimage.eeg.cosnet.network import CosNet as CosNet
from preimage.eeg.cosnet.network import EEGCosNet as EEGCosNet
from preimage.eeg.cosnet.network import PatchCosNet as PatchCosNet
