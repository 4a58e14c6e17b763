PYTHON ?= python3.11
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -q -n 2 --dist=loadgroup --no-loadscope-reorder --durations=20
REQUIREMENTS := setup.cfg requirements.txt

.PHONY: demo test fast lint format

# Colors the sample pictures into demo/.
demo: .venv/.samples
	$(BIN)/python -m colorization.demo

test: lint
	$(PYTEST)

fast: .venv/.test
	$(PYTEST) -m "not slow"

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# One stamp for each set of extras; a changed pin makes it again.
.venv/.%: $(REQUIREMENTS)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable ".[$*]"
	touch $@
