# `make` alone lists what there is. Whatever a target needs is installed or built by it, once.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
ifndef PYTHON
PYTHON := $(shell scripts/find-python)
endif
export PYTHON
VENV := .venv/bin
CLUSTER := $(PYTHON) -m tests.cluster
# More arguments for pytest or a benchmark, as in `make test-e2e ARGS="-k leaving"`.
ARGS ?=

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install the tools into .venv
	@scripts/setup

.PHONY: run
run: ## See schedule:work run examples/python/tour.py, with Python only (ARGS=schedule:list, and other commands)
	@scripts/run $(ARGS)

.PHONY: test
test: ## Everything: lint, unit, integration, end to end (root and Go)
	@scripts/test $(ARGS)

.PHONY: test-unit
test-unit: setup ## What needs neither root nor Go
	@$(VENV)/pytest -m "not cluster and not kubelet and not oracle" $(ARGS)

.PHONY: test-integration
test-integration: setup ## Against a real control plane without a node (root and Go)
	@$(VENV)/pytest -m "cluster and not patient" $(ARGS)

.PHONY: test-switching
test-switching: setup ## Modes changed both ways while tasks are due, audited: some minutes (root and Go)
	@$(VENV)/pytest -m patient $(ARGS)

.PHONY: test-e2e
test-e2e: setup ## With a node, the image and the chart (root and Go)
	@$(VENV)/pytest -m kubelet $(ARGS)

.PHONY: lint
lint: setup ## Style, types, layers, and whether the pinned dependencies are current
	@scripts/lint

.PHONY: format
format: setup ## Rewrite the code in the project's style
	@$(VENV)/ruff check --quiet --fix .
	@$(VENV)/ruff format .

.PHONY: demo
demo: ## See it work, in the cluster of KUBECONFIG or in one of its own (IMAGE=… for the former)
	@$(PYTHON) -m scripts.demo up

.PHONY: demo-down
demo-down: ## Remove all that `make demo` made
	@$(PYTHON) -m scripts.demo down

.PHONY: bench-reconcile
bench-reconcile: setup ## How fast tasks become CronJobs (root and Go)
	@$(CLUSTER) with $(VENV)/python benchmarks/reconcile.py $(ARGS)

.PHONY: test-oracle
test-oracle: setup ## Against the cron library inside Kubernetes (Go); its seed is printed
	@$(VENV)/pytest -m oracle $(ARGS)

.PHONY: bench-timetable
bench-timetable: setup ## How fast the next tick is found, beside croniter, cronsim and robfig/cron (Go)
	@PYTHONPATH=. $(VENV)/python benchmarks/timetable.py $(ARGS)

.PHONY: bench-run
bench-run: setup ## How fast a schedule runs outside of Kubernetes, beside APScheduler and robfig/cron (Go)
	@PYTHONPATH=operator:. $(VENV)/python benchmarks/run.py $(ARGS)

.PHONY: bench-daemon
bench-daemon: setup ## How fast daemons are, beside the native controller, APScheduler and robfig/cron (root and Go)
	@PYTHONPATH=operator:. $(VENV)/python -m benchmarks.daemon $(ARGS)

.PHONY: chaos-hands
chaos-hands: setup ## Break daemons of many clusters in memory while tasks change hands (ARGS="--seed 7 --clusters 20")
	@PYTHONPATH=operator:. $(VENV)/python -m tests.chaos.hands $(ARGS)

.PHONY: chaos-daemon
chaos-daemon: setup ## Break daemons in every way, and audit every tick (root and Go; ARGS="kill --share 0.1")
	@PYTHONPATH=operator:. $(VENV)/python -m tests.chaos $(ARGS)

.PHONY: crds
crds: setup ## Write crds/ from the models
	@$(VENV)/python -m timewright.resources.crd crds

.PHONY: manifests
manifests: ## Write the chart's CRDs and deploy/manifests/ (Go, or HELM=…)
	@HELM="$${HELM:-$$($(CLUSTER) helm)}" deploy/render

.PHONY: generate
generate: crds manifests ## All that is generated and committed
	@$(VENV)/python docs/reference/generate.py

.PHONY: lock
lock: ## Pin the dependencies anew, as pyproject.toml declares them (ARGS=--upgrade)
	@$(PYTHON) scripts/lock.py $(ARGS)

.PHONY: clean
clean: ## Remove the environment and what tools left in the checkout
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
