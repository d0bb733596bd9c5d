# `make test` and `make notebooks` each work alone on a fresh machine with Python 3.11-3.13 and make.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
export TF_CPP_MIN_LOG_LEVEL ?= 3
# Several processes with one thread each are faster here than one with several, and give the same figures everywhere.
SIDE_BY_SIDE := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1
PYTEST := $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: help test notebooks notebooks-update lab leaderboard bench lint coverage fixtures errata mutants clean

help:              ## what there is
	@grep -E '^[a-z-]+: .*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

test: $(VENV)/installed-test lint   ## lint, types, tests
	$(SIDE_BY_SIDE) $(PYTEST)

notebooks: $(VENV)/installed-notebooks   ## run every notebook and compare with the committed outputs; HTML in build/
	$(BIN)/python tools/notebooks/execute.py

notebooks-update: $(VENV)/installed-notebooks   ## run every notebook and keep what it prints
	$(BIN)/python tools/notebooks/execute.py --update

lab: $(VENV)/installed-notebooks   ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab --notebook-dir=notebooks

leaderboard: $(VENV)/installed-test   ## every answer and the baselines on one table
	$(BIN)/keras-recs leaderboard

bench: $(VENV)/installed-test   ## our answers beside other libraries, accuracy and speed; a table in benchmarks/README.md
	$(BIN)/python benchmarks/peers.py --keep

lint: $(VENV)/installed-test   ## ruff and mypy
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

fixtures: $(VENV)/installed-test   ## rebuild the data set cinema from its catalogue, and its word vectors
	$(BIN)/python tools/cinema/generate.py
	$(BIN)/python tools/cinema/words.py

errata: $(VENV)/installed-test   ## rewrite ERRATA.md from the lists of defects
	$(BIN)/python -m keras_recs.practice.errata > ERRATA.md

mutants: $(VENV)/installed-test $(VENV)/installed-mutants   ## change one answer in all small ways: make mutants Q=5
	$(BIN)/python benchmarks/mutants.py $(Q)

coverage: $(VENV)/installed-test   ## tests with line coverage; 95 % is the least
	$(SIDE_BY_SIDE) $(PYTEST) --cov --cov-report=term --cov-fail-under=95

clean:             ## remove what was built and installed
	rm -rf $(VENV) build dist *.egg-info

# One stamp a set of extras: a second run finds it and installs nothing. The versions are those that the committed
# notebook outputs were made with.
$(VENV)/installed-%: setup.cfg setup.py pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v[:2] <= (3, 13) else \
	  f"Python 3.11, 3.12 or 3.13 is needed, and $(PYTHON) is {v[0]}.{v[1]}: make PYTHON=/path/to/python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing keras_recs[$*] into $(VENV): a few minutes the first time, TensorFlow is large ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$*]'
	@touch $@
