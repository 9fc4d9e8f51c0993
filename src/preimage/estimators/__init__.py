"""Flows for users of scikit-learn. One line a name, in alphabetical order."""

from preimage.estimators.classifier import FlowClassifier as FlowClassifier
from preimage.estimators.density import FlowDensity as FlowDensity
