# The one way to do things here. `make` alone says what there is.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
SETUP := $(PYTHON) tools/setup.py
LAYERS := installer build runtime dev example capture peers peers-torch frameworks page dbt airflow pachyderm mlmd tables kfp

.DEFAULT_GOAL := help
NPM := npm --prefix ui --silent
.PHONY: ui screens help setup demo test check bench soak docs cover lock clean

help: ## this list
	@echo "Lineal: records what a model is and where it came from."
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: ## the virtual environment .venv with everything in it, the data of the example too
	@$(SETUP) demo check docs test

demo: ## record a real pipeline twice and show where its model came from
	@$(SETUP) demo
	@$(BIN)/python tools/demo.py

ui: ## the web page, from ui/ into src/lineal/ui/static; needs Node 20 or newer
	@$(SETUP) ui

screens: ## pictures of every screen, light and dark, into docs/screens
	@$(SETUP) screens
	$(BIN)/python tools/screens.py

test: ## all tests
	@$(SETUP) test
	@if [ -d ui/node_modules ]; then $(NPM) test; else echo "SKIPPED PEERS: Node is not installed here: the unit tests of the page"; fi
	$(BIN)/python -m pytest -n auto --maxprocesses=4 --dist=loadfile

check: ## format, lint, types, contracts, unit tests: quick
	@$(SETUP) check
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/vermin --quiet --no-tips --violations --target=3.9- --eval-annotations --backport typing src/lineal/capture src/lineal/journal src/lineal/resolve src/lineal/sdk/frame.py src/lineal/sdk/columns.py
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -m "not slow" tests/unit tests/test_house.py tests/test_docs.py

bench: ## the benchmarks, each beside its limit; writes bench/RESULTS.md
	@$(SETUP) bench
	$(BIN)/python -m bench

soak: ## the long forms: ten million edges, servers killed 200 times, many more examples; adds to bench/RESULTS.md
	@$(SETUP) test
	$(BIN)/python -m bench soak

docs: ## the documentation, into site/
	@$(SETUP) docs
	$(BIN)/python tools/gen_reference.py
	$(BIN)/zensical build --strict --clean

cover: ## all tests, with a table of the lines they reach
	@$(SETUP) test
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

lock: ## resolve requirements/*.in again into hashed lock files
	@$(SETUP) check
	@for layer in $(LAYERS); do \
	  echo "requirements/$$layer.txt"; \
	  case $$layer in *-torch) alone=--no-deps ;; *) alone= ;; esac; \
	  $(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes --override requirements/without-torch.override --no-emit-index-url --no-header $$alone \
	    --output-file requirements/$$layer.txt requirements/$$layer.in || exit 1; \
	done

clean: ## take away everything that was made, the environments and the example's output too
	rm -rf ui/node_modules ui/openapi.json ui/src/api/schema.d.ts src/lineal/ui/static .venv .venv-peers .venv-frameworks .venv-dbt .venv-airflow .venv-pachyderm .venv-mlmd .venv-tables .venv-kfp build dist site .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache examples/flights/work docs/reference/generated
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
