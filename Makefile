# Two commands matter: `make run` and `make test`. Everything they need they install themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PAGE := src/mirrorcore/interfaces/web/page/index.html
PAGE_SOURCES := $(shell find web -type f -not -path '*/node_modules/*' -not -path 'web/dist/*')
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test lint types page bench-smoke evidence lock clean

run: $(VENV)/.run
	@$(BIN)/mirrorcore demo

test: $(VENV)/.dev
	@$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.dev
	@$(BIN)/mypy

# The installation builds the page too, if it can; this one says why if it cannot.
page: | $(BIN)/python
	@MIRRORCORE_WEB=require $(BIN)/pip install -q --no-input --no-deps -e .

bench-smoke: $(VENV)/.dev
	@$(BIN)/python -m benchmarks.smoke

evidence: $(VENV)/.dev
	@$(BIN)/python -m benchmarks.evidence

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "MirrorCore-X needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv $(VENV)

# The lock gives versions and hashes; the second step installs the project itself from this checkout.
$(VENV)/.run: pyproject.toml requirements/run.lock $(PAGE_SOURCES) | $(BIN)/python
	@echo "installing (once) ..."
	@$(BIN)/pip install -q --no-input -r requirements/run.lock
	@$(BIN)/pip install -q --no-input --no-deps -e .
	@test -f $(PAGE) || echo "the dashboard's page could not be built; everything else works, and \`make page\` says why"
	@$(BIN)/python -m compileall -q src
	@touch $@

$(VENV)/.dev: pyproject.toml requirements/dev.lock $(VENV)/.run
	@$(BIN)/pip install -q --no-input -r requirements/dev.lock
	@touch $@

lock: | $(BIN)/python
	@$(BIN)/pip install -q uv
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --python-version 3.11 --extra exchange --extra sources --extra web --extra terminal --extra test --extra lint pyproject.toml -o requirements/dev.lock
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --python-version 3.11 --extra web --extra terminal -c requirements/dev.lock pyproject.toml -o requirements/run.lock

clean:
	@rm -rf $(VENV) build dist
