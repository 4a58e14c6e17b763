# The first that is installed; tensorflow-io, which some tests compare with, has no wheel for 3.13.
PYTHON ?= $(shell for version in 3.12 3.11 3.13; do \
	python$$version -c "" 2>/dev/null && echo python$$version && break; done)
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -q -n 2 --dist=loadgroup --no-loadscope-reorder --durations=20
REQUIREMENTS := setup.cfg requirements.txt

.PHONY: demo test fast lint format

# Colors the sample pictures into demo/. A released model without a file for LiteRT needs TensorFlow.
comma := ,
DEMO := samples$(if $(wildcard saved_models/chroma/*/model.tflite),,$(comma)train)
demo: .venv/.$(DEMO)
	$(BIN)/python -m colorization.demo

test: lint
	$(PYTEST)

fast: .venv/.test,train
	$(PYTEST) -m "not slow"

lint: .venv/.test,train
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/.test,train
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# One stamp for each set of extras; a changed pin makes it again.
.venv/.%: $(REQUIREMENTS)
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed. Received: none." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint requirements.txt --editable ".[$*]"
	touch $@
