# wijkstroom: two commands are enough, `make demo` and `make test`. Arguments pass through as ARGS="...".
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo serve test check lint types layers bench lock clean

help: ## show what can be made
	@grep -hE '^[a-z.]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

# Safe under parallel make: everything else waits for this one target.
$(VENV): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is missing. Debian and Ubuntu: apt install python3 python3-venv make git"; exit 1; }
	@command -v git >/dev/null || { echo "make: git is missing. Debian and Ubuntu: apt install git"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $$($(PYTHON) --version) is too old, Python 3.11 or newer is needed (make PYTHON=python3.12 ...)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "make: the venv module is missing. Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: $(VENV) ## one street for a day: real stations on real sockets, a plan every quarter, a table at the end
	$(BIN)/wijkstroom demo $(ARGS)

serve: $(VENV) ## the central system for your own stations (ARGS="--try" for a first look)
	$(BIN)/wijkstroom serve $(ARGS)

test: $(VENV) ## the tests
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV) ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV) ## mypy, strict
	$(BIN)/mypy

layers: $(VENV) ## who may import whom
	$(BIN)/lint-imports

check: lint types layers test ## what CI runs

bench: $(VENV) ## measure: ARGS="loop --json"
	$(BIN)/wijkstroom bench $(ARGS)

lock: $(VENV) ## renew requirements.lock from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --all-extras --group dev \
	    --group build --no-header --no-emit-index-url --no-emit-find-links -o requirements.lock pyproject.toml

clean: ## remove the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
