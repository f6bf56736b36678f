# Needs only make and Python 3.11 to 3.13; everything else is fetched into .tools and .venv.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SOURCES := $(wildcard libs/*/src services/*/src)
TESTS := $(wildcard libs/*/tests services/*/tests tests)
PROJECTS := pyproject.toml $(wildcard libs/*/pyproject.toml services/*/pyproject.toml)
# Workers of `make test`; the suite is sized for two.
JOBS ?= 2
# Further arguments for pytest: make test ARGS="-k outbox"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo up down status test test-full bench fuzz check lint types imports contracts isolation fmt clean k8s-check

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  \033[1m%-10s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## get uv and the locked environment (every target below does it by itself)

# An environment does not survive being moved: its programs name their interpreter by its path.
ifneq ($(shell cat $(READY) 2>/dev/null),$(CURDIR))
.PHONY: $(READY)
endif
$(READY): uv.lock $(PROJECTS) scripts/setup.py
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing. Debian: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) scripts/setup.py

# Of the interpreters here the fastest, as an image has one: see docs/performance.md.
ifneq ($(shell cat .venv-bench/.ready 2>/dev/null),$(CURDIR))
.PHONY: .venv-bench/.ready
endif
.venv-bench/.ready: uv.lock $(PROJECTS) scripts/setup.py
	@$(PYTHON) scripts/setup.py --fastest

demo: $(READY) ## play a lead of every source and kind through the whole system, show where each arrived, clean up
	@$(BIN)/python -m leadbus_devstack demo

up: $(READY) ## start everything and leave it running; prints all addresses
	@$(BIN)/python -m leadbus_devstack up

down: ## end what `make up` started
	@if $(BIN)/python -c "import leadbus_devstack" 2>/dev/null; then $(BIN)/python -m leadbus_devstack down; fi

status: $(READY) ## say what runs and where
	@$(BIN)/python -m leadbus_devstack status

test: $(READY) ## the suite on real servers, about 20 minutes on two cores
	@$(BIN)/pytest -n $(JOBS) --dist loadfile -m "not full" --session-timeout=2700 $(ARGS)

test-full: $(READY) ## the suite and everything that takes long
	@$(BIN)/pytest -n $(JOBS) --dist loadfile $(ARGS)

bench: .venv-bench/.ready ## measure speed against bare references, 10 to 25 minutes; fails when a gate is missed
	@.venv-bench/bin/python -m tests.bench $(ARGS)

# Where there is no build of atheris, this says so; the property tests of `make test` run everywhere.
fuzz: $(READY) ## search for inputs that break a reader, a minute each: ARGS="adf --seconds 600"
	@.tools/uv/bin/uv run --quiet --frozen --no-sync --with atheris==3.0.0 python -m tests.fuzz $(ARGS)

check: lint types imports contracts isolation k8s-check ## all that is checked without running the system

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(READY)
	$(BIN)/mypy $(SOURCES) $(TESTS) scripts/check_deploy scripts/rehearse_image.py

imports: $(READY)
	$(BIN)/lint-imports

contracts: $(READY)
	$(BIN)/python -m leadbus.contracts check
	$(BIN)/python -m leadbus.metrics check

k8s-check: $(READY) ## Dockerfile, compose file and manifests against schemas and the code, offline
	$(BIN)/python -m scripts.check_deploy

isolation: $(READY)
	$(BIN)/python scripts/check_isolation.py

fmt: $(READY) ## format the code and sort imports
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: down ## remove what was built, started or stored here
	rm -rf "$$(readlink -f .leadbus/data || echo .leadbus/data)"
	rm -rf .leadbus .venv .venv-bench .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .schemathesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
