# Everything a newcomer needs: `make chat`, `make test`. Each target sets up what it uses.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: chat test soak fuzz lint audit format bench clean

chat: .venv/inference
	@$(BIN)/bot chat

test: .venv/dev
	$(BIN)/pytest --cov --cov-report=term:skip-covered
	$(BIN)/coverage report --include='bot/conversation/**,bot/inference/scheduler/**' --fail-under=95

soak: .venv/dev
	$(BIN)/python -m tests.soak

fuzz: .venv/dev
	HYPOTHESIS_PROFILE=fuzz $(BIN)/pytest -m fuzz --timeout 0 --hypothesis-show-statistics

lint: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/uv lock --check
	@$(MAKE) --no-print-directory audit

# Known vulnerabilities of what uv.lock pins, where the database that knows them can be reached.
VULNERABILITIES := https://pypi.org/pypi/pip/24.1/json

audit: .venv/dev
	@if $(BIN)/python -c 'import urllib.request as r; r.urlopen("$(VULNERABILITIES)", timeout=5)' \
	    2>/dev/null; then \
	    $(BIN)/uv export --quiet --frozen --all-extras --no-emit-project \
	        | $(BIN)/pip-audit --disable-pip --require-hashes --requirement /dev/stdin; \
	else echo "pip-audit: skipped, its database ($(VULNERABILITIES)) can't be reached"; fi

format: .venv/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/inference
	$(BIN)/bot bench

clean:
	rm -rf .venv

.venv/bin/python:
	@echo "Setting up a virtual environment in .venv" >&2
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --upgrade pip >&2

.venv/inference: .venv/bin/python pyproject.toml
	@echo "Installing gptoss-bot and what its inference needs (a few minutes the first time)" >&2
	@$(BIN)/python -m pip install --quiet --editable '.[inference]' >&2
	@touch $@

.venv/dev: .venv/inference
	@echo "Installing the development tools" >&2
	@$(BIN)/python -m pip install --quiet --editable '.[inference,dev]' >&2
	@touch $@
