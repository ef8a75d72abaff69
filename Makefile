# Needs Linux on x86-64, Python 3.11 with pip, and bash. Everything else is fetched into this folder.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory
.SILENT:
.DELETE_ON_ERROR:
.PHONY: help setup demo up check test fuzz bench docs clean

UV_VERSION := 0.13.8
UV := .tools/bin/uv
PYTHON ?= $(shell for p in $$(type -aP python3.11 python3 python); do "$$p" -c \
	'import sys, pip; sys.version_info[:2] == (3, 11) or sys.exit(1); print(sys.executable)' 2>/dev/null && break; done)
BIN := .venv/bin
# Their examples are tests too. Not benchmarks: its peers are not installed here.
PACKAGES := contracts models udfs feature_store intelligence gateway pipelines jobs argus
ARGS ?=
FUZZ_S ?= 300

# A virtual environment that is active elsewhere is not ours; and no interpreter is fetched behind anybody's back.
unexport VIRTUAL_ENV
export UV_PYTHON_DOWNLOADS := never
# Compiled once here rather than at every start, where the environment forbids Python to keep what it compiles.
export UV_COMPILE_BYTECODE := 1

help: ## list the targets
	awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: .jars/.fetched ## fetch uv, the Python environment and the jars into this folder

demo: setup ## replay a CI day through a real broker and Flink (ARGS=--keep leaves it running)
	$(BIN)/argus demo $(ARGS)

up: setup ## start the embedded stack and leave it running (`.venv/bin/argus down` stops it)
	$(BIN)/argus up --detach $(ARGS)

check: .venv/.synced ## formatting, lint, types, import rules, unit tests: a minute, no servers
	$(BIN)/ruff format --check --quiet . || { echo 'check: run `.venv/bin/ruff format .`' >&2; exit 1; }
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -q --numprocesses auto --maxprocesses 4 --doctest-modules tests/unit $(PACKAGES) $(ARGS)

test: check .jars/.fetched ## check, then the tests against the real servers
	$(BIN)/pytest -q tests/stack $(ARGS)

FUZZED := tests/unit/fuzz tests/stack/test_openapi.py \
	$(patsubst %,tests/unit/gateway/ingest/test_%.py,archives cdevents cloudevents otlp redaction sentry spans)
fuzz: .jars/.fetched ## look for what breaks a parser or the gateway, in rounds of new examples (FUZZ_S=300 seconds)
	rounds=0; while ((SECONDS < $(FUZZ_S))); do \
		rounds=$$((rounds + 1)); \
		HYPOTHESIS_PROFILE=fuzz $(BIN)/pytest -q $(FUZZED) $(ARGS) || \
			{ echo "fuzz: round $$rounds found what stands above; the same command finds it again" >&2; exit 1; }; \
	done; echo "fuzz: nothing found in $$rounds rounds"

bench: setup ## measure throughput, latency and start-up on this machine
	for bench in velocity latency up ingest incidents; do echo "bench $$bench"; $(BIN)/argus bench $$bench $(ARGS); done

docs: .venv/.synced ## write the generated documents again
	$(BIN)/argus docs

clean: ## stop an embedded stack of this folder; remove its data and everything fetched or generated
	if [ -x $(BIN)/argus ] && [ -d .argus ]; then $(BIN)/argus down; fi
	rm -rf .venv .venv-peers .tools .jars .argus .hypothesis .*_cache build dist ./*.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

# pip's own record says which uv lies here; pip leaves the system alone, since --target is this folder.
.tools/uv-$(UV_VERSION).dist-info/RECORD:
	if ! "$(PYTHON)" -c 'import sys, pip; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then \
		echo 'setup: Python 3.11 with pip is needed, and there is none on the PATH.' >&2; \
		echo 'setup: install it (Debian 12: apt-get install python3 python3-pip) or name it: make setup PYTHON=/path/to/python3.11' >&2; \
		exit 1; \
	fi
	echo 'setup: uv $(UV_VERSION)'
	PIP_ROOT_USER_ACTION=ignore "$(PYTHON)" -m pip install --quiet --no-user --no-deps --upgrade --no-warn-script-location \
		--disable-pip-version-check --target .tools uv==$(UV_VERSION)

.venv/.synced: pyproject.toml uv.lock | .tools/uv-$(UV_VERSION).dist-info/RECORD
	echo 'setup: the Python environment (0.9 GB on disk)'
	$(UV) sync --frozen --quiet --python "$(PYTHON)"
	touch $@

.jars/.fetched: argus/stack/jars.lock .venv/.synced
	echo 'setup: jars of Kafka and the Flink connector (55 MB)'
	$(BIN)/argus jars
	touch $@

argus/stack/jars.lock: ;
