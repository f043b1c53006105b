# Everything runs in the environment of poetry.lock, which scripts/bootstrap.py builds outside of this folder.
PYTHON ?= python3
RUN := $(PYTHON) scripts/bootstrap.py
# For what must work when nothing can be built.
AS_IS := $(RUN) --as-is
PYTEST_ARG ?=

.DEFAULT_GOAL := help
.PHONY: help up run-dev bash dev-test down status shell test lint unit docs test-fresh testbed testbed-down bench format

help:  ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up:  ## Build the locked environment and bring JupyterLab up
	@$(RUN) onaiml env up --yes
	@echo "  \`make shell\` opens a shell in which \`onaiml\` is a command; \`make down\` ends everything."

down:  ## End everything that `make up` started
	@$(AS_IS) onaiml env down --yes

status:  ## How the workspace is
	@$(AS_IS) onaiml env status

shell:  ## A shell in the workspace
	@$(RUN) onaiml shell

# The names of the old workflow.
run-dev: up  ## Same as `make up`
bash: shell  ## Same as `make shell`
dev-test:  ## Same as `onaiml test $(PYTEST_ARG)`: the tests in the workspace
	@$(RUN) onaiml test -- $(PYTEST_ARG)

test: lint unit docs  ## Everything that must pass before a commit

lint:  ## ruff, mypy --strict and the layers of the design
	@$(RUN) sh -c 'ruff check . && ruff format --check . && mypy && lint-imports'

unit:  ## The tests; PYTEST_ARG="tests/unit -k name" narrows them
	@$(RUN) python -m pytest -n 2 --dist loadfile $(PYTEST_ARG)

docs:  ## Build the documentation, strictly
	@NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build --strict --quiet

test-fresh:  ## The two commands of the README on a bare Debian (root; needs `make testbed`)
	@$(RUN) python -m pytest -m fresh tests/fresh

testbed:  ## Install and start the real parts that the tests use (Debian, root)
	@testbed/up.sh

testbed-down:  ## End them
	@testbed/down.sh

bench:  ## All benchmarks, peers side by side; writes docs/benchmarks.md
	@$(RUN) python -m benchmarks

format:  ## Rewrite the sources in the house's format
	@$(RUN) sh -c 'ruff check --fix . ; ruff format .'
