"""Stateless mathematics behind the layers."""

from preimage.functional.event import align_event as align_event
from preimage.functional.event import sum_event as sum_event
from preimage.functional.event import zero_log_det as zero_log_det
