PYTHON ?= python3
BIN := .venv/bin
SUPPLY_CHAIN := .venv-supply-chain
READY := .venv/ready
LOCK := uv pip compile --quiet --system-certs --universal --generate-hashes --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links --python-version 3.11
# These hurt the machine or watch the clock; all others share it.
ALONE := tests/faults tests/limits tests/load tests/audit/test_refused_access.py \
	tests/cli/test_bench_load.py tests/management/test_key_rotation_under_load.py

.DEFAULT_GOAL := help
.PHONY: help run test check audit sbom format lock bench

help: ## Show the commands of this project
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(READY): requirements/installer.txt requirements/development.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/installer.txt
	$(BIN)/uv pip sync --quiet --system-certs --python $(BIN)/python --require-hashes requirements/development.txt
	$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $(READY)

$(SUPPLY_CHAIN)/ready: requirements/supply-chain.txt
	$(PYTHON) -m venv $(SUPPLY_CHAIN)
	$(SUPPLY_CHAIN)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/supply-chain.txt
	@touch $@

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
	@$(MAKE) --no-print-directory audit

audit: $(SUPPLY_CHAIN)/ready ## Ask for known vulnerabilities of the locked packages
	$(PYTHON) tools/audit_dependencies.py $(SUPPLY_CHAIN)/bin/pip-audit requirements/development.txt

sbom: $(SUPPLY_CHAIN)/ready ## Write sbom.cdx.json, the bill of materials of what runs in production (CycloneDX)
	$(SUPPLY_CHAIN)/bin/cyclonedx-py requirements requirements/runtime.txt --pyproject pyproject.toml \
		--output-reproducible --output-format JSON --output-file sbom.cdx.json

bench: $(READY) ## Measure speed and memory (QUICK=1 for a first look)
	$(BIN)/python bench/run.py $(if $(QUICK),--quick)

format: $(READY) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## Resolve the dependencies again and write their hashes
	$(LOCK) --upgrade --group dev pyproject.toml --output-file requirements/development.txt
	$(LOCK) --all-extras --constraint requirements/development.txt pyproject.toml --output-file requirements/runtime.txt
	$(LOCK) --upgrade --group supply-chain --output-file requirements/supply-chain.txt
	printf 'uv\n' | $(LOCK) - --output-file requirements/installer.txt
