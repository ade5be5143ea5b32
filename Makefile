# `make` shows what there is. Every target sets up what it needs by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(READY) ## Make .venv with the locked requirements

$(READY): requirements-dev.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Fanzha needs Python 3.11 or newer; {sys.executable} is {v.major}.{v.minor}. Name another one: make PYTHON=python3.11 ...")'
	@echo "setting up $(VENV): one to two minutes the first time"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e training
	@# Compiles the kernel once; later starts find it in the cache.
	@$(BIN)/fanzha kernel > /dev/null
	@touch $(READY)

.PHONY: demo
demo: $(READY) ## Play a banking day, retrain, promote; ends in under four minutes
	@$(BIN)/python -m fanzha_loadtest.demo

.PHONY: demo-fast
demo-fast: $(READY) ## The same, small, in about a minute; last line is JSON
	@$(BIN)/python -m fanzha_loadtest.demo --fast

.PHONY: test
test: $(READY) ## Run all tests
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: bench
bench: $(READY) ## Measure speed side by side with its floors; last line is JSON
	@$(BIN)/python -m tests.bench

.PHONY: bench-scale
bench-scale: $(READY) ## Measure with millions of accounts and list entries; 6 GiB, long; last line is JSON
	@$(BIN)/python -m tests.bench --scale --report build/bench-scale.html

.PHONY: overload
overload: $(READY) ## Measure a worker at and above saturation; last line is JSON
	@$(BIN)/python -m fanzha_loadtest.overload

PROFILE ?= smoke
REPORT ?= build/load.html
.PHONY: load
load: $(READY) ## Play a load (PROFILE=name or file) on a service of its own; the exit code says how it went
	@$(BIN)/python -m fanzha_loadtest.run $(PROFILE) --report $(REPORT) --json

MINUTES ?= 20
RATE ?= 200
.PHONY: soak
soak: $(READY) ## Load a service steadily for MINUTES=20: does anything grow, is all archived; last line is JSON
	@$(BIN)/python -m fanzha_loadtest.soak --minutes $(MINUTES) --rate $(RATE) --report build/soak.html

FAULT ?=
.PHONY: chaos
chaos: $(READY) ## Break what can break, under load; FAULT=name plays one; last line is JSON
	@$(BIN)/python -m tests.chaos $(addprefix --fault ,$(FAULT))

.PHONY: fuzz
fuzz: $(READY) ## Fuzz every reader of what comes from outside; last line is JSON
	@$(BIN)/python -m tests.fuzz

.PHONY: check
check: $(READY) ## Run linters, types, protos, import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code proto
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory proto-fresh

.PHONY: fmt
fmt: $(READY) ## Format code and protos
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format
	$(BIN)/buf format -w proto

