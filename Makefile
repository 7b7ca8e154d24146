# Every command sets up what it needs, given Python 3.11 to 3.13 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run sandbox test crash check bench audit lock screenshots figures clean

run: $(VENV)/.runtime
	$(BIN)/python -m bot run

sandbox: $(VENV)/.runtime
	$(BIN)/python -m bot sandbox

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not long"

crash: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist worksteal --timeout 600 -m long

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The cost and the speed of the bot, in one table; takes ten minutes on a machine with nothing else to do.
bench: $(VENV)/.dev
	$(BIN)/python -m tests.bench

# Compares the C libraries inside the wheels with their minimum versions (offline), and searches the database of known
# vulnerabilities for every locked package.
audit: .venv-audit/.done $(VENV)/.dev
	$(BIN)/python -m tests.images.bundled_libraries
	.venv-audit/bin/pip-audit --strict --disable-pip -r requirements.lock -r requirements-dev.lock

.venv-audit/.done: requirements-audit.lock
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-audit.lock
	touch $@

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "Darkroom needs Python 3.11 to 3.13; say which with: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

# One resolution: the runtime lock is constrained by the development lock. Needs uv.
lock:
	uv pip compile --universal --generate-hashes --no-header --no-annotate --group dev pyproject.toml -o requirements-dev.lock
	uv pip compile --universal --generate-hashes --no-header --no-annotate -c requirements-dev.lock pyproject.toml -o requirements.lock
	uv pip compile --universal --generate-hashes --no-header --no-annotate --group audit -o requirements-audit.lock

# The screenshots of the README, which need a Chromium, and the image of /stats.
screenshots: $(VENV)/.dev
	$(BIN)/python -m tests.stats.draw_sample_chart
	$(BIN)/python -m tests.sandbox.web.screenshots

# The diagram of docs/performance.md.
figures: $(VENV)/.dev
	$(BIN)/python -m tests.poll_schedule.draw_poll_cost

clean:
	rm -rf $(VENV) .venv-audit
