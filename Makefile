# Everything is written below .venv, build and out. `make` alone lists the targets.

PYTHON ?= python3
BIN := .venv/bin
COMPILER := $(or $(CC),cc)
FUZZ_SECONDS ?= 60
SOURCES := setup.py pyproject.toml \
	$(shell find core exchange replay -type f -not -name '*.so' -not -path '*/__pycache__/*')

export PIP_CACHE_DIR := $(CURDIR)/build/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONDONTWRITEBYTECODE := 1

define CHECK
import os, shutil, sys, sysconfig
from importlib.util import find_spec
missing = []
if sys.version_info < (3, 11):
    missing.append("Python 3.11 or newer is needed; name one with make PYTHON=python3.12")
if find_spec("ensurepip") is None:
    missing.append("Python has no venv module: apt install python3-venv")
if not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")):
    missing.append("Python has no headers: apt install python3-dev")
if not shutil.which(os.environ.get("CC", "cc").split()[0]):
    missing.append("there is no C compiler: apt install gcc")
sys.exit("\n".join(missing) or 0)
endef
export CHECK

define REQUIREMENTS
import tomllib
with open("pyproject.toml", "rb") as file:
    facts = tomllib.load(file)
project = facts["project"]
wanted = facts["build-system"]["requires"] + project["dependencies"] + project["optional-dependencies"]["test"]
print(*wanted, sep="\n")
endef
export REQUIREMENTS

define BUILD_VARIANT
	PERPSIM_BUILD=$(1) $(BIN)/python setup.py -q build --build-base build/$(1) \
		--build-lib build/$(1)/lib --build-temp build/$(1)/temp
endef

.PHONY: help build demo test test-slow kill differential mutants coverage sanitize fuzz lint bench clean
.DELETE_ON_ERROR:

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

build: .venv/.built  ## make .venv with the product and its test tools

demo: build  ## crash a recorded market with 100,000 accounts in it; results in out/demo
	$(BIN)/perpsim demo -o out/demo

test: build  ## all tests but the slow ones
	$(BIN)/python -m pytest -m "not slow" -n auto --dist loadfile

test-slow: build  ## the tests that take minutes
	$(BIN)/python -m pytest -m slow

kill: build  ## kill -9 a journalling process 200 times
	$(BIN)/python -m pytest -m slow tests/test_kill.py

differential: build  ## ten million random commands through core and twin
	$(BIN)/python tests/many_streams.py

mutants: .venv/.made  ## plant every bug of tests/planted_bugs.py in copies of the core; each must be caught
	$(BIN)/python tests/mutants.py

coverage: build  ## which lines of the core the tests reach; build in build/coverage
	$(call BUILD_VARIANT,coverage)
	find build/coverage/temp -name '*.gcda' -delete
	PYTHONPATH=$(CURDIR)/build/coverage/lib $(BIN)/python -m pytest -m "not slow"
	$(BIN)/python -m tests.lines

# Leaks are not looked for: the interpreter and its libraries keep memory until the process ends. Reports must not be
# captured by pytest, which would lose them when the process is ended.
sanitize: build  ## all tests but the slow ones, with memory and arithmetic checked; build in build/sanitize
	$(call BUILD_VARIANT,sanitize)
	LD_PRELOAD="$$($(COMPILER) -print-file-name=libasan.so) $$($(COMPILER) -print-file-name=libubsan.so)" \
	ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
	PYTHONMALLOC=malloc PYTHONPATH=$(CURDIR)/build/sanitize/lib $(BIN)/python -m pytest -m "not slow" --capture=sys

fuzz: build  ## random bytes and mutated files, FUZZ_SECONDS=60 for each kind of input
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

lint: .venv/.made  ## ruff and cython-lint
	$(BIN)/ruff check .
	PATH="$(CURDIR)/$(BIN):$$PATH" cython-lint core

bench: build  ## every benchmark at its large size
	$(BIN)/python -m bench

clean:  ## remove all that was made
	rm -rf .venv build out core/*.so *.egg-info

.venv/.made: pyproject.toml
	@$(PYTHON) -c "$$CHECK"
	$(PYTHON) -m venv .venv
	@mkdir -p build
	@$(BIN)/python -c "$$REQUIREMENTS" > build/requirements.txt
	$(BIN)/pip install -q -r build/requirements.txt
	@touch $@

# What is left of deleted Python files must not get into the package; compiled modules are kept and reused.
.venv/.built: .venv/.made $(SOURCES)
	@find build -path 'build/lib*' -type f -not -name '*.so' -delete
	$(BIN)/pip install -q --no-deps --no-build-isolation .
	@touch $@
