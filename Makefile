# Needs Python 3.11 or later and make; everything else is set up by the targets themselves.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed
ARGS ?=

.PHONY: run test bench dashboard setup lint warm-day warm-processes clean

run: setup  ## an extreme day against an ordinary one: table, pictures, report (ARGS="--replications 5" for intervals)
	$(BIN)/python run_scenario.py extreme-day --against ordinary-day $(or $(ARGS),--replications 1)

test: setup  ## all but whole days and the browser (ARGS="-m slow", ARGS="-m browser": those; CI runs all)
	$(MAKE) -j3 warm-day warm-processes lint
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not browser" $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

warm-day: setup  ## compiles once, beside the type checks, what both test processes would compile at the same time
	cd "$$(mktemp -d)" && $(abspath $(BIN))/twin run extreme-day --set clients.count=2000 --set world.instruments=3 \
		--replications 1 --workers 1 --no-report >/dev/null

warm-processes: setup  ## likewise, the kernels that a day has no use for
	$(BIN)/python -m pytest $(addprefix tests/test_,process_tokens_network.py::test_advancing_in_steps_is_advancing_at_once \
		discovery_shapes.py feeds_replay.py::test_mbo_of_several_instruments_comes_out_whole)

bench: setup  ## throughput beside peers, in one run, as ratios
	$(BIN)/python -m benchmarks $(ARGS)

dashboard: setup  ## the control room in a browser, on this machine only
	$(BIN)/twin dashboard $(ARGS)

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt --editable '.[dashboard,test]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
