"""Stateless mathematics behind the layers."""

from preimage.functional.event import align_event as align_event
from preimage.functional.event import sum_event as sum_event
from preimage.functional.event import zero_log_det as zero_log_det
from preimage.functional.matrices.householder import apply_reflections as apply_reflections
from preimage.functional.matrices.householder import householder_qr as householder_qr
from preimage.functional.matrices.householder import undo_reflections as undo_reflections
from preimage.functional.matrices.whitening import whitening_matrix as whitening_matrix
