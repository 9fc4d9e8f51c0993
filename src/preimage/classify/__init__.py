"""Generative classifiers: a density for every class, and Bayes' rule. One line a name, alphabetical."""

from preimage.classify.classifier import GenerativeClassifier as GenerativeClassifier
from preimage.classify.evidence import Evidence as Evidence
from preimage.classify.losses import ClassAndBitsLoss as ClassAndBitsLoss
from preimage.classify.losses import ClassAndDensityLoss as ClassAndDensityLoss
from preimage.classify.losses import ClassifierLoss as ClassifierLoss
from preimage.classify.losses import ClassLoss as ClassLoss
from preimage.classify.losses import DensityLoss as DensityLoss
from preimage.classify.losses import InformationBottleneckLoss as InformationBottleneckLoss
from preimage.classify.priors import class_frequencies as class_frequencies
from preimage.classify.prototypes import Prototypes as Prototypes
