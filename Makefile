# Needs Python 3.11 or newer and nothing else; everything is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TARGET ?= demo
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help install run build docs test lint format bench mutants train clean

help: ## what each command does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 run"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[hub,train,dev]'
	@touch $@

install: $(VENV)/.installed ## the environment alone

run: $(VENV)/.installed ## the demo from nothing to insights; a second time only what is new
	@$(BIN)/social-signals run --target $(TARGET)

build: $(VENV)/.installed ## dbt models and their tests, then publish
	@$(BIN)/social-signals build --target $(TARGET)

docs: $(VENV)/.installed ## the lineage site, one static page
	@$(BIN)/social-signals docs --target $(TARGET)

test: $(VENV)/.installed-dev ## every test
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup

lint: $(VENV)/.installed-dev ## ruff, mypy and sqlfluff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint dbt_project --disable-progress-bar
	$(BIN)/sqlfluff lint --templater raw --disregard-sqlfluffignores dbt_project/analyst_macros \
	  --disable-progress-bar

format: $(VENV)/.installed-dev ## put Python code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-dev ## measured speed: loading, term matching, lag screen, sentiment
	$(BIN)/python -m benchmarks

mutants: $(VENV)/.installed-dev ## each listed mutation must break a test
	$(BIN)/python -m tests.mutants

train: $(VENV)/.installed-dev ## the embedded model from labelled texts: make train DATA=folder OUTPUT=folder
	$(BIN)/python -m udfs.sentiment.training --data $(DATA) --output $(OUTPUT)

clean: ## the demo's data and every cache; the environment stays
	rm -rf warehouse/data/demo dbt_project/target dbt_project/logs .pytest_cache .mypy_cache .ruff_cache .hypothesis
