# The everyday commands: make demo, make test, make test-stack. `make` lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

python := .venv/bin/python
DRILLS := million steady walk churn outage alerts queries overhead throughput queueing sizing fingerprints \
	crashes parallel newcomer rehearsal backfill findings notebooks clouds vm swarm

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

.PHONY: demo
demo: .venv/.runtime ## A private database, the app, a traffic spike, and the report of it
	@$(python) -m loadtest run spike || [[ $$? == [15] ]]  # a verdict, which a slow machine changes, and no failure

.PHONY: test
test: .venv/.tools .venv/.sqlalchemy20 ## Lint, types, architecture, unit and integration tests (up to 6 minutes)
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/mypy vm-setup/host/audit
	.venv/bin/mypy vm-setup/host/backup
	.venv/bin/shellcheck $$(git grep -lE '^#!.*sh$$|^# shellcheck shell=' -- vm-setup compose)
	.venv/bin/lint-imports --verbose | tail -n 12
	$(python) -m app.reference --check
	$(python) -m tests.drills.quoted --check
	$(python) -m monitoring.generate --check
	$(python) -m pytest -n 2 --ignore=tests/stack --ignore=tests/drills --ignore=tests/loadtest --ignore=tests/releases \
		$(addprefix --ignore=tests/migrations/test_,backfill.py crashes.py guard.py layouts.py)
	$(python) -m pytest -n 4 tests/loadtest
	PYTHONPATH=.venv/sqlalchemy20 $(python) -c 'import sqlalchemy as s; assert s.__version__ < "2.1"; print(s.__version__)'
	PYTHONPATH=.venv/sqlalchemy20 $(python) -m pytest -n 2 tests/pool

.PHONY: test-stack
test-stack: .venv/.tools .venv/.checkov ## The containers for real, and migrations on MySQL (up to 12 minutes)
	.venv/checkov/bin/checkov --quiet --compact --skip-download --framework dockerfile secrets -d . \
		--skip-path .venv --skip-path runs --skip-path 'requirements.*txt'
	$(python) -m pytest tests/stack
	$(python) -m pytest tests/releases
	TEST_DATABASE=mysql:9.7 $(python) -m pytest -n 2 tests/migrations tests/replicas tests/vm_setup/test_audit_sql.py tests/errors

.PHONY: rehearse
rehearse: drill-rehearsal ## A schema change under live traffic, up and back down: about 15 minutes

.PHONY: test-vm
test-vm: drill-vm ## vm-setup/ on a real virtual machine, attacked and recovered: 40 to 55 minutes where its processor is emulated

.PHONY: drills
drills: $(DRILLS:%=drill-%) ## Everything that takes longer; results go to docs/results/

.PHONY: $(DRILLS:%=drill-%)
$(DRILLS:%=drill-%): drill-%: .venv/.tools
	$(python) -m tests.drills.$*

drill-overhead: .venv/.benchmarks
drill-notebooks: .venv/.notebooks
drill-clouds: .venv/.azure

.PHONY: docs-check
docs-check: .venv/.tools ## Is the documentation true: links, figures, and commands that are run
	$(python) -m app.reference --check
	$(python) -m tests.drills.quoted --check
	$(python) -m pytest -q tests/docs
	$(python) -m tests.docs

.PHONY: revision
revision: .venv/.runtime ## A migration for what models.py says anew: make revision MESSAGE="what and why"
	@$(python) -m tests.revision "$(MESSAGE)"

.PHONY: reproduce
reproduce: .venv/.tools ## Raise an error of docs/errors.md for real: make reproduce ERROR=queuepool-limit
	@$(python) -m tests.errors $(ERROR)

.PHONY: findings
findings: drill-findings ## Rerun the scenarios, rewrite docs/findings.md and its charts: up to 30 minutes
	$(python) -m tests.drills.quoted

.PHONY: docs
docs: .venv/.tools ## Regenerate the reference pages in docs/
	$(python) -m app.reference
	$(python) -m tests.drills.quoted

