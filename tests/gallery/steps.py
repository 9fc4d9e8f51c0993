"""Progress that takes notes, and may stop a job."""

from preimage import gallery


class Steps(gallery.Progress):
    """Every stage and the number of steps; a keyboard interrupt at the one that is asked for."""

    def __init__(self, fail_at=None):
        self.stages, self.done, self.closed, self.fail_at = [], 0, False, fail_at

    def stage(self, name, steps):
        self.stages.append((name, steps))

    def step(self, label=""):
        self.done += 1
        if self.done == self.fail_at:
            raise KeyboardInterrupt

    def close(self):
        self.closed = True
