# Everything a newcomer needs: `make chat`, `make test`. Each target sets up what it uses.

PYTHON ?= python3
BIN := .venv/bin

PARALLEL := --numprocesses=2 --dist=worksteal

.PHONY: chat test test-slow soak fuzz lint audit format bench clean

chat: .venv/inference
	@$(BIN)/bot chat

# Every behaviour once, in some minutes.
test: .venv/dev
	$(BIN)/pytest -m 'not slow' $(PARALLEL) --cov --cov-report=term:skip-covered
	$(BIN)/coverage report --include='bot/conversation/**,bot/inference/scheduler/**' --fail-under=95

# The same behaviours at length: under load, with more generated requests, with other servers.
test-slow: .venv/dev
	$(BIN)/pytest -m slow

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
	$(BIN)/python -m tests.audit --optional

# Known vulnerabilities of what uv.lock pins; fails where the database that knows them can't tell.
audit: .venv/dev
	$(BIN)/python -m tests.audit

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
