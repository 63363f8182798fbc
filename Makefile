PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
# These hurt the machine or watch the clock; all others share it.
ALONE := tests/faults tests/limits tests/load

.DEFAULT_GOAL := help
.PHONY: help run test check format lock bench

help: ## Show the commands of this project
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(READY): requirements/installer.txt requirements/development.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/installer.txt
	$(BIN)/uv pip sync --quiet --system-certs --python $(BIN)/python --require-hashes requirements/development.txt
	$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $(READY)

run: $(READY) ## Start the server with its own PostgreSQL on 127.0.0.1:8080
	@PRONOIA_LOG_FORMAT=$${PRONOIA_LOG_FORMAT:-console} $(BIN)/pronoia serve --first-key

test: $(READY) ## Run all tests against a real PostgreSQL
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(addprefix --ignore=,$(ALONE))
	$(BIN)/python -m pytest $(ALONE)

check: $(READY) ## Lint, types, layers, generated code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/python tools/generate_sync_client.py --check
	$(BIN)/python tools/write_configuration.py --check
	$(BIN)/python tools/write_metrics.py --check
	$(BIN)/python tools/write_dashboards.py --check
	$(BIN)/python tools/write_alert_rules.py --check

bench: $(READY) ## Measure speed and memory (QUICK=1 for a first look)
	$(BIN)/python bench/run.py $(if $(QUICK),--quick)

format: $(READY) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## Resolve the dependencies again and write their hashes
	uv pip compile --quiet --system-certs --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links --upgrade \
		--python-version 3.11 --group dev pyproject.toml --output-file requirements/development.txt
	printf 'uv\n' | uv pip compile --quiet --system-certs --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links \
		--python-version 3.11 - --output-file requirements/installer.txt
