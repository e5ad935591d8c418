.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

BIN := .venv/bin
RUNS ?= 200
SEED ?= 1
# One a core.
WORKERS ?= 2
# The others mostly wait for real processes and real seconds.
WAITERS ?= 4

.PHONY: help
help: ## Say what each target does
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | while IFS='	' read -r target text; do \
		printf '  make %-9s %s\n' "$$target" "$$text"; done

# -- set-up: each target does its own; stamps make repeating quick ----------------------------------------------------

.venv/.run-ready: requirements/run.txt pyproject.toml scripts/make-venv
	@scripts/make-venv .venv requirements/run.txt
	@touch $@

.venv/.dev-ready: requirements/dev.txt pyproject.toml scripts/make-venv
	@scripts/make-venv .venv requirements/dev.txt
	@touch .venv/.run-ready $@

# -- what people run --------------------------------------------------------------------------------------------------

.PHONY: demo
demo: .venv/.run-ready ## Watch a host die and be fenced, on this machine alone (no root, no Docker)
	@$(BIN)/python -m demo

.PHONY: test
test: .venv/.dev-ready ## Run every test; 100 % branch coverage of the decision core
	@scripts/debian-counterparts
	@echo "--- unit tests"
	@rm -f .coverage .coverage.*
	$(BIN)/python -m pytest tests/unit -q -n $(WORKERS) --cov=controller/domain --cov-branch --cov-report=
	$(BIN)/python -m coverage report --include='controller/domain/*' --show-missing --fail-under=100
	@echo "--- everything else"
	$(BIN)/python -m pytest tests --ignore=tests/unit -q -n $(WAITERS) --maxschedchunk=1 --durations=10
	@echo "--- simulation: random schedules, then some on PostgreSQL"
	$(BIN)/python -m tests.simulation --runs 2000 --seed 1
	$(BIN)/python -m tests.simulation --runs 200 --seed 2 --store postgres

.PHONY: check
check: .venv/.dev-ready docs ## Lint, format, types, import rules, dependencies, documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/python scripts/generate-docs --check

.PHONY: docs
docs: .venv/.dev-ready ## Build docs/ into build/docs; a warning or a link to nothing is an error
	@rm -rf build/docs build/doctrees
	$(BIN)/sphinx-build -b html -W --keep-going -q -j 2 -d build/doctrees docs build/docs
	@! grep -rlE '<(script|link)[^>]+(src|href)="(https?:)?//' --include='*.html' build/docs || { echo "these pages load something from elsewhere" >&2; exit 1; }

# Another processor's: make packages ARCH=aarch64
ARCH ?= $(shell uname -m)
.PHONY: packages
packages: .venv/.dev-ready ## Build the agent's .deb and .rpm into dist/ (another processor: ARCH=aarch64)
	@scripts/debian-counterparts packages
	$(BIN)/python scripts/build-packages --arch $(ARCH) --out dist

.PHONY: try-packages
try-packages: packages ## Install them on a clean Debian with systemd, against a real controller (root on Debian; 4 minutes)
	$(BIN)/python scripts/try-packages dist/hostfence-agent_*.deb dist/hostfence-agent-*.rpm

.PHONY: containers
containers: .venv/.dev-ready ## Build the images, bring docker-compose.yml up, kill a controller and a host (root on Debian; 8 minutes)
	@scripts/debian-counterparts containers
	$(BIN)/python scripts/try-containers

.PHONY: test-ceph
test-ceph: .venv/.dev-ready ## Ask a real Ceph of one node through the rbd probe (installs it; not part of make test)
	@scripts/debian-counterparts ceph
	$(BIN)/python -m pytest tests/real_ceph.py -v --timeout 300

# Another Debian release is another kernel: make proof-nfs SUITE=trixie
SUITE ?= bookworm
.PHONY: proof-nfs
proof-nfs: .venv/.dev-ready ## Our agent on real kernel NFS, in emulated machines (root on Debian; 15 minutes; not part of make test)
	@scripts/nfs-guest-image .hostfence/proof-nfs/$(SUITE) $(SUITE)
	NFS_GUEST_IMAGE=.hostfence/proof-nfs/$(SUITE) $(BIN)/python -m pytest tests/nfs/proof.py -v -p no:randomly --timeout 900

.PHONY: sim
sim: .venv/.dev-ready ## Run the simulation: make sim RUNS=1000 SEED=7
	@$(BIN)/python -m tests.simulation --runs $(RUNS) --seed $(SEED) $(if $(JOBS),--jobs $(JOBS))

.PHONY: mutants
mutants: .venv/.dev-ready ## Break every safety rule on purpose and see that it is noticed
	@$(BIN)/python -m tests.mutants $(if $(ONLY),--only $(ONLY)) $(if $(JOBS),--jobs $(JOBS))

EXAMPLES ?= 100
.PHONY: fuzz
fuzz: .venv/.dev-ready ## Fuzz the REST interface for longer: make fuzz EXAMPLES=200 SEED=7
	HOSTFENCE_TEST_FUZZ_EXAMPLES=$(EXAMPLES) HOSTFENCE_TEST_FUZZ_SEED=$(SEED) $(BIN)/python -m pytest tests/fuzz -q -n0

.PHONY: bench
bench: .venv/.dev-ready ## Measure: make bench, or one alone: make bench ONLY=engine
	@$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY))

.PHONY: clean
clean: ## Remove everything that was made here
	@# As root in a private folder the demo's database lives elsewhere, behind a link.
	@for link in .hostfence/postgres .hostfence/*/postgres; do case "$$(readlink "$$link")" in \
		/var/lib/hostfence/relocated/?*) rm -rf "$$(readlink "$$link")" ;; esac; done
	@rm -rf .hostfence
	@rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* htmlcov dist build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
