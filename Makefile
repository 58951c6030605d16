# Two commands matter: `make run` talks to a model, `make test` proves that everything works.
MODEL ?= tiny
PROMPT ?=
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)

# llama-cpp-python is compiled by pip: all cores, and its progress shown.
INSTALL := CMAKE_BUILD_PARALLEL_LEVEL=$(JOBS) $(BIN)/python -m pip install --disable-pip-version-check -q

.PHONY: run install test check format bench soak clean

run: $(VENV)/.installed
	@$(BIN)/ollapy run $(MODEL) $(if $(PROMPT),"$(PROMPT)")

install: $(VENV)/.installed

test: $(VENV)/.installed-test check
	$(BIN)/python -m pytest

check: $(VENV)/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.installed-test
	$(BIN)/python -m scripts.bench

soak: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m slow

clean:
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.engine: pyproject.toml | $(BIN)/python
	@if ! $(BIN)/python -c 'import llama_cpp' 2>/dev/null; then \
	  echo "Compiling llama.cpp, about ten minutes on two cores the first time; pip keeps the result."; fi
	$(INSTALL) -v "$$($(BIN)/python -c 'import tomllib; print(next(d for d in tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"] if d.startswith("llama-cpp-python")))')"
	@touch $@

$(VENV)/.installed: $(VENV)/.engine
	$(INSTALL) -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.engine
	$(INSTALL) -e '.[test]'
	@touch $@ $(VENV)/.installed
