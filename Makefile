# Two commands matter: `make run` talks to a model, `make test` proves that everything works.
MODEL ?= tiny
PROMPT ?=
PYTHON ?= python3
BENCH ?=
VENV := .venv
BIN := $(VENV)/bin
JOBS := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)

SHELL := /bin/bash -o pipefail
PIP := $(BIN)/python -m pip install --disable-pip-version-check

.PHONY: run install test check format bench soak docs clean

run: $(VENV)/.installed
	@$(BIN)/ollapy run $(MODEL) $(if $(PROMPT),"$(PROMPT)")

install: $(VENV)/.installed

test: $(VENV)/.installed-test check
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal

check: $(VENV)/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.installed-test
	$(BIN)/python -m scripts.bench $(BENCH)

soak: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m slow

docs: $(VENV)/.installed-test
	$(BIN)/python -m scripts.docs_cli

clean:
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# pip compiles llama.cpp and keeps the wheel; only the steps of the build are shown, and errors.
$(VENV)/.engine: pyproject.toml | $(BIN)/python
	@echo "Installing llama.cpp. The first time it is compiled, about ten minutes on two cores."
	@CMAKE_BUILD_PARALLEL_LEVEL=$(JOBS) $(PIP) -v \
	  $$(sed -n 's/^ *"\(llama-cpp-python==[^"]*\)".*/\1/p' pyproject.toml) 2>&1 \
	  | sed -un -e 's/^ *\(\[[0-9]*\/[0-9]*\]\) .*\/\([^/ ]*\)$$/\1 \2/p' -e '/^Successfully/p' -e '/[Ee]rror:/p'
	@touch $@

$(VENV)/.installed: $(VENV)/.engine
	@$(PIP) -q -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.engine
	@$(PIP) -q -e '.[test]'
	@touch $@ $(VENV)/.installed
