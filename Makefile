# Two commands for a fresh machine with Python 3.11 or newer: `make demo` and `make test`.
# Every target installs what it needs into .venv first, with the exact versions of constraints.txt.

PYTHON ?= python3
SEEDS ?= 5
WORKERS ?= 2
ARGS ?=

VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: help demo test test-learning check format docs bench clean
.DELETE_ON_ERROR:

help:
	@echo "make demo           train a DQN on CartPole until it is solved (ARGS=\"--seed 2\")"
	@echo "make test           run the test suite, two files at a time (WORKERS=2)"
	@echo "make test-learning  train the demo, and DQN with every switch, to stated returns (SEEDS=5)"
	@echo "make check          formatting, lint, types, import contracts, documentation"
	@echo "make format         format the code and fix what lint can fix"
	@echo "make bench          speed and memory beside other libraries, installed on their own"
	@echo "make clean          remove what was built, .venv included; runs/ stays"

demo: $(VENV)/.installed-demo
	$(RUN) examples/cartpole_demo.py $(ARGS)

test: $(VENV)/.installed-test
	$(RUN) -m pytest -m "not learning" -n $(WORKERS) --dist loadfile $(ARGS)

test-learning: $(VENV)/.installed-test
	SEEDS=$(SEEDS) $(RUN) -m pytest -m learning $(ARGS)

check: $(VENV)/.installed-dev
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict --quiet

format: $(VENV)/.installed-dev
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

bench: $(VENV)/.installed-test
	$(RUN) -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) .venv-bench* site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp per group of extras: newer metadata or pins install again, anything else does not.
$(VENV)/.installed-%: pyproject.toml constraints.txt | $(RUN)
	@echo "installing ptan[$*] into $(VENV) (a minute or two the first time) …"
	@begin=$$(date +%s) && \
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$*]" && \
	touch $@ && \
	echo "installed ptan[$*] in $$(($$(date +%s) - begin)) s"

$(RUN):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "ptan needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo not there):" \
	"name another one, as in  make PYTHON=python3.12 $(or $(MAKECMDGOALS),demo)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
