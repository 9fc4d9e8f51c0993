"""A killed run goes on exactly, and two processes do what one does."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import distributed_run
import pytest
import resumed_run
import torch

HERE = Path(__file__).parent
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(HERE)}


def started(*arguments):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(
        command, cwd=HERE, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=240
    )


def test_killed_at_a_random_step_and_resumed_gives_the_same_bits(tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        weights, history = resumed_run.run()
    finally:
        torch.set_num_threads(threads)
    kill_at = random.SystemRandom().randrange(2, 29)
    killed = started("resumed_run.py", tmp_path / "c", kill_at, tmp_path / "out.pt")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = started("resumed_run.py", tmp_path / "c", 0, tmp_path / "out.pt")
    assert done.returncode == 0, done.stderr
    found = torch.load(tmp_path / "out.pt", weights_only=True)
    assert torch.equal(found["weights"], weights), f"killed at step {kill_at}"
    assert found["losses"] == history.column("loss")


def test_a_finished_run_is_not_trained_further(tmp_path):
    first, _ = resumed_run.run(checkpoint=tmp_path / "c", epochs=2)
    second, _ = resumed_run.run(checkpoint=tmp_path / "c", epochs=2)
    assert torch.equal(first, second)


@pytest.mark.parametrize("memory", ["autograd", "reversible"])
def test_two_processes_do_what_one_does(tmp_path, memory):
    out = tmp_path / "out.pt"
    done = started(
        "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "distributed_run.py", out, memory
    )
    assert done.returncode == 0, done.stderr
    found = torch.load(out, weights_only=True)
    alone = distributed_run.run(memory)
    assert found["losses"] == pytest.approx(alone.history.column("loss"), abs=1e-5)
    assert found["held"] == pytest.approx(alone.history.column("validation_loss"), abs=1e-5)
    for name, tensor in alone.state_dict().items():
        torch.testing.assert_close(found["weights"][name], tensor, rtol=1e-4, atol=1e-5)
