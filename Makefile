# One command each: run the loop, look at it, test it. All need Python 3.11, git and make only;
# what else they use is installed into .venv, and, for tests, where the machine allows it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install run ui test lint format site conformance test-tools

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
UV_VERSION := $(shell sed -n 's/^required-version = "==\(.*\)"/\1/p' pyproject.toml)
STAMP := $(VENV)/.installed
PROMETHEUS := $(VENV)/prometheus
PYTEST_ARGS ?= -n 2 --dist loadfile --no-loadscope-reorder

export UV_PROJECT_ENVIRONMENT := $(VENV)
export UV_NO_PROGRESS := 1
export DO_NOT_TRACK := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export DAGSTER_DISABLE_TELEMETRY := 1

help:  ## what there is to make
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

install: $(STAMP)  ## the environment, from the lock file

$(STAMP): pyproject.toml uv.lock
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null \
	  || { echo "Python 3.11 is needed: put python3.11 on PATH, or make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@test -x $(BIN)/python || { echo "install  making $(VENV)"; "$(PYTHON)" -m venv $(VENV); }
	@"$(UV)" --version 2>/dev/null | grep -qF "uv $(UV_VERSION)" || { \
	  echo "install  uv $(UV_VERSION)"; \
	  $(BIN)/python -m pip --disable-pip-version-check install -qq "uv==$(UV_VERSION)"; }
	@echo "install  packages of uv.lock (minutes the first time)"
	@"$(UV)" sync --frozen --compile-bytecode --quiet --python $(BIN)/python
	@touch $@

run: install  ## the whole loop on the demo estate, or on ./finops.yaml
	@$(BIN)/finops run

ui: install  ## Dagster's UI
	@$(BIN)/finops ui

lint: install  ## ruff, mypy, import contracts, SQL and policies
	@echo "lint     ruff"; $(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet .
	@echo "lint     mypy"; $(BIN)/mypy --no-error-summary
	@echo "lint     imports"; $(BIN)/lint-imports --no-logo > $(VENV)/.lint-imports 2>&1 || { cat $(VENV)/.lint-imports; exit 1; }
	@echo "lint     SQL"; printf '%s\n' intermediate marts staging | PATH="$(CURDIR)/$(BIN):$$PATH" xargs -P 2 -I % sh -c \
	  'sqlfluff lint --disable-progress-bar dbt_project/models/% > $(VENV)/.lint-sql-% 2>&1 || { cat $(VENV)/.lint-sql-%; exit 1; }'
	@echo "lint     policies"; $(BIN)/python -m finops_dagster.policy policies > $(VENV)/.lint-policies 2>&1 || { cat $(VENV)/.lint-policies; exit 1; }

format: install  ## write what ruff would have
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

site: install  ## docs/ as HTML in site/, with every model of the warehouse under marts/
	@$(BIN)/sphinx-build -q -W --keep-going docs site
	@cd dbt_project && FINOPS_WAREHOUSE=target/site/warehouse.duckdb ../$(BIN)/finops-dbt --quiet docs generate \
	  --static --empty-catalog --profiles-dir . --target-path target/site
	@mkdir -p site/marts && cp dbt_project/target/site/static_index.html site/marts/index.html
	@echo "site     site/index.html"

# A browser, and Prometheus for its programs alone (unpacked, since installing Debian's package
# starts a service), where this machine lets us have them; tests that need them skip, with a reason,
# where they are absent. The GitHub emulator is installed by the tests that talk to it.
test-tools:
	@command -v chromium chromedriver >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "tools    chromium"; \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver; } >/dev/null 2>&1 \
	      || echo "tools    chromium could not be installed: browser tests will be skipped"; \
	  else echo "tools    no chromium: browser tests will be skipped"; fi; }
	@command -v promtool >/dev/null || test -x $(PROMETHEUS)/usr/bin/promtool || { \
	  echo "tools    prometheus"; rm -rf $(PROMETHEUS); mkdir -p $(PROMETHEUS); \
	  { cd $(PROMETHEUS) && { apt-get download -qq prometheus || { apt-get update -qq && apt-get download -qq prometheus; }; } \
	    && dpkg-deb --extract prometheus_*.deb . && rm prometheus_*.deb; } >/dev/null 2>&1 \
	    || { rm -rf $(PROMETHEUS); echo "tools    prometheus could not be had: tests of it will be skipped"; }; }

test: install lint test-tools  ## all of CI: lint, unit, contract, dbt, policies, Dagster, end to end
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

conformance: install test-tools  ## the long runs; writes docs/conformance.json
	@$(BIN)/python -m pytest -m conformance $(PYTEST_ARGS) || [ $$? -eq 5 ]
	@$(BIN)/python benchmarks/conformance.py
