# Everything a developer runs. Needs make and Python >= 3.11 with venv and pip; nothing else.
.DEFAULT_GOAL := help
.PHONY: help setup run demo test check bench golden sim lock

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# What computes money: every branch has to be run by its own tests.
MONEY := tests/unit/kernel tests/unit/rating tests/unit/calc tests/unit/billing
export PYTHON

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv and install the locked packages, once per requirements.lock
	@sh .ci/setup

run: setup ## start the server on its embedded engines (Ctrl-C stops it)
	@$(BIN)/tallystick serve $(ARGS)

demo: setup ## bill a month of real usage in a throw-away home and show the bills
	@$(BIN)/tallystick demo $(ARGS)

test: setup ## run the tests on two cores; one folder with ARGS=tests/unit/rating
	$(PYTEST) -n 2 $(ARGS)

check: setup ## format, lint, types, imports, tests and their coverage: what a change must pass
	@echo "check: format"  && $(BIN)/ruff format --check .
	@echo "check: lint"    && $(BIN)/ruff check .
	@echo "check: types"   && $(BIN)/mypy
	@echo "check: imports" && $(BIN)/lint-imports --no-cache
	@echo "check: money"   && $(PYTEST) -n 2 $(MONEY) --cov
	@echo "check: tests"   && $(PYTEST) -n 2 $(MONEY:%=--ignore=%)

bench: setup ## measure ingest, queries and billing, and print a table
	$(BIN)/python -m tests.bench $(ARGS)

golden: setup ## write the golden bills anew, then read what changed
	$(PYTEST) tests/golden --update-golden $(ARGS)
	git --no-pager diff --stat -- tests/golden

sim: setup ## rehearse months of random customers, longer than the tests do; kill the server with ARGS="--crash 50"
	$(BIN)/python -m tests.sim $(ARGS)

lock: setup ## choose package versions anew within pyproject.toml and write requirements.lock
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe \
	  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --strip-extras --extra dev \
	  --output-file requirements.lock pyproject.toml
