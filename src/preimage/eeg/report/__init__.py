"""Prototypes of classes, as numbers, pictures and a page. One line a name."""

from preimage.eeg.report.prototypes import PrototypeReport as PrototypeReport
from preimage.eeg.report.prototypes import report_prototypes as report_prototypes
from preimage.eeg.report.prototypes import write_report as write_report
