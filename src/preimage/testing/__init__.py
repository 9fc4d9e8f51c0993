"""The oracle: does a bijection keep its contract? For the library's layers and for yours."""

from preimage.testing.case import Case as Case
from preimage.testing.check import check_bijection as check_bijection
from preimage.testing.law import LAWS as LAWS
from preimage.testing.law import Law as Law
from preimage.testing.law import LawBrokenError as LawBrokenError
from preimage.testing.law import law as law
from preimage.testing.law import require as require
from preimage.testing.law import require_close as require_close
from preimage.testing.pair_check import PairRow as PairRow
from preimage.testing.pair_check import PairTable as PairTable
from preimage.testing.pair_check import pair_check as pair_check
from preimage.testing.sample import Sample as Sample
