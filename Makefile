# One entry point for people and CI. Every target has one line that says what it does.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SBOM := $(VENV)/sbom
MKDOCS := $(VENV)/mkdocs
SITE ?= build/site
DEMO := .trainingrun/demo
# Without NVIDIA's driver nothing can use its libraries, which are more than half of everything.
CUDA ?= $(if $(wildcard /proc/driver/nvidia),yes,no)
DIST := dist
LOCK := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.PHONY: help setup demo unit test test-all cluster cluster-delete e2e e2e-all lint format generate mutations campaign campaign-live soak bench league docs lock sbom clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

setup: $(STAMP) ## Create .venv with every pinned dependency and this project in it

# $(call install,LOCK FILE,GB WITH CUDA,GB WITHOUT): fills .venv, having said how much that is.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version)'
	@echo "Installing $(1) into $(VENV): $(if $(filter yes,$(CUDA)),$(2) GB with CUDA; CUDA=no leaves it out,$(3) GB without CUDA; CUDA=yes adds it)"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --require-hashes -r requirements/bootstrap.txt
	$(if $(filter yes,$(CUDA)),cat,$(PYTHON) images/trainer/without_cuda.py requirements) $(1) > $(VENV)/requirements.txt
	$(BIN)/uv pip sync -q --compile-bytecode --python $(BIN)/python --require-hashes $(VENV)/requirements.txt
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@$(BIN)/python images/trainer/without_cuda.py link
	@touch $@
endef

$(STAMP): requirements/bootstrap.txt requirements/dev.txt images/trainer/without_cuda.py pyproject.toml
	$(call install,requirements/dev.txt,7.4,3.1)

# Less than setup installs, and enough to train.
$(VENV)/.demo: requirements/bootstrap.txt requirements/demo.txt images/trainer/without_cuda.py pyproject.toml
	$(call install,requirements/demo.txt,6.8,2.5)

demo: $(if $(wildcard $(STAMP)),$(STAMP),$(VENV)/.demo) ## Train ResNet-18 on handwritten digits on this machine, in about two minutes
	rm -rf $(DEMO)
	$(BIN)/trainingrun convert sklearn:digits $(DEMO)/datasets/digits/train --hold-out 20 --split train
	$(BIN)/trainingrun convert sklearn:digits $(DEMO)/datasets/digits/validation --hold-out 20 --split validation
	$(BIN)/trainingrun local -f manifests/samples/digits.yaml --volume $(DEMO)
	$(BIN)/python docs/demo/check.py $(DEMO)/digits 95

# The other folders start servers, Ray or programs that Go builds.
unit: setup ## Run the tests that need no server and no Ray, in two to three minutes
	$(BIN)/pytest -m "not extended" --numprocesses 2 --dist loadfile \
	  tests/unit tests/golden tests/crd tests/fuzz tests/machine

# Training alone keeps two processors busy. Of the other tests, those of tests/apiserver begin first, all in one of three
# processes, which waits for servers most of the time.
test: setup ## Run the tests that need no cluster
	$(BIN)/pytest -m "not extended" --ignore tests/training --numprocesses 3 --dist loadfile --no-loadscope-reorder
	$(BIN)/pytest -m "not extended" tests/training

test-all: setup ## Run the same tests plus larger crowds and more trainings, and properties on new examples each time
	TRAININGRUN_SEARCH=1 $(BIN)/pytest --timeout 900

cluster: setup ## Create a real cluster on this machine with kind, with KubeRay and this project's images in it
	PYTHONPATH=tests/apiserver $(BIN)/python tests/cluster/kind_cluster.py create

cluster-delete: setup ## Remove the cluster; what was built for it stays for next time
	PYTHONPATH=tests/apiserver $(BIN)/python tests/cluster/kind_cluster.py delete

e2e: cluster ## Install the operator in the cluster with its chart, train there, kill what can be killed, and check failures
	$(BIN)/pytest tests/cluster/e2e -m "not extended" --timeout 1800

