# Two commands set everything up on a fresh machine: `make quickstart` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH ?= startup speed models generative selfsupervised growth
MEASURED := $(CURDIR)/benchmarks/measured.json

.PHONY: setup quickstart test test-all test-sample lint format bench bench-compare mutate docs clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --upgrade pip -c constraints.txt
	$(BIN)/python -m pip install -c constraints.txt torch==$$(sed -n 's/^torch==//p' constraints.txt)
	$(BIN)/python -m pip install -c constraints.txt -e '.[dev]'
	touch $(READY)

quickstart: $(READY)
	$(BIN)/dlx train recipes/quickstart.yaml --strict

test: $(READY)
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-all: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-sample: $(READY)
	$(BIN)/python tests/gallery_sample.py | xargs $(BIN)/python -m pytest -n 2

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)
	rm -f $(MEASURED)
	for name in $(BENCH); do DLX_BENCH_JSON=$(MEASURED) $(BIN)/python benchmarks/$$name.py || exit 1; done

bench-compare: bench
	$(BIN)/python benchmarks/results.py $(MEASURED) benchmarks/baseline.json

MUTATED ?= dlx/losses dlx/metrics dlx/tasks dlx/engine dlx/data

mutate: $(READY)
	test -f .mutation/reach.json || $(BIN)/python tests/mutation/mutate.py --learn tests
	$(BIN)/python tests/mutation/mutate.py $(MUTATED)

docs: $(READY)
	$(BIN)/dlx docs docs/reference
	$(BIN)/python docs/architecture.py docs/images/architecture.svg

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
