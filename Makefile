# The commands of a person and of CI. Portable: GNU make 3.81 (macOS) and later, POSIX sh.
# Variables to set: PYTHON (the interpreter), PORT (of `make run`), BASE (of `make image`), TESTS (of `make test`),
# BENCH (of `make bench`: flags of `python -m bench`), RUNS and CONFORMANCE (of `make conformance`: how often, and further
# flags of `python -m tests.conformance`), HOURS or MINUTES (of `make soak`), SECONDS (of `make fuzz`).

.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
IN_VENV := $(VENV)/bin/python
PYZ := mcpgw.pyz
BASE := python:3.13-slim
IMAGE := mcpgw/mcp-gateway
# The image is Linux even where the engine lives in a virtual machine.
IMAGE_PLATFORM := linux-$(shell uname -m | sed s/arm64/aarch64/)-glibc
IMAGE_FOLDER := .build/image
TESTS := tests
PORT := 8811
RUNS := 3
HOURS := 1
SECONDS := 300

SOURCES := $(shell find gateway actors catalogs release -type f ! -name '*.pyc' 2>/dev/null)
ASYNC_RULES := ASYNC102,ASYNC103,ASYNC104,ASYNC111,ASYNC112,ASYNC113,ASYNC119,ASYNC120,ASYNC121,ASYNC123,ASYNC128,ASYNC900

# A venv whose Python is gone is made anew.
$(shell $(IN_VENV) -c '' 2>/dev/null || rm -rf $(VENV))

# Only asked when a recipe needs it, so that `make help` works everywhere.
python = $(or $(PYTHON),$(shell sh release/machine.sh python))
install = $(IN_VENV) -m pip install --quiet --disable-pip-version-check --require-hashes -r

.PHONY: help run pyz image plugin test conformance check faults fuzz soak bench lock clean

help: ## show this
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

run: $(PYZ) ## build what is missing and start the gateway with the starter catalog on 127.0.0.1:8811
	./$(PYZ) gateway run --transport sse --port $(PORT) --starter

pyz: $(PYZ) ## build mcpgw.pyz

$(PYZ): $(VENV)/build.stamp $(SOURCES) requirements.txt shiv.toml pyproject.toml
	@$(IN_VENV) -m release.build_pyz

image: $(VENV)/build.stamp ## build the container image mcpgw/mcp-gateway (BASE=… for another base image)
	@mkdir -p $(IMAGE_FOLDER)
	@$(IN_VENV) -m release.build_pyz --platform $(IMAGE_PLATFORM) --output $(IMAGE_FOLDER)/mcpgw.pyz
	docker build --file Dockerfile --build-arg BASE=$(BASE) --tag $(IMAGE) $(IMAGE_FOLDER)

plugin: $(PYZ) ## install mcpgw.pyz as the Docker CLI plugin `docker mcp`
	@$(IN_VENV) -m release.install_plugin $(PYZ)

test: $(VENV)/dev.stamp $(PYZ) ## install what the tests need, and run them (TESTS=… for some of them)
	@sh release/machine.sh need compiler
	@if $(IN_VENV) -m tests.engine start; then $(IN_VENV) -m tests.images; else \
		echo "make: no engine, so the tests that need one do not run" >&2; fi
	$(IN_VENV) -m pytest $(TESTS)

conformance: $(VENV)/dev.stamp $(PYZ) ## run the official conformance suite against the gateway, RUNS times
	@$(IN_VENV) -m tests.engine start
	$(IN_VENV) -m tests.conformance --runs $(RUNS) $(CONFORMANCE)

check: $(VENV)/dev.stamp ## format, lint, types, layers, spelling
	$(IN_VENV) -m ruff format --check .
	$(IN_VENV) -m ruff check .
	@# It takes its time, and has nothing to say of files that wait for nothing.
	grep -rlw --include='*.py' async gateway actors | xargs $(VENV)/bin/flake8-async --enable $(ASYNC_RULES)
	$(IN_VENV) -m mypy
	$(VENV)/bin/lint-imports --no-logo
	$(VENV)/bin/codespell

faults: $(VENV)/dev.stamp $(PYZ) ## play all cells of the fault matrix, and write its table into docs/reliability.md (needs root)
	@$(IN_VENV) -m tests.engine start
	@mkdir -p .build
	MCPGW_FAULTS=all MCPGW_FAULTS_RECORD=.build/faults.jsonl $(IN_VENV) -m pytest tests/faults
	$(IN_VENV) -m tests.faults.report .build/faults.jsonl

fuzz: $(VENV)/fuzz.stamp ## look for inputs that break what reads strangers' bytes, for SECONDS in all
	$(IN_VENV) -m tests.fuzz --seconds $(SECONDS)

soak: $(VENV)/dev.stamp $(PYZ) ## use and hurt a gateway for HOURS (or MINUTES), and see that it rests as before
	@$(IN_VENV) -m tests.engine start
	$(IN_VENV) -m tests.soak --minutes $(or $(MINUTES),$(shell expr $(HOURS) \* 60))

bench: $(VENV)/dev.stamp $(PYZ) ## measure the gateway against its targets (BENCH=… for further flags of `python -m bench`)
	@sh release/machine.sh need compiler
	@sh release/machine.sh need wrk
	$(IN_VENV) -m bench $(BENCH)

lock: ## pin the newest dependencies that pyproject.toml allows
	sh release/lock.sh $(python)

clean: ## remove what was built
	rm -rf $(VENV) .build build dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage *.egg-info
	rm -f $(PYZ)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/created.stamp:
	@sh release/machine.sh need venv $(python)
	@echo "make: $(VENV) from $(python)"
	@$(python) -m venv --clear $(VENV)
	@touch $@

$(VENV)/build.stamp: $(VENV)/created.stamp requirements-build.txt
	@$(install) requirements-build.txt
	@touch $@

$(VENV)/dev.stamp: $(VENV)/build.stamp requirements-dev.txt
	@echo "make: installing what tests and checks need"
	@$(install) requirements-dev.txt
	@touch $@

$(VENV)/fuzz.stamp: $(VENV)/dev.stamp requirements-fuzz.txt
	@$(install) requirements-fuzz.txt
	@touch $@
