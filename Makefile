# `make train` and `make test` need only Python 3.10 or newer, git, make and a compiler: what else
# they use is installed into .venv the first time. `make help` lists the targets.

PYTHON ?= python3
VENV ?= .venv
EXTRAS ?= test,dev,docs,parallel
ARGS ?=
ECOSYSTEM ?= .venv-ecosystem

PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install train test test-all test-ecosystem test-oldest test-hydra-next lint format docs docs-check wheel-check clean distclean

help:
	@echo "make train        run the main job; options: make train ARGS='training=adaptive_ema seed=1'"
	@echo "make test         quick tests and the examples in docstrings"
	@echo "make test-all     every test, the slow ones too, nothing shortened"
	@echo "make test-ecosystem  against Lightning, PINA, PhysicsNeMo, loggers, Ray, Optuna, in $(ECOSYSTEM)"
	@echo "make test-oldest, make test-hydra-next   with the oldest versions allowed, with Hydra's next one"
	@echo "make lint         ruff, mypy and spelling"
	@echo "make format       rewrite the code with ruff"
	@echo "make docs         build the documentation, warnings are errors"
	@echo "make docs-check   follow the links of the documentation to other sites (needs a network)"
	@echo "make wheel-check  build the wheel, install it elsewhere and run it"
	@echo "make clean        remove builds and caches; distclean removes environments too"
	@echo "Other interpreter: make PYTHON=python3.12 ...   (runs and their results are never removed)"

