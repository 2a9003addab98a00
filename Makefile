# make run    a server, and an agent for this machine; their events as they come
# make test   every test and every check, under each Python of this machine that they are meant for
# make faults real agents and servers while everything goes wrong, for FAULTS=60 seconds, as SEED=436 draws it; as root
# They make .venv the first time. PYTHON=/path/to/python chooses the interpreter.

.DEFAULT_GOAL := help
.PHONY: help run test faults lint demo clean

VENV := .venv
NEWEST := python3.13 python3.12 python3.11 python3 python3.14
CANDIDATES := $(NEWEST) $(foreach name,$(NEWEST),$(wildcard $(HOME)/.pyenv/versions/*/bin/$(name)))
FIT := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(firstword $(foreach name,$(CANDIDATES),$(shell "$(name)" -c '$(FIT)' 2>/dev/null && echo $(name))))
FAULTS ?= 60
SEED ?= 436
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check install --quiet --quiet
WARM := from twisted.application.service import IServiceMaker; from twisted.plugin import getPlugins; list(getPlugins(IServiceMaker))

help:
	@sed -n 's/^# \(make.*\)/\1/p' Makefile

run: $(VENV)/ready
	@exec $(VENV)/bin/monitor436 run --here

test: $(VENV)/testable
	@exec $(VENV)/bin/python tools/all_tests.py $(TOX)

faults: $(VENV)/testable
	@M436_FAULTS=$(FAULTS) M436_SEED=$(SEED) $(VENV)/bin/python -m pytest -q -rP tests/faults/test_faults.py

lint: $(VENV)/testable
	@$(VENV)/bin/python -m tox run --quiet -e lint,types

demo: $(VENV)/ready
	@exec $(VENV)/bin/monitor436 demo

clean:
	rm -rf $(VENV) .tox build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache _trial_temp* twisted/plugins/dropin.cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "monitor436 needs Python 3.11 or newer with its venv module (Debian: apt-get install python3-venv), and none was found. Tried: $(NEWEST), and those of pyenv." >&2; exit 1; }
	@echo "making $(VENV) with $(PYTHON)"
	@"$(PYTHON)" -m venv --clear $(VENV)

$(VENV)/ready: $(VENV)/bin/python setup.cfg pyproject.toml
	@echo "installing monitor436 and its libraries into $(VENV) (once; half a minute)"
	@$(PIP) --editable .
	@cd / && "$(CURDIR)/$(VENV)/bin/python" -c '$(WARM)'
	@touch $@

$(VENV)/testable: $(VENV)/ready
	@echo "installing what tests need into $(VENV)"
	@$(PIP) --editable '.[dev]'
	@touch $@
