"""Conditioner networks: what computes the parameters of couplings and of autoregressive layers.

The last layer of each starts at zero, so a layer whose element map is the identity at zero starts as the
identity. Any other module will do as well; :func:`zero_last_layer` gives it the same start.
"""

from preimage.nets.autoregressive_net import AutoregressiveNet as AutoregressiveNet
from preimage.nets.causal_net import CausalNet as CausalNet
from preimage.nets.conv_net import ConvNet as ConvNet
from preimage.nets.map_context_conv_net import MapContextConvNet as MapContextConvNet
from preimage.nets.masked_linear import MaskedLinear as MaskedLinear
from preimage.nets.masked_mlp import MaskedMLP as MaskedMLP
from preimage.nets.masked_net import MaskedNet as MaskedNet
from preimage.nets.masked_residual_net import MaskedResidualNet as MaskedResidualNet
from preimage.nets.mlp import MLP as MLP
from preimage.nets.residual_net import ResidualNet as ResidualNet
from preimage.nets.zero_last_layer import zero_last_layer as zero_last_layer
