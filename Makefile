PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OLDEST := .venv-oldest

.PHONY: demo test lint docs bench test-oldest clean

demo: $(VENV)/.has-test
	$(BIN)/python -m sktandem --output sktandem-report

test: $(VENV)/.has-test
	$(BIN)/python -m pytest

lint: $(VENV)/.has-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.has-docs
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

bench: $(VENV)/.has-test
	for file in benchmarks/bench_*.py; do $(BIN)/python $$file || exit 1; done

test-oldest: $(OLDEST)/.has-test
	$(OLDEST)/bin/python -m pytest tests src README.md

clean:
	rm -rf $(VENV) $(OLDEST) docs/_build docs/auto_examples docs/api/generated sktandem-report

# A virtual environment of its own, then a dependency group on top: installed
# anew only when what is asked for has changed. Groups need a recent pip.
$(BIN)/python $(OLDEST)/bin/python:
	$(PYTHON) -m venv $(@D:/bin=)
	$@ -m pip --disable-pip-version-check install --quiet --constraint constraints.txt pip

$(VENV)/.has-%: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt --editable '.[notebook,text]' --group $*
	touch $@

$(OLDEST)/.has-%: pyproject.toml constraints-oldest.txt | $(OLDEST)/bin/python
	$(OLDEST)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints-oldest.txt torch
	$(OLDEST)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints-oldest.txt --editable '.[notebook,text]' --group $*
	touch $@
