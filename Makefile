# Everything a newcomer needs: make demo, make test. PYTHON may name another Python 3.11 or later.
PYTHON ?= python3
UV_VERSION = 0.13.9
BIN = .venv/bin
# Containers like to forbid byte code: then every one of the hundreds of processes that the tests start compiles each module
# that it imports, which costs more than all else that it does
export PYTHONDONTWRITEBYTECODE =

.PHONY: setup demo test check crash mutants torture bench bench-identity lock clean

setup: .venv/.ok

# uv with the lock's hashes; where uv cannot be had, pip with the same hashes. The import leaves byte code of what is used
.venv/.ok: requirements.lock pyproject.toml
	@$(PYTHON) -m venv .venv
	@( $(BIN)/pip install -q --disable-pip-version-check uv==$(UV_VERSION) \
	  && $(BIN)/uv pip sync -q --python $(BIN)/python --require-hashes requirements.lock \
	  && $(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e . ) \
	|| ( $(BIN)/pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements.lock \
	  && $(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e . )
	@$(BIN)/python -c "import adapters.mail, adapters.onec.soap, adapters.woocommerce, sync.cli.work, sync.web.app"
	@touch $@

demo: setup
	@$(BIN)/sverka demo $(ARGS)

# Several processes share the tests; a test alone: make test ARGS="-n 0 tests/unit/test_decide.py"
test: setup
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Every history of the crash points; the suite plays three of five: about ten minutes
crash: setup
	@SVERKA_WHOLE=1 $(BIN)/python -m pytest -n auto --dist worksteal tests/spec/test_crash_points.py $(ARGS)

# Deliberate faults in the hub's own code, each of which a named test must find
mutants: setup
	@$(BIN)/python -m tests.spec.mutants $(ARGS)

# kill -9 at random instants, a thousand times on each database: about half an hour
torture: setup
	@$(BIN)/python -m tests.torture $(ARGS)

bench: setup
	@$(BIN)/python -m tests.bench $(ARGS)

bench-identity: setup
	@$(BIN)/python -m tests.bench.identity $(ARGS)

# Names, versions and hashes only: no index address is written
lock: setup
	$(BIN)/pip install -q --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip compile -q pyproject.toml --group build --group demo --group test \
	  --universal --generate-hashes --no-emit-index-url -o requirements.lock

clean:
	rm -rf .venv
