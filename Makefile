# The two commands of the README, and what stands behind them. Everything is built in .venv.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test demo-model notebooks lint types contracts manifest clean

help:  ## show what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

demo: $(VENV)/all.installed  ## build all that is needed and open the program (without a screen: write demo.png)
	@.ci/system.sh window
	@if .ci/system.sh has-display; then $(BIN)/napari-cellclip demo; \
	 else $(BIN)/napari-cellclip demo --screenshot demo.png && echo "no screen here: the window is in demo.png"; fi

test: $(VENV)/test.installed  ## build all that is needed and run every test (ARGS="-k plates" for some)
	@.ci/system.sh window
	$(BIN)/python -m pytest $(ARGS)

demo-model: $(VENV)/all.installed  ## train the bundled model again from its recipe (under an hour on 2 cores)
	$(BIN)/python -m napari_cellclip.training.demo

notebooks: $(VENV)/test.installed  ## run the notebooks and keep what they show
	$(BIN)/jupyter-execute --inplace notebooks/*.ipynb

lint: $(VENV)/test.installed  ## style of the code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/test.installed  ## types of the core
	$(BIN)/mypy

contracts: $(VENV)/test.installed  ## which room may import which
	$(BIN)/lint-imports

manifest: $(VENV)/test.installed  ## the napari manifest
	$(BIN)/npe2 validate napari_cellclip/napari.yaml

clean:  ## remove what was built here
	rm -rf $(VENV) build dist demo.png .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	@.ci/system.sh python $(PYTHON)
	@echo "building $(VENV)"
	@$(PYTHON) -m venv $(VENV)

# One stamp an extra: a second run installs nothing until pyproject.toml changes.
$(VENV)/%.installed: pyproject.toml | $(BIN)/python
	@echo "installing napari-cellclip[$*] and what it needs (several minutes the first time)"
	@$(PIP) -e '.[$*]'
	@touch $@
