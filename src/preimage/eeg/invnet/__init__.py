"""EEG-InvNet: an invertible network that classifies recordings. One line a name."""

from preimage.eeg.invnet.blocks import AdditiveBlock as AdditiveBlock
from preimage.eeg.invnet.blocks import AffineBlock as AffineBlock
from preimage.eeg.invnet.blocks import BlockSettings as BlockSettings
from preimage.eeg.invnet.blocks import ConvolutionConditioner as ConvolutionConditioner
from preimage.eeg.invnet.blocks import InvNetBlock as InvNetBlock
from preimage.eeg.invnet.flows import affine_invnet_flow as affine_invnet_flow
from preimage.eeg.invnet.flows import glow_invnet_flow as glow_invnet_flow
from preimage.eeg.invnet.flows import invnet_flow as invnet_flow
from preimage.eeg.invnet.network import AffineEEGInvNet as AffineEEGInvNet
from preimage.eeg.invnet.network import EEGInvNet as EEGInvNet
from preimage.eeg.invnet.network import GlowEEGInvNet as GlowEEGInvNet
from preimage.eeg.invnet.network import InvNet as InvNet
from preimage.eeg.invnet.stages import down_and_up as down_and_up
from preimage.eeg.invnet.stages import downwards as downwards
