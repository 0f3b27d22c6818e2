# Everything is set up in .venv, in this folder: nothing global, no root. It needs make and python3.
#   make        says what there is
#   PYTHON      another Python than python3: make test PYTHON=python3.13
#   MINUTES     how long a soak is: make soak MINUTES=1
#   NEWEST      the folder that test-newest makes Debian's next release in, and NEWEST_PYTHON its Python

PYTHON ?= python3
MINUTES ?= 30
NEWEST ?= /var/tmp/serialwrite-newest
NEWEST_PYTHON ?= python3.15
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo check fast-tests test test-newest lab-test soak lint bench peers hw-test docs recordings format clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/have-cli ## See a write stall, time out with its exact count, and be resumed; no hardware needed
	@$(BIN)/serialwrite demo

check: .venv/have-dev ## Check format, style and types, and run the fast tests: under a minute, before each commit
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint fast-tests

fast-tests: .venv/have-dev
	$(BIN)/python -m pytest -q -n 2 @tests/fast.txt

test: .venv/have-dev ## Run the tests, and those of the core on both builds: compiled, and all in Python
	$(BIN)/python -m pytest -n 4
	SERIALWRITE_PURE=1 $(BIN)/python -m pytest -n 4 @tests/both_builds.txt

test-newest: ## Run make test on the newest Python that Debian has, as root; it needs debootstrap, and minutes
	bash .ci/newest $(NEWEST) $(NEWEST_PYTHON)

lab-test: .cache/lab/have ## Run the tests with labgrid's coordinator and exporter, in a network namespace of their own
	unshare --net --map-root-user sh -c 'ip link set lo up && ip address add 192.0.2.9/32 dev lo && \
		exec .cache/lab/bin/python -m pytest tests/lab'

soak: .venv/have-dev ## Write to 64 streams, with faults and cancels at random, for MINUTES (30): no byte and no memory may be lost
	$(BIN)/python -m tests.soak --minutes $(MINUTES)

lint: .venv/have-dev ## Check format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

bench: .venv/have-dev ## Measure against every peer that is installed; minutes
	$(BIN)/python -m tests.benchmarks
	$(BIN)/python -m tests.benchmarks.remote

peers: .venv/have-dev ## Measure what peers do when a write times out, for the README; minutes
	$(BIN)/python -m tests.benchmarks.stalled --update

hw-test: .venv/have-dev ## Run the tests on real UART drivers, in an emulated machine
	$(BIN)/python -m hw_tests.rig
	$(BIN)/python -m hw_tests.drivers check

docs: .venv/have-docs ## Build the documentation, strictly, into .cache/site
	rm -rf .cache/site # an incremental build is silent about pages that have not changed
	$(BIN)/sphinx-build -W --keep-going -q -b html docs .cache/site
	$(BIN)/python docs/check_site.py .cache/site
	@echo "open .cache/site/index.html"

recordings: .venv/have-dev ## Record the terminal sessions that the documentation shows
	$(BIN)/python docs/record.py

format: .venv/have-dev ## Put the format right
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove all that was made here
	rm -rf .venv build dist .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp for each set of packages: they are installed again when pyproject.toml or what is compiled
# has changed, and not before.
.venv/have-cli: pyproject.toml serialwrite/_quick.pyx | .venv/bin/python
	@echo "Installing serialwrite and its command line in .venv ..."
	@$(PIP) install --editable '.[cli]'
	@touch $@

.venv/have-dev: pyproject.toml serialwrite/_quick.pyx | .venv/bin/python
	@echo "Installing serialwrite and what its tests need in .venv: a minute or two ..."
	@$(PIP) install --editable '.[dev]'
	@touch $@ .venv/have-cli

# labgrid brings its own `serial` package, so it is installed beside .venv, and seen before it.
.cache/lab/have: .venv/have-dev
	@echo "Installing labgrid in .cache/lab ..."
	@$(BIN)/python -m venv --clear .cache/lab
	@.cache/lab/bin/python -c "import pathlib, site, sysconfig; dev = sysconfig.get_path('purelib', vars={'base': '.venv'}); \
		pathlib.Path(sysconfig.get_path('purelib'), 'dev.pth').write_text(f'import site; site.addsitedir({str(pathlib.Path(dev).resolve())!r})\n')"
	@.cache/lab/bin/python -m pip --disable-pip-version-check --quiet install 'labgrid>=25'
	@touch $@

.venv/have-docs: pyproject.toml serialwrite/_quick.pyx | .venv/bin/python
	@echo "Installing serialwrite and what builds its documentation in .venv ..."
	@$(PIP) install --editable '.[docs]'
	@touch $@

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { \
		echo "$(PYTHON) is not installed: install Python 3.11 or newer"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is `$(PYTHON) --version`; serialwrite needs 3.11 or newer: make ... PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) can't make a virtual environment: apt install python3-venv (Debian, Ubuntu)"; exit 1; }
	@$(PYTHON) -m venv --clear .venv
