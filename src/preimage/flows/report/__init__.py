"""What a trained flow learnt, as plots and as a page. One line a name, in alphabetical order."""

from preimage.flows.report.corner import corner_plot as corner_plot
from preimage.flows.report.curves import learning_rate_curve as learning_rate_curve
from preimage.flows.report.curves import training_curve as training_curve
from preimage.flows.report.describe import describe as describe
from preimage.flows.report.latent_check import kolmogorov_distance as kolmogorov_distance
from preimage.flows.report.latent_check import latent_check as latent_check
from preimage.flows.report.report import Plot as Plot
from preimage.flows.report.report import Report as Report
from preimage.flows.report.sheet import sheet as sheet
from preimage.flows.report.sheet import sheets as sheets
