# Everything a person or CI does here has one word. `make run` plays, `make test` proves.
.DEFAULT_GOAL := help
.PHONY: help setup run test kills check bench lock docs clean

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev

help:
	@echo "make run      play: sets up what is missing, starts the program, opens the browser"
	@echo "make test     every test, in a real browser and against a real model server too"
	@echo "make kills    kills the program a thousand times and says what was lost; ARGS=\"--kills 100\" for fewer"
	@echo "make setup    only set up what make run needs"
	@echo "make check    style, types, import rules and generated docs, without the tests"
	@echo "make bench    the figures, beside their references and targets"
	@echo "make docs     write the generated pages in docs/ again"
	@echo "make lock     choose dependency versions again and write them down with their hashes"
	@echo "make clean    remove what setup made; your stories in data/ stay"

setup: $(READY)

# A lock file or the project's own description changed: install again. Otherwise this costs nothing.
$(READY): .ci/requirements.txt pyproject.toml
	@sh .ci/install $(VENV) .ci/requirements.txt
	@touch $@

$(READY_DEV): .ci/requirements-dev.txt pyproject.toml
	@sh .ci/install $(VENV) .ci/requirements-dev.txt
	@touch $@ $(READY)

run: $(READY)
	@$(BIN)/chat serve $(ARGS) || [ $$? -eq 130 ]  # 130: stopped by Ctrl+C

test: $(READY_DEV)
	@sh .ci/test $(ARGS)

kills: $(READY_DEV)
	@$(BIN)/python -m tests.kills $(ARGS)

check: $(READY_DEV)
	@sh .ci/check

bench: $(READY_DEV)
	@$(BIN)/python -m tests.bench $(ARGS)

docs: $(READY_DEV)
	@$(BIN)/python docs/generate.py

lock: $(READY_DEV)
	@sh .ci/lock $(BIN)/uv

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.*
