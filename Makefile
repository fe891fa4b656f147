PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OLDEST := .venv-oldest
RELEASE := .venv-release
BENCH := .venv-bench
MUTANTS := .venv-mutants
CLUSTERS := .venv-clusters

# What torch and the BLAS compute with on older machines, and on this one by one
# thread and by two. They round otherwise, so a test that passes here by the last
# digit of a number fails there.
MACHINES := ATEN_CPU_CAPABILITY=default ATEN_CPU_CAPABILITY=avx2 \
	MKL_CBWR=COMPATIBLE OPENBLAS_CORETYPE=Haswell OPENBLAS_CORETYPE=Prescott
MACHINE := ATEN_CPU_CAPABILITY=default OPENBLAS_CORETYPE=Haswell
TESTS :=

.PHONY: demo test test-fast test-portable test-portable-one lint docs bench-all
.PHONY: bench-multisource fuzz coverage mutants house test-oldest test-clusters
.PHONY: release-check clean

demo: $(VENV)/.has-test
	$(BIN)/python -m sktandem --output sktandem-report

# All tests: what must pass before a change lands.
test: $(VENV)/.has-test
	$(BIN)/python -m pytest

# Under a minute, after an edit: nothing slow, a tenth of what hypothesis draws.
test-fast: $(VENV)/.has-test
	$(BIN)/python -m pytest -m "not contract and not slow" --hypothesis-profile=fast tests

# All tests in random order as each of MACHINES, by one thread and by two: hours.
test-portable:
	for machine in $(MACHINES); do for n in 1 2; do \
	$(MAKE) test-portable-one MACHINE="$$machine OMP_NUM_THREADS=$$n" || exit 1; \
	done; done

# TESTS, or all, in random order as one MACHINE. Threads sleep while they wait:
# there are more of them than cores.
test-portable-one: $(VENV)/.has-test
	env -u OPENBLAS_CORETYPE OMP_WAIT_POLICY=passive $(MACHINE) \
	$(BIN)/python -m pytest -p randomly $(TESTS)

lint: $(VENV)/.has-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell src tests docs benchmarks *.md
	$(BIN)/numpydoc lint $$(find src -name "*.py")
	$(BIN)/mypy

docs: $(VENV)/.has-docs
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

# N cases of wrong and strange input to every public entry; CASE=17 runs that one alone.
N := 1000
SEED := 0
fuzz: $(VENV)/.has-test
	$(BIN)/python tests/fuzz/fuzz_run.py --cases $(N) --seed $(SEED) $(if $(CASE),--case $(CASE))

# Each benchmark by itself, under five minutes on two cores that do nothing else: a page
# in build/bench. ONLY="bench_merge bench_text" runs those.
ONLY :=
bench-all: $(VENV)/.has-test
	$(BIN)/python benchmarks/run_all.py $(ONLY)

# Every way of using several sources on forty problems: a page in build/multisource. A
# run that is stopped goes on. PEERS names a folder of environments of other packages;
# SIDE=last runs the last third, once, when all is tuned.
PEERS :=
SIDE := tuning
JOBS := 2
bench-multisource: $(BENCH)/.has-bench
	OMP_NUM_THREADS=1 PYTHONPATH=src $(BENCH)/bin/python -m benchmarks.multisource \
	--jobs $(JOBS) --side $(SIDE) $(if $(PEERS),--peers $(PEERS))

# What no test reaches, room by room.
coverage: $(VENV)/.has-test
	$(BIN)/python -m pytest --cov --cov-report= tests
	mkdir -p build
	$(BIN)/python -m coverage json --quiet -o build/coverage.json
	$(BIN)/python benchmarks/coverage_by_room.py build/coverage.json

# The code changed one token at a time: which changes no test notices. TENTHS are last
# digits of the changes that are tried, 0123456789 all of them; ROOMS=stats one room.
TENTHS := 1
ROOMS :=
mutants: $(MUTANTS)/.has-mutants
	$(MUTANTS)/bin/python benchmarks/mutants.py --tenths $(TENTHS) $(if $(ROOMS),--rooms $(ROOMS))

# How large the code is, room by room, and what in it is hard to read.
house:
	@$(PYTHON) benchmarks/house.py

test-oldest: $(OLDEST)/.has-test
	$(OLDEST)/bin/python -m pytest tests src README.md

# Comparisons and searches on workers of Dask, which the other tests do without.
test-clusters: $(CLUSTERS)/.has-clusters
	$(CLUSTERS)/bin/python -m pytest -n 0 tests/test_clusters.py

# What users get: both archives build, and the wheel, in an environment without torch,
# passes the tests that need none, from outside the tree, and its own examples.
release-check: $(RELEASE)/.has-release
	rm -rf dist build/release && mkdir -p build/release
	$(RELEASE)/bin/python -m build --quiet
	$(RELEASE)/bin/python -m twine check --strict dist/*
	tar -xzf dist/*.tar.gz -C build/release --strip-components 1
	$(PYTHON) -m venv build/release/venv
	build/release/venv/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt "$$(ls dist/*.whl)[notebook]" pytest pytest-xdist pytest-randomly hypothesis
	rm -r build/release/src
	cd build/release && venv/bin/python -m pytest -m "not contract" tests
	cd build/release && venv/bin/python -m pytest --pyargs sktandem
	$(RELEASE)/bin/python -m pip_audit --path "$$(build/release/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

clean:
	rm -rf $(VENV) $(OLDEST) $(RELEASE) $(BENCH) $(MUTANTS) $(CLUSTERS) build dist docs/_build docs/auto_examples docs/api/generated sktandem-report

# A virtual environment of its own, then a dependency group on top: installed
# anew only when what is asked for has changed. Groups need a recent pip.
$(BIN)/python $(OLDEST)/bin/python $(RELEASE)/bin/python $(BENCH)/bin/python $(MUTANTS)/bin/python $(CLUSTERS)/bin/python:
	$(PYTHON) -m venv $(@D:/bin=)
	$@ -m pip --disable-pip-version-check install --quiet --constraint constraints.txt pip

$(VENV)/.has-%: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt --editable '.[all]' --group $*
	touch $@

$(RELEASE)/.has-%: pyproject.toml constraints.txt | $(RELEASE)/bin/python
	$(RELEASE)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt --group $*
	touch $@

# Some of its packages ask for newer or older ones than the tests run with.
$(BENCH)/.has-%: pyproject.toml | $(BENCH)/bin/python
	$(BENCH)/bin/python -m pip --disable-pip-version-check install --quiet torch
	$(BENCH)/bin/python -m pip --disable-pip-version-check install --quiet --editable '.[nets,notebook]' --group $*
	touch $@

$(MUTANTS)/.has-%: pyproject.toml constraints.txt | $(MUTANTS)/bin/python
	$(MUTANTS)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt torch
	$(MUTANTS)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt --editable '.[all]' --group $*
	touch $@

$(CLUSTERS)/.has-%: pyproject.toml constraints.txt | $(CLUSTERS)/bin/python
	$(CLUSTERS)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt torch
	$(CLUSTERS)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt --editable '.[all]' --group $*
	touch $@

$(OLDEST)/.has-%: pyproject.toml constraints-oldest.txt | $(OLDEST)/bin/python
	$(OLDEST)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints-oldest.txt torch
	$(OLDEST)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints-oldest.txt --editable '.[all]' --group $*
	touch $@