# The stamp is written last: an interrupted installation starts again, a finished one is kept until
# the declared dependencies change.
install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 10) and \
	  'Python 3.10 or newer is wanted, $(PYTHON) is %d.%d: try make PYTHON=python3.11' % sys.version_info[:2])"
	@echo "Installing into $(VENV): minutes the first time, as torch is large"
	@test -x $(VENV)/bin/pip && $(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(PY) -m pip install --disable-pip-version-check -c constraints.txt -e ".[$(EXTRAS)]"
	@touch $@

train: $(STAMP)
	$(PY) main.py $(ARGS)

# Tests draw into files, and on one thread their sums do not depend on the machine's load.
test test-all: export MPLBACKEND = Agg
test test-all: export OMP_NUM_THREADS = 1

# The make-believe accelerator changes what torch does elsewhere: its tests have their own processes.
test: $(STAMP)
	$(PY) -m pytest -n auto --dist worksteal --doctest-modules -m "not slow" $(ARGS)
	$(if $(strip $(ARGS)),,$(PY) -m pytest -n auto --dist worksteal tests/device)

test-all: $(STAMP)
	$(PY) -m pytest -n auto --dist worksteal --doctest-modules --thorough $(ARGS)
	$(if $(strip $(ARGS)),,$(PY) -m pytest -n auto --dist worksteal tests/device)
	$(PY) -m pytest -n auto --dist worksteal --last-bits $(ARGS) tests/dde tests/program

# Packages that would not go into $(VENV) together with its own. Beside a CPU build of torch the public
# torchvision cannot be imported, nor what imports it; nothing that is tested needs it.
test-ecosystem: export MPLBACKEND = Agg
test-ecosystem: export OMP_NUM_THREADS = 1
test-ecosystem: $(ECOSYSTEM)/.installed
	$(ECOSYSTEM)/bin/python -m pytest tests/ecosystem $(ARGS)

$(ECOSYSTEM)/.installed: pyproject.toml $(wildcard tests/ecosystem/requirements*.txt)
	$(PYTHON) -m venv --clear $(ECOSYSTEM)
	$(ECOSYSTEM)/bin/python -m pip install --disable-pip-version-check -e . -r tests/ecosystem/requirements.txt
	$(ECOSYSTEM)/bin/python -m pip install --disable-pip-version-check -r tests/ecosystem/requirements-physicsnemo.txt \
	  || echo "PhysicsNeMo cannot be installed here: its tests are skipped"
	$(ECOSYSTEM)/bin/python -m pip install --disable-pip-version-check -r tests/ecosystem/requirements-optuna.txt \
	  || echo "Optuna's sweeper cannot be installed here: its test is skipped"
	$(ECOSYSTEM)/bin/python -c "import torchvision" 2>/dev/null \
	  || $(ECOSYSTEM)/bin/python -m pip uninstall -y torchvision
	@touch $@

# The quick tests of what touches other packages, with the oldest releases that pyproject.toml allows
# and that have wheels for this Python, and with Hydra's next one. The rest comes from $(VENV), by a
# path entry after the environment's own.
OLDEST = tests/solvers tests/datasets tests/dde tests/schema tests/program/test_refusals.py tests/program/test_runs.py
NEXT = tests/schema tests/program/test_refusals.py tests/program/test_plugins.py tests/program/test_sweeps.py tests/program/terminal

test-oldest test-hydra-next: export MPLBACKEND = Agg
test-oldest test-hydra-next: export OMP_NUM_THREADS = 1
test-oldest: $(STAMP)
	$(call test_with,requirements-oldest.txt,$(OLDEST))

test-hydra-next: $(STAMP)
	$(call test_with,requirements-hydra-next.txt,$(NEXT))

define test_with
	@set -eu; tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	$(PY) -m venv "$$tmp"; \
	"$$tmp/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r tests/$(1); \
	purelib='import sysconfig; print(sysconfig.get_path("purelib"))'; \
	$(PY) -c "$$purelib" >"$$("$$tmp/bin/python" -c "$$purelib")/zz_dependencies.pth"; \
	"$$tmp/bin/python" -m pytest -m "not slow" $(or $(strip $(ARGS)),$(2))
endef

lint: $(STAMP)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m codespell_lib

format: $(STAMP)
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

# -E: every page is read again, as a page from the cache would not repeat its warnings.
docs: $(STAMP)
	$(PY) -m sphinx -E -W --keep-going -b html docs docs/_build/html

# Links within the documentation are checked by `docs`. Not part of .ci/run, as sites may be down.
# Sphinx fails alike for a dead link and without a network: the script says which it was.
docs-check: $(STAMP)
	@rm -f docs/_build/linkcheck/output.json
	$(PY) -m sphinx -q -E -b linkcheck docs docs/_build/linkcheck || test -s docs/_build/linkcheck/output.json
	@$(PY) docs/check_links.py docs/_build/linkcheck/output.json

# The wheel is built from the source archive, so that both are tried; an older *.egg-info goes first,
# as setuptools would ship files that only it still lists. The wheel gets an environment of its own.
# To spare a second torch, that one sees the packages of $(VENV), by a path entry that comes after
# its own and leads neither to this checkout nor to its editable installation.
wheel-check: $(STAMP)
	@set -eu; unset PYTHONPATH; \
	tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	rm -rf build *.egg-info; \
	$(PY) -m build --outdir "$$tmp/dist" . >"$$tmp/build.log" 2>&1 || { cat "$$tmp/build.log"; exit 1; }; \
	$(PY) -m twine check --strict "$$tmp"/dist/*; \
	$(PY) -m check_wheel_contents "$$tmp"/dist/*.whl; \
	$(PY) -m venv "$$tmp/venv"; \
	"$$tmp/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "$$tmp"/dist/*.whl; \
	purelib='import sysconfig; print(sysconfig.get_path("purelib"))'; \
	site=$$("$$tmp/venv/bin/python" -c "$$purelib"); \
	diff -r configs "$$site/pinn_ext/configs"; \
	diff -r pinn_ext/references/data "$$site/pinn_ext/references/data"; \
	$(PY) -c "$$purelib" >"$$site/zz_dependencies.pth"; \
	mkdir "$$tmp/empty"; cd "$$tmp/empty"; \
	"$$tmp/venv/bin/python" -c "import os, sys, pinn_ext, solvers; \
	  own = os.path.realpath(sys.prefix) + os.sep; \
	  bad = [m.__file__ for m in (pinn_ext, solvers) if not os.path.realpath(m.__file__).startswith(own)]; \
	  sys.exit('not from the wheel: %s' % bad if bad else 0)"; \
	MPLBACKEND=Agg "$$tmp/venv/bin/pinn-ext" training=adaptive_ema training.epochs=2; \
	echo "wheel-check: $$(cd "$$tmp/dist" && ls *.whl) runs outside of the checkout"

clean:
	rm -rf build dist docs/_build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis htmlcov .coverage
	find . -path './.venv*' -prune -o -name __pycache__ -type d -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) $(ECOSYSTEM)