PROTOC = $(BIN)/python -m grpc_tools.protoc -Iproto --python_out=$(1) --grpc_python_out=$(1) --mypy_out=$(1) --mypy_grpc_out=$(1) proto/fanzha/v1/*.proto

.PHONY: proto
proto: $(READY) ## Generate service/fanzha/v1 from proto/
	PATH="$(CURDIR)/$(BIN):$$PATH" $(call PROTOC,service) 2>/dev/null

.PHONY: proto-fresh
proto-fresh: $(READY)
	@rm -rf build/proto && mkdir -p build/proto
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(call PROTOC,build/proto) 2>/dev/null
	@diff -r -x __init__.py -x __pycache__ build/proto/fanzha/v1 service/fanzha/v1 \
		|| { echo "service/fanzha/v1 is not what proto/ generates: run 'make proto'"; exit 1; }

.PHONY: reference
reference: $(READY) ## Make the tables of docs/reference again from the code
	@$(BIN)/python -m tests.reference

TRAINING = $(BIN)/fanzha-training
MODELS = $(BIN)/fanzha models
MODEL_BUILD := build/model
MODEL_KEYS := $(MODEL_BUILD)/private
AS = --as $(1) --key $(MODEL_KEYS)/$(1).key --models $(MODEL_BUILD)/models
# One model: version, seed of its world, options of its world, options of its gate.
define TRAIN_MODEL
	$(TRAINING) simulate --out $(MODEL_BUILD)/$(1)/world --seed $(2) $(3)
	$(TRAINING) build --table $(MODEL_BUILD)/$(1)/world --out $(MODEL_BUILD)/$(1)/dataset.parquet
	$(TRAINING) train --dataset $(MODEL_BUILD)/$(1)/dataset.parquet --out $(MODEL_BUILD)/$(1)/trained --seed 7 --by "the maintainers" --where "a build machine"
	@# The worlds hold 25 times as much fraud as there is (80 in a million); figures are stated for that.
	$(TRAINING) evaluate --dataset $(MODEL_BUILD)/$(1)/dataset.parquet --model $(MODEL_BUILD)/$(1)/trained --base-rate 0.00008
	$(call PUBLISH_MODEL,$(1),$(4))
endef
# One model that was trained and evaluated: version, options of its gate.
define PUBLISH_MODEL
	$(TRAINING) export --model $(MODEL_BUILD)/$(1)/trained --name fraud --version $(1) --models $(MODEL_BUILD)/models --as pipeline --sign-with $(MODEL_KEYS)/pipeline.key
	$(TRAINING) gate --candidate $(MODEL_BUILD)/models/fraud/$(1) --dataset $(MODEL_BUILD)/$(1)/dataset.parquet --report $(MODEL_BUILD)/$(1)/gate.json $(2)
	$(MODELS) promote fraud/$(1) --gate-report $(MODEL_BUILD)/$(1)/gate.json $(call AS,modeller)
	$(MODELS) promote fraud/$(1) --approve $(call AS,reviewer)
endef

.PHONY: model
model: $(READY) ## Train and sign the shipped models again, from the simulator, into build/model/models
	@rm -rf $(MODEL_BUILD)
	@# The private keys are for this once: whoever goes on with these models adds keys of their own.
	$(MODELS) key --name pipeline --out $(MODEL_KEYS)/pipeline.key --machine
	$(MODELS) key --name modeller --out $(MODEL_KEYS)/modeller.key
	$(MODELS) key --name reviewer --out $(MODEL_KEYS)/reviewer.key
	@mkdir -p $(MODEL_BUILD)/models/keys && cp $(MODEL_KEYS)/*.pub $(MODEL_BUILD)/models/keys
	$(call TRAIN_MODEL,2026-08-31.1,20260831,--customers 500 --days 30 --fraud-per-million 2000 --fraud-mix impersonated_authority=1,)
	$(call TRAIN_MODEL,2026-11-22.1,20261122,--customers 4000 --days 45 --fraud-per-million 2000,--champion $(MODEL_BUILD)/models/fraud/2026-08-31.1)

ABLATION := build/ablation
.PHONY: ablation
ablation: $(READY) ## Train without each family of features in turn, into docs/reference/ablation.json
	@rm -rf $(ABLATION) && mkdir -p $(ABLATION)
	for seed in 1 2 3; do \
		$(TRAINING) simulate --out $(ABLATION)/$$seed --seed $$seed --customers 1500 --days 40 --fraud-per-million 4000 && \
		$(TRAINING) build --table $(ABLATION)/$$seed --out $(ABLATION)/$$seed.parquet || exit 1; \
	done
	$(TRAINING) ablate --dataset $(ABLATION)/1.parquet --dataset $(ABLATION)/2.parquet --dataset $(ABLATION)/3.parquet --out docs/reference/ablation.json
	@$(BIN)/python -m tests.reference

HANDBOOK ?= ../shared/data/handbook/transactions.parquet
.PHONY: benchmark-quality
benchmark-quality: $(READY) ## Measure on the Fraud Detection Handbook's card set (HANDBOOK=file); last line is JSON
	@$(TRAINING) benchmark --file $(HANDBOOK) --json

COMPILE = $(BIN)/pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe --no-header \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options --no-annotate

.PHONY: lock
lock: $(READY) ## Resolve the requirements again (exact versions and hashes)
	@mkdir -p build
	@$(BIN)/python tests/requirements.py service > build/requirements.in
	@$(BIN)/python tests/requirements.py service training > build/requirements-training.in
	@$(BIN)/python tests/requirements.py service training dev > build/requirements-dev.in
	$(COMPILE) build/requirements-dev.in -o requirements-dev.lock
	$(COMPILE) build/requirements-training.in -c requirements-dev.lock -o requirements-training.lock
	$(COMPILE) build/requirements.in -c requirements-dev.lock -o requirements.lock

.PHONY: sbom
sbom: $(READY) ## Write the bill of materials (CycloneDX) of the service into build/sbom.json
	@$(BIN)/python -m tests.sbom

.PHONY: audit
audit: $(READY) ## Look for known weaknesses of locked packages; "Error 3": nobody could be asked
	@$(BIN)/python -m tests.audit

.PHONY: wheel
wheel: $(READY) ## Build the serving wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

.PHONY: clean
clean: ## Remove what the targets made, the .venv too
	rm -rf $(VENV) build dist demo-report
