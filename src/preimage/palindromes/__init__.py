"""Palindromic networks: an encoder, then its layer-wise inverse. One line a name, in alphabetical order."""

from preimage.palindromes.fit import Reconstruction as Reconstruction
from preimage.palindromes.fit import cross_entropy as cross_entropy
from preimage.palindromes.fit import gram_penalty as gram_penalty
from preimage.palindromes.fit import hidden_penalty as hidden_penalty
from preimage.palindromes.fit import mean_square as mean_square
from preimage.palindromes.leaky_range import LeakyRange as LeakyRange
from preimage.palindromes.mirror import DenseMirror as DenseMirror
from preimage.palindromes.mirror import Mirror as Mirror
from preimage.palindromes.mirror_of import mirror_of as mirror_of
from preimage.palindromes.monitors import GramMonitor as GramMonitor
from preimage.palindromes.monitors import HiddenConsistency as HiddenConsistency
from preimage.palindromes.monitors import Monitor as Monitor
from preimage.palindromes.network import Palindrome as Palindrome
from preimage.palindromes.network import palindrome as palindrome
from preimage.palindromes.orthonormal import Orthonormal as Orthonormal
from preimage.palindromes.principal_components import (
    start_at_principal_components as start_at_principal_components,
)
from preimage.palindromes.pseudo_inverse import CachedPseudoInverse as CachedPseudoInverse
from preimage.palindromes.pseudo_inverse import PseudoInverse as PseudoInverse
from preimage.palindromes.tie import Tie as Tie
from preimage.palindromes.transpose import Transpose as Transpose
from preimage.palindromes.untied import Untied as Untied
