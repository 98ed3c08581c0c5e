# The two commands of the README, and what stands behind them. Everything is built in .venv.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Two processes, a file at a time, so that what a file builds is built once; two threads in each would only wait for
# one another.
WORKERS ?= 2
SPREAD  := -n $(WORKERS) --dist loadfile
PYTEST  := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-all test-floors test-pyside bench bench-quick bench-cuda screenshots demo-model profiles-model options notebooks lint types contracts manifest wheel clean

help:  ## show what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

demo: $(VENV)/all.installed  ## build all that is needed and open the program (without a screen: write demo.png)
	@.ci/system.sh window
	@if .ci/system.sh has-display; then $(BIN)/napari-cellclip demo; \
	 else $(BIN)/napari-cellclip demo --screenshot demo.png && echo "no screen here: the window is in demo.png"; fi

test: $(VENV)/test.installed  ## build all that is needed and run the fast tests (ARGS="tests/plates -k phenix" for some)
	@.ci/system.sh window
	$(PYTEST) $(SPREAD) -m "not slow" $(ARGS)

test-slow: $(VENV)/test.installed  ## the tests that make test leaves out
	@.ci/system.sh window
	$(PYTEST) $(SPREAD) -m slow $(ARGS)

test-all: $(VENV)/test.installed  ## every test, one after the other
	@.ci/system.sh window
	$(PYTEST) $(ARGS)

test-floors: $(VENV)-floors/test.installed  ## the fast tests with the oldest versions that pyproject.toml allows
	@.ci/system.sh window
	OMP_NUM_THREADS=1 $(VENV)-floors/bin/python -m pytest $(SPREAD) -m "not slow" $(ARGS)

test-pyside: $(VENV)/test.installed  ## the tests of the window on PySide6 (6.12.0 aborts on Python 3.11)
	@.ci/system.sh window
	$(PIP) --upgrade --no-deps --target build/pyside6 'PySide6_Essentials>=6.7,!=6.12.0' 'shiboken6>=6.7,!=6.12.0'
	PYTHONPATH=build/pyside6 QT_API=pyside6 PYTEST_QT_API=pyside6 $(PYTEST) $(SPREAD) tests/gui $(ARGS)

bench: $(VENV)/test.installed  ## every timing, to benchmarks/REPORT.md (half an hour; what they mean: docs/benchmarks.md)
	@.ci/system.sh window
	$(BIN)/python -m benchmarks.speed.report $(ARGS)

bench-quick: $(VENV)/test.installed  ## the same at tiny sizes: whether they run, never how fast
	@.ci/system.sh window
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.speed.report --quick --out build/bench

bench-cuda: $(VENV)/test.installed  ## where an NVIDIA GPU is at hand: its tests, and encoding on it, to build/bench-cuda
	$(BIN)/python -m pytest -m cuda tests/model
	$(BIN)/python -m benchmarks.speed.report --only encode_demo encode_dinov2 --out build/bench-cuda

screenshots: $(VENV)/all.installed  ## pictures of every tab at several sizes, scales and themes, to build/screenshots
	@.ci/system.sh window
	$(BIN)/python -m benchmarks.screenshots $(ARGS)

demo-model: $(VENV)/all.installed  ## train the bundled model again from its recipe (under an hour on 2 cores)
	$(BIN)/python -m napari_cellclip.training.demo

profiles-model: $(VENV)/all.installed  ## fit the bundled profile model again (CPJUMP1=FOLDER DAHLIN2023=FOLDER; needs the extra sentences)
	$(BIN)/python -m napari_cellclip.training.profiles $(CPJUMP1) $(DAHLIN2023)

options: $(VENV)/all.installed  ## docs/options.md: every verb and option, as the program tells them
	$(BIN)/python -m typer napari_cellclip.cli.program utils docs --name napari-cellclip --output docs/options.md

notebooks: $(VENV)/test.installed  ## run the notebooks and keep what they show
	$(BIN)/jupyter-execute --inplace notebooks/0[1-3]*.ipynb
	@test -n "$$CPJUMP1_TABLES" && $(BIN)/jupyter-execute --inplace notebooks/04*.ipynb || echo "notebook 4 needs CPJUMP1_TABLES"

lint: $(VENV)/test.installed  ## style of the code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/test.installed  ## types of the core
	$(BIN)/mypy

contracts: $(VENV)/test.installed  ## which subpackage may import which
	$(BIN)/lint-imports

manifest: $(VENV)/test.installed  ## the napari manifest
	$(BIN)/npe2 validate napari_cellclip/napari.yaml

wheel: $(VENV)/test.installed  ## wheel and sdist, in dist/
	$(BIN)/python -m build

clean:  ## remove what was built here
	rm -rf $(VENV) $(VENV)-floors build dist demo.png .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	@.ci/system.sh python $(PYTHON)
	@echo "building $(VENV)"
	@$(PYTHON) -m venv $(VENV)

# One stamp an extra: a second run installs nothing until pyproject.toml changes.
$(VENV)/%.installed: pyproject.toml | $(BIN)/python
	@echo "installing napari-cellclip[$*] and what it needs (several minutes the first time)"
	@$(PIP) -e '.[$*]'
	@touch $@

$(VENV)-floors/test.installed: pyproject.toml | $(BIN)/python
	@echo "installing napari-cellclip[test] at its floors (several minutes)"
	@$(PIP) uv
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)-floors
	@$(BIN)/uv pip install --quiet --python $(VENV)-floors/bin/python --resolution lowest-direct -e '.[test]'
	@touch $@
