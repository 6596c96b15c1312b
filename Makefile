# Two commands set everything up on a fresh machine: `make quickstart` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup quickstart test test-all lint format bench docs clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip -c constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt torch==$$(sed -n 's/^torch==//p' constraints.txt)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $(READY)

quickstart: $(READY)
	$(BIN)/dlx train recipes/quickstart.yaml --strict

test: $(READY)
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-all: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

docs: $(READY)
	$(BIN)/dlx docs docs/reference

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