e2e-all: cluster ## Run the same tests plus every kind of run, broken nodes, suspension, upgrades and all samples
	$(BIN)/pytest tests/cluster/e2e --timeout 1800

lint: setup ## Check style, types, layers, YAML, shell scripts and spelling
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/yamllint --strict .
	$(BIN)/shellcheck .ci/run images/trainer/bin/ray
	$(BIN)/codespell

format: setup ## Rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

generate: setup ## Generate the CRD and the reference pages from the typed model, and the chart's copies
	$(BIN)/python -m trainingrun.crd

mutations: setup ## Break the examples in every way that people do, and write what each mistake leads to in docs
	$(BIN)/python tests/mutations/try_all.py

MINUTES ?= 12
SEED ?= 1

campaign: setup ## Search for faults of the operator on all processors, MINUTES for each way of searching, from SEED
	$(BIN)/python tests/campaign/search.py --minutes $(MINUTES) --seed $(SEED)

campaign-live: setup ## Try every field of a run at every edge on a real API server, in about an hour
	TRAININGRUN_EDGES_STEP=1 $(BIN)/pytest -s tests/apiserver/test_edges.py

soak: setup ## Let runs come and go on a real API server for MINUTES while everything is killed at random, from SEED
	TRAININGRUN_SOAK_MINUTES=$(MINUTES) TRAININGRUN_SOAK_SEED=$(SEED) $(BIN)/pytest -s tests/apiserver/test_soak.py

bench: setup ## Measure the data path, stall, recovery and the operator against baselines in the same run
	$(BIN)/python -m bench

league: setup ## Compare loaders: speed, memory, and rows lost and repeated when they are killed, in 20 minutes
	$(BIN)/python -m bench.league

$(MKDOCS)/bin/mkdocs: requirements/docs.txt | setup
	$(BIN)/uv venv -q --clear --python $(BIN)/python $(MKDOCS)
	$(BIN)/uv pip sync -q --python $(MKDOCS)/bin/python --require-hashes requirements/docs.txt
	@touch $@

docs: $(MKDOCS)/bin/mkdocs ## Build the documentation as a site in SITE (build/site); a link that leads nowhere fails
	NO_MKDOCS_2_WARNING=1 $(MKDOCS)/bin/mkdocs build --strict --clean --site-dir $(abspath $(SITE))

lock: setup ## Recompile requirements/*.txt from pyproject.toml
	echo uv | $(LOCK) - -o requirements/bootstrap.txt
	$(LOCK) pyproject.toml --extra operator -o requirements/operator.txt
	# The image's programs talk to no API server.
	$(LOCK) pyproject.toml --extra trainer --extra webdataset --extra gcs --extra azure --extra huggingface \
	  --extra mlflow --extra wandb --no-emit-package kubernetes -o requirements/trainer.txt
	$(LOCK) pyproject.toml --extra trainer --extra demo --group install -o requirements/demo.txt
	$(LOCK) pyproject.toml --extra operator --extra trainer --extra webdataset --extra demo --extra onnx --extra mlflow \
	  --extra wandb --group dev -o requirements/dev.txt
	$(LOCK) --group sbom -o requirements/sbom.txt
	$(LOCK) --group docs -o requirements/docs.txt

$(SBOM)/bin/cyclonedx-py: requirements/sbom.txt | setup
	$(BIN)/uv venv -q --clear --python $(BIN)/python $(SBOM)
	$(BIN)/uv pip sync -q --python $(SBOM)/bin/python --require-hashes requirements/sbom.txt
	@touch $@

sbom: $(SBOM)/bin/cyclonedx-py ## List the packages of the two images in dist, as CycloneDX
	mkdir -p $(DIST)
	for image in operator trainer; do \
	  PYTHONWARNINGS=ignore $(SBOM)/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
	    -o $(DIST)/trainingrun-$$image.cdx.json requirements/$$image.txt; \
	done

clean: ## Remove the environment and every cache
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis .trainingrun dist build
