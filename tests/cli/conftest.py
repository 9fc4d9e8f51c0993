"""Commands as the shell would run them, in the folder ``place`` that each file of tests makes."""

import sys

import pytest

from preimage import cli


@pytest.fixture
def call(place, monkeypatch, capsys):
    """Run the command as the shell would; returns exit code, standard output and standard error."""

    def run(*arguments):
        monkeypatch.chdir(place)
        monkeypatch.setattr(sys, "argv", ["preimage", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


@pytest.fixture
def done(call):
    def run(*arguments):
        code, said, told = call(*arguments)
        assert code == 0, told
        return said

    return run


@pytest.fixture
def refused(call):
    def run(*arguments, says):
        code, _, told = call(*arguments)
        assert code == 2
        assert told.startswith("preimage: ")
        assert says in told
        assert "Traceback" not in told

    return run
