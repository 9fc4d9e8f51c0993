# make demo: run a real trained network backwards.   make test: everything that CI checks.
VENV ?= .venv
PYTHON := $(VENV)/bin/python
export OMP_NUM_THREADS ?= 2

.PHONY: demo test install clean
install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(PYTHON) || python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --upgrade pip
	$(PYTHON) -m pip install --quiet -c constraints.txt -e '.[cli,viz,zoo,dev]'
	touch $@

test: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/pyright
	$(PYTHON) -m pytest -n 2

clean:
	rm -rf $(VENV) demo
