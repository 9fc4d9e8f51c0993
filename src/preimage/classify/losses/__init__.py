"""What a generative classifier is trained by. One line a name, in alphabetical order."""

from preimage.classify.losses.class_and_bits import ClassAndBitsLoss as ClassAndBitsLoss
from preimage.classify.losses.class_and_density import ClassAndDensityLoss as ClassAndDensityLoss
from preimage.classify.losses.information_bottleneck import (
    InformationBottleneckLoss as InformationBottleneckLoss,
)
from preimage.classify.losses.loss import ClassifierLoss as ClassifierLoss
from preimage.classify.losses.pure import ClassLoss as ClassLoss
from preimage.classify.losses.pure import DensityLoss as DensityLoss
