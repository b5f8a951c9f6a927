# Two commands matter: `make run` and `make test`. Everything they need they install themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test lint types bench-smoke evidence lock clean

run: $(VENV)/.run
	@$(BIN)/mirrorcore demo

test: $(VENV)/.dev
	@$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.dev
	@$(BIN)/mypy

bench-smoke: $(VENV)/.dev
	@$(BIN)/python -m benchmarks.smoke

evidence: $(VENV)/.dev
	@$(BIN)/python -m benchmarks.evidence

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "MirrorCore-X needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv $(VENV)

# The lock gives versions and hashes; the second step installs the project itself from this checkout.
$(VENV)/.run: pyproject.toml requirements/run.lock | $(BIN)/python
	@echo "installing (once) ..."
	@$(BIN)/pip install -q --no-input -r requirements/run.lock
	@$(BIN)/pip install -q --no-input --no-deps -e .
	@$(BIN)/python -m compileall -q src
	@touch $@

$(VENV)/.dev: pyproject.toml requirements/dev.lock $(VENV)/.run
	@$(BIN)/pip install -q --no-input -r requirements/dev.lock
	@touch $@

lock: | $(BIN)/python
	@$(BIN)/pip install -q uv
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --python-version 3.11 pyproject.toml -o requirements/run.lock
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --python-version 3.11 --extra test --extra lint -c requirements/run.lock pyproject.toml -o requirements/dev.lock

clean:
	@rm -rf $(VENV) build dist
