"""The main job on pictures: each picture as each depth of a network remembers it, with all numbers."""

from preimage.gallery.calibration import crops
from preimage.gallery.engine import Engine
from preimage.gallery.folder import check_target, whole_folder
from preimage.gallery.job import Job, run
from preimage.gallery.metrics import feature_error, pairwise_distance, psnr, ssim
from preimage.gallery.progress import Bar, Lines, Progress, Silence, progress_on
from preimage.gallery.records import MODES, SCHEMA, Cell, Depth, Record, Score, Yardstick
from preimage.gallery.yardsticks import mean_colour, shrink_and_enlarge

__all__ = [
    "MODES",
    "SCHEMA",
    "Bar",
    "Cell",
    "Depth",
    "Engine",
    "Job",
    "Lines",
    "Progress",
    "Record",
    "Score",
    "Silence",
    "Yardstick",
    "check_target",
    "crops",
    "feature_error",
    "mean_colour",
    "pairwise_distance",
    "progress_on",
    "psnr",
    "run",
    "shrink_and_enlarge",
    "ssim",
    "whole_folder",
]