.PHONY: dashboards
dashboards: .venv/.tools ## Regenerate the Grafana dashboards, the alerts and the runbook's table
	$(python) -m monitoring.generate

.PHONY: screenshots
screenshots: .venv/.tools ## Picture pages, terminal and report; with GRAFANA_URL=http://127.0.0.1:3000 the dashboards
	$(python) -m tests.screenshots
	$(if $(GRAFANA_URL),$(python) -m monitoring.screenshots $(GRAFANA_URL))

.PHONY: lock
lock: .venv/.python ## Compile the lock files from pyproject.toml
	$(python) -m pip install --quiet uv
	$(call compile,pyproject.toml -o requirements.txt)
	$(call compile,--group loadtest -c requirements.txt -o requirements-loadtest.txt)
	$(call compile,pyproject.toml --group loadtest --group dev -o requirements-dev.txt)
	$(call compile,--group sqlalchemy20 -o requirements-sqlalchemy20.txt)
	$(call compile,--group benchmark -c requirements-dev.txt -o requirements-benchmark.txt)
	$(call compile,--group notebooks -c requirements-dev.txt -o requirements-notebooks.txt)
	$(call compile,--group azure -o requirements-azure.txt)
	$(call compile,--group checkov -o requirements-checkov.txt)

compile = .venv/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	--python-version 3.11 --custom-compile-command 'make lock' $(1)

.PHONY: clean
clean: ## Remove what these commands made here
	rm -rf .venv runs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# What a new machine may lack is installed with apt where that is permitted, and named otherwise.
# The locks are complete, hence --no-deps: pip's resolver prefers a newer release for an extra.
.venv/.python:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; this is $$(python3 --version)."; exit 1; }
	@python3 -m venv .venv >/dev/null 2>&1 || { rm -rf .venv && { $(call apt,python3-venv); } && python3 -m venv .venv; }
	@touch $@

.venv/.runtime: requirements.txt requirements-loadtest.txt | .venv/.python
	@echo "Installing the application's packages into .venv"
	@$(python) -m pip install --quiet --require-hashes --no-deps -r requirements.txt -r requirements-loadtest.txt
	@touch $@

.venv/.tools: requirements-dev.txt | .venv/.python
	@echo "Installing the application's packages and the test tools into .venv"
	@$(python) -m pip install --quiet --require-hashes --no-deps -r requirements-dev.txt
	@command -v chromium >/dev/null || { $(call apt,chromium); } || \
		echo "Chromium is missing: the browser tests will be skipped."
	@touch $@ .venv/.runtime

# Before the environment's own SQLAlchemy on the path, not in its place.
.venv/.sqlalchemy20: requirements-sqlalchemy20.txt | .venv/.python
	@$(python) -m pip install --quiet --require-hashes --no-deps --upgrade --target .venv/sqlalchemy20 -r $<
	@touch $@

.venv/.benchmarks: requirements-benchmark.txt | .venv/.python
	@$(python) -m pip install --quiet --require-hashes --no-deps -r $<
	@touch $@

.venv/.notebooks: requirements-notebooks.txt | .venv/.python
	@$(python) -m pip install --quiet --require-hashes --no-deps -r $<
	@touch $@

# Each in an environment of its own, as their packages would fight with ours.
.venv/.azure .venv/.checkov: .venv/.%: requirements-%.txt | .venv/.python
	@echo "Installing $* into .venv/$*"
	@python3 -m venv .venv/$* && .venv/$*/bin/pip install --quiet --require-hashes --no-deps -r $<
	@touch $@

apt = admin=$$([ $$(id -u) = 0 ] || echo sudo -n); \
	if command -v apt-get >/dev/null && $$admin true 2>/dev/null; then \
		echo "Installing $(1) with apt" && $$admin apt-get update -qq && \
		$$admin env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1) >/dev/null; \
	else \
		echo "Please install $(1) (apt install $(1)), then run make again." >&2; false; \
	fi
