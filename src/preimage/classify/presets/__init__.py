"""Ready-made generative classifiers. One line a name, in alphabetical order."""

from preimage.classify.presets.picture import picture_class_flow as picture_class_flow
from preimage.classify.presets.picture import picture_classifier as picture_classifier
from preimage.classify.presets.vector import vector_class_flow as vector_class_flow
from preimage.classify.presets.vector import vector_classifier as vector_classifier
