# Everything a newcomer needs: `make chat`, `make test`. Each target sets up what it uses.

PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11
BIN := .venv/bin

# Four workers for two cores: tests wait for another process, or for a platform's pace.
PARALLEL := --numprocesses=4 --dist=worksteal

# Where Python is told to keep nothing that it compiled, each of a test's processes would compile the
# bot again: a second each.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: chat test test-slow test-peers kernels soak fuzz lint audit format docs screenshots bench clean

chat: .venv/inference
	@$(BIN)/bot chat

# Every behaviour once, in some minutes. Tracing is only where it counts: with it, kernels that an
# interpreter runs take twice as long.
MEASURED := tests/conversation tests/inference/scheduler

test: .venv/dev
	$(BIN)/pytest -m 'not slow' $(PARALLEL) $(addprefix --ignore=,$(MEASURED))
	$(BIN)/pytest -m 'not slow' $(PARALLEL) $(MEASURED) --cov=bot.conversation \
	    --cov=bot.inference.scheduler --cov-report=term:skip-covered --cov-fail-under=95

# The same behaviours at length: under load, with more generated requests, with other servers.
test-slow: .venv/dev
	$(BIN)/pytest -m slow

# The bot in front of vLLM, llama.cpp and transformers; vLLM takes 3.5 GB and minutes the first time,
# so that test-slow tries it only where it is installed.
test-peers: .venv/dev
	BOT_TEST_PEERS=1 $(BIN)/pytest -m slow tests/peers

# Every kernel of the gpt-oss engine, compiled for every card without one: twenty minutes of one core.
# TRITON=3.6.0 takes that version of Triton in place of the installed one.
kernels: .venv/dev
	$(if $(TRITON),$(BIN)/python -m pip install --quiet --no-deps --upgrade \
	    --target .venv/triton-$(TRITON) triton==$(TRITON))
	TRITON_INTERPRET=0 PYTHONPATH=$(if $(TRITON),.venv/triton-$(TRITON)) $(BIN)/python -m tests.compiled

soak: .venv/dev
	$(BIN)/python -m tests.soak

fuzz: .venv/dev
	HYPOTHESIS_PROFILE=fuzz $(BIN)/pytest -m fuzz --timeout 0 --hypothesis-show-statistics

lint: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	if [ -x $(BIN)/hadolint ]; then $(BIN)/hadolint Dockerfile; fi
	$(BIN)/uv lock --check
	$(BIN)/python -m tests.audit --optional

# Known vulnerabilities of what uv.lock pins; fails where the database that knows them can't tell.
audit: .venv/dev
	$(BIN)/python -m tests.audit

format: .venv/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The status page's pictures in docs/images; needs a browser.
screenshots: .venv/dev
	STATUS_IMAGES=docs/images $(BIN)/pytest tests/status/test_browser.py -k overview

# The site, into site/; before it, what is made from the schema and from the figures.
docs: .venv/dev
	$(BIN)/python -m docs.generate
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --clean

bench: .venv/inference
	$(BIN)/bot bench

clean:
	rm -rf .venv

# The first of PYTHON that is new enough. A .venv that was left half made, or is too old, is made again.
IS_NEW := import sys; sys.exit(sys.version_info < (3, 11))

.venv/made:
	@if .venv/bin/python -c '$(IS_NEW)' 2>/dev/null && .venv/bin/python -m pip --version >/dev/null 2>&1; \
	    then touch $@; exit; fi; \
	for python in $(PYTHON); do \
	    if $$python -c '$(IS_NEW)' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	    echo "gptoss-bot needs Python 3.11 or newer, and none is among: $(PYTHON)." \
	        "Install one, then name it: make chat PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	echo "Setting up a virtual environment in .venv with $$found" >&2; \
	if ! $$found -m venv --clear .venv; then \
	    rm -rf .venv; \
	    echo "$$found can't make virtual environments: install its venv module" \
	        "(Debian, Ubuntu: apt install python3-venv), then run make again" >&2; exit 1; \
	fi; \
	touch $@

# torch's build for CUDA takes 3 GB. Where no card is, its build for the CPU is taken, if the index of
# pip has one.
CPU_TORCH := torch==2.13.0+cpu

.venv/inference: .venv/made pyproject.toml
	@if [ "$$(uname -s) $$(uname -m)" = "Darwin x86_64" ]; then \
	    echo "Models need torch, which has no builds for Macs with Intel processors. The bot runs there" \
	        "with another server's model: pip install . and set INFERENCE_URL (docs/start.md)" >&2; exit 1; \
	fi
	@$(BIN)/python -m pip install --quiet --upgrade pip >&2
	@if ! nvidia-smi >/dev/null 2>&1 && \
	    $(BIN)/python -m pip install --quiet '$(CPU_TORCH)' >/dev/null 2>&1; then \
	    echo "No NVIDIA card was found: installing for the CPU, about 0.7 GB" >&2; \
	else \
	    echo "Installing gptoss-bot with torch for CUDA, about 3 GB, some minutes the first time" >&2; \
	fi
	@$(BIN)/python -m pip install --quiet --editable '.[inference]' >&2
	@touch $@

.venv/dev: .venv/inference
	@echo "Installing the development tools" >&2
	@$(BIN)/python -m pip install --quiet --editable '.[inference,dev,docs]' >&2
	@touch $@
