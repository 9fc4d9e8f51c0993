"""The laws, by subject; importing this package registers all of them."""

from preimage.testing.laws import batches as batches
from preimage.testing.laws import certificates as certificates
from preimage.testing.laws import compilers as compilers
from preimage.testing.laws import contexts as contexts
from preimage.testing.laws import copies as copies
from preimage.testing.laws import extremes as extremes
from preimage.testing.laws import gradients as gradients
from preimage.testing.laws import log_dets as log_dets
from preimage.testing.laws import precisions as precisions
from preimage.testing.laws import refusals as refusals
from preimage.testing.laws import round_trips as round_trips
from preimage.testing.laws import views as views
