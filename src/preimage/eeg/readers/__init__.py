"""Real recordings, from packages, files and other libraries. One line a name, in alphabetical order."""

from preimage.eeg.readers.files import read_labels as read_labels
from preimage.eeg.readers.files import read_recordings as read_recordings
from preimage.eeg.readers.from_mne import from_mne as from_mne
from preimage.eeg.readers.from_mne import read_mne as read_mne
from preimage.eeg.readers.lagged import real_channels as real_channels
from preimage.eeg.readers.packaged_sets import blink as blink
from preimage.eeg.readers.packaged_sets import finger_movements as finger_movements
from preimage.eeg.readers.packaged_sets import hand_movement as hand_movement
from preimage.eeg.readers.packaged_sets import self_regulation as self_regulation
from preimage.eeg.readers.ts_file import read_ts as read_ts
from preimage.eeg.readers.tuh import prepare_tuh as prepare_tuh
from preimage.eeg.readers.tuh import tuh_abnormal as tuh_abnormal
from preimage.eeg.readers.windows import from_windows as from_windows
