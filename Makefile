# Two commands on a machine with Python 3.11, git and make: `make run` and `make test`. The rest comes into .venv by itself.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

bin := .venv/bin
# Stamps carry the hash of what was installed, and where: nothing is done twice, and a change of branch is noticed.
hash = $(shell { pwd; cat $(1); } | git hash-object --stdin | cut -c1-16)
runtime := requirements/install.sh requirements/bootstrap.txt requirements/base.txt requirements/base.in pyproject.toml
tools := $(runtime) requirements/test.txt requirements/check.txt
run_stamp := .venv/installed-run-$(call hash,$(runtime))
dev_stamp := .venv/installed-dev-$(call hash,$(tools))
node := tests/e2e/node
node_stamp := .venv/installed-node-$(call hash,$(tools) $(node)/package-lock.json)
clis := tests/e2e/clis
clis_stamp := .venv/installed-clis-$(call hash,$(tools) $(clis)/package-lock.json)

ARGS ?=
WORKERS ?= auto
SCHEDULES ?= 20000
SCHEDULES_S ?= 14400
sources := $(wildcard src tests bench docs)
quick := $(wildcard tests/architecture tests/unit tests/laws)

.PHONY: help setup dev run test faults schedules matrix check fmt lock clean

help: ## say what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 13

setup: $(run_stamp) ## install what yescale needs to run
dev: $(dev_stamp) $(node_stamp) $(clis_stamp) ## install what the tests and checks need

$(run_stamp):
	@requirements/install.sh run
	@touch $@

$(dev_stamp): | $(run_stamp)
	@requirements/install.sh dev
	@touch $(run_stamp) $@

# Scripts of packages stay unrun: the programs come within the packages.
npm_quiet := --silent --no-audit --no-fund --ignore-scripts

$(node_stamp): | $(dev_stamp)
	@PATH="$(CURDIR)/$(bin):$$PATH" npm ci --prefix $(node) $(npm_quiet)
	@touch $@

$(clis_stamp): | $(dev_stamp)
	@PATH="$(CURDIR)/$(bin):$$PATH" npm ci --prefix $(clis) $(npm_quiet)
	@touch $@

run: setup ## install and start yescale with the sandbox on 127.0.0.1:3000
	@exec $(bin)/yescale serve --sandbox $(ARGS)

test: dev ## run every test; ARGS="-k name" to choose, WORKERS=0 to run in one process
	@$(bin)/python -m pytest -n $(WORKERS) --maxprocesses 8 $(ARGS)

faults: dev ## kill and restart everything under load, for long; writes its figures into docs/reliability.md
	@FAULTS=long $(bin)/python -m pytest tests/faults -n 0 -s $(ARGS)

schedules: dev ## play 20,000 random schedules of money; SCHEDULES=N, SCHEDULES_S=seconds; writes docs/reliability.md
	@FAULTS=long SCHEDULES=$(SCHEDULES) SCHEDULES_S=$(SCHEDULES_S) $(bin)/python -m pytest tests/laws/test_money.py -n 0 -s $(ARGS)

matrix: dev ## try every client with every provider's format; writes docs/compatibility.md
	@rm -f build/matrix.jsonl
	@MATRIX=full $(bin)/python -m pytest tests/matrix -n $(WORKERS) --maxprocesses 8 $(ARGS)
	@$(bin)/python -m tests.matrix.pages

check: dev ## formatting, lint, types, imports, dependencies and the quick tests
	@$(bin)/ruff format --check --quiet $(sources)
	@$(bin)/ruff check --quiet $(sources)
	@$(bin)/basedpyright --pythonpath $(bin)/python
	@$(bin)/lint-imports --no-cache
	@$(bin)/deptry --no-ansi src
	@$(bin)/python -m pytest -q $(quick)

fmt: dev ## format and mend what ruff can mend
	@$(bin)/ruff check --quiet --fix-only $(sources)
	@$(bin)/ruff format --quiet $(sources)

compile = $(bin)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

lock: setup ## write the locks anew; UPGRADE=1 takes newer versions
	@$(compile) --output-file requirements/bootstrap.txt requirements/bootstrap.in
	@$(compile) --output-file requirements/base.txt requirements/base.in
	@$(compile) --output-file requirements/test.txt -c requirements/base.txt requirements/test.in
	@$(compile) --output-file requirements/check.txt -c requirements/base.txt -c requirements/test.txt requirements/check.in
	@$(compile) --output-file requirements/fuzz.txt -c requirements/base.txt -c requirements/test.txt requirements/fuzz.in
	@$(MAKE) dev
	@for folder in $(node) $(clis); do PATH="$(CURDIR)/$(bin):$$PATH" npm install --prefix $$folder \
		--package-lock-only --omit-lockfile-registry-resolved $(npm_quiet) || exit; done

clean: ## remove all that was installed or built
	rm -rf .venv build dist src/*.egg-info $(node)/node_modules $(clis)/node_modules .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage

# A folder may bring targets of its own.
-include bench/targets.mk
-include tests/fuzz/targets.mk
