# Every command of the project. `make help` lists them; nothing has to be installed but Python ≥ 3.11 and
# make.

PYTHON ?= python3
VAR ?= var
PORT ?= 8080
# The stack reads these two, and the programs they stand for (DATABASE_URL, MAIL_URL, …) come through as they
# are.
export VAR PORT

VENV := .venv
IN_VENV := $(VENV)/bin/python

.DEFAULT_GOAL := help

.PHONY: help
help: ## List these commands
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-7s %s\n", $$1, $$2}' Makefile

# --- Using it ---------------------------------------------------------------------------------------------------------

# exec: the stack becomes make's own child, so that make's SIGTERM reaches it, and make's death too.
.PHONY: run
run: $(VENV)/installed-run ## Run the whole stack on loopback (PORT=8080, VAR=var) until Ctrl-C
	@$(IN_VENV) -m local build
	@exec $(IN_VENV) -m local run

.PHONY: demo
demo: $(VENV)/installed-run ## Fill a running stack with real events, then let phones send (DURATION=60s)
	@exec $(IN_VENV) -m local.demo

.PHONY: doctor
doctor: $(VENV)/installed-run ## Say what is wrong with the running stack, and what to do about it
	@exec $(IN_VENV) -m local doctor

# --- Working on it ----------------------------------------------------------------------------------------------------

.PHONY: test
test: $(VENV)/installed-dev ## Run the whole suite
	@$(IN_VENV) -m local build
	@$(IN_VENV) -m local.browser
	@$(IN_VENV) -m local.suite
	@$(IN_VENV) -m local.promtool
	@exec $(IN_VENV) -m pytest

.PHONY: lint
lint: $(VENV)/installed-dev ## Check style and types
	$(IN_VENV) -m ruff check
	$(IN_VENV) -m ruff format --check
	$(IN_VENV) -m mypy

.PHONY: load
load: $(VENV)/installed-dev ## Run the load target (DURATION, USERS, RATE a minute, SHAPE, MIX) on the running stack or its own
	@$(IN_VENV) -m local build
	@exec $(IN_VENV) -m loadtests load

.PHONY: bench
bench: $(VENV)/installed-dev ## Measure ratios in one run on a stack of its own (SIZE=small: a few minutes)
	@$(IN_VENV) -m local build
	@exec $(IN_VENV) -m loadtests bench

.PHONY: flame
flame: $(VENV)/installed-dev ## Draw where a worker's time goes while events come in (flame.svg); needs wrk
	@$(IN_VENV) -m local build
	@exec $(IN_VENV) -m loadtests flame

.PHONY: faults
faults: $(VENV)/installed-dev ## Kill every kind of process while a ledger client sends (ROUNDS, KINDS, SEED), then compare
	@$(IN_VENV) -m local build
	@exec $(IN_VENV) -m loadtests faults

.PHONY: viewers
viewers: $(VENV)/installed-dev ## Let many look on while events come fast (VIEWERS=100, RATE=500 a second, DURATION=30s), then compare
	@$(IN_VENV) -m local build
	@exec $(IN_VENV) -m loadtests viewers

.PHONY: docs
docs: $(VENV)/installed-dev ## Write the pages of docs/ that are made from code
	@$(IN_VENV) -m scripts.document

# --no-emit-…: no registry's address gets into the files. The order matters: the later ones are bound by the
# earlier.
LOCK := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links

.PHONY: lock
lock: $(VENV)/installed-dev ## Pin all requirements anew from requirements/*.in
	cd requirements && ../$(LOCK) run.in -o ../requirements.txt
	cd requirements && ../$(LOCK) local.in -o ../requirements-local.txt
	cd requirements && ../$(LOCK) dev.in -o ../requirements-dev.txt

# --- What they stand on: a private Python with exactly the pinned packages, made once ----------------------------------

$(VENV)/installed-run: requirements.txt requirements-local.txt
	@PYTHON='$(PYTHON)' sh local/install.sh $@ $^

$(VENV)/installed-dev: $(VENV)/installed-run requirements-dev.txt
	@PYTHON='$(PYTHON)' sh local/install.sh $@ requirements-dev.txt
