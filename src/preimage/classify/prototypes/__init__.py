"""What a class looks like to a classifier. One line a name, in alphabetical order."""

from preimage.classify.prototypes.prototypes import Prototypes as Prototypes
