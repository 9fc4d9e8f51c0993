"""Settings of the whole test run."""

import torch

torch.set_num_threads(1)  # the workers share the cores; a second thread would only wait
