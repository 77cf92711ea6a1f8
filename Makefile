# Everything a person does here. Nothing needs root; all of it stays inside this folder.

PYTHON ?= python3
EXTRAS := server,datasets,uvloop,rag,otel,object-storage,docs,dev
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOCKING := build/lock
AUDITING := build/audit
RELEASING := build/release
IMAGE_EXTRAS := datasets,uvloop,rag,otel

# What `make demo` measures: about 90 s. DEMO_FLAGS goes to both runs, such as DEMO_FLAGS="--host http://127.0.0.1:19530".
DEMO_SEARCH ?= --concurrency 1,8,32 --rounds 1 --phase-seconds 5 --warmup-seconds 1
DEMO_BURST ?= --burst 10,100
DEMO_FLAGS ?= --only-summary
PYTEST_FLAGS ?=
# Most of the tests' time is spent waiting for servers and for phases to pass. Two of these processes start a Milvus; more
# than three keep two cores so busy that workers of a run are silent for seconds, which is then what the run reports.
PYTEST_PROCESSES ?= 3
# These compute all the time.
UNIT_PROCESSES ?= 2
BENCH_FLAGS ?=
SOAK_FLAGS ?=
MUTANTS_FLAGS ?=
IMAGE ?= localhost/milvus-loadgen:0.2.0
# What the image says of its version; the builder sees no git. Empty: the release that the files name.
VERSION ?= $(shell test -x $(BIN)/python && $(BIN)/python -m setuptools_scm 2>/dev/null)
BUILDER ?= $(if $(shell command -v podman),podman build,$(if $(shell command -v buildah),buildah build,docker build))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help env demo test unit check lowest mutants format docs reference pictures records chart-schema dashboards monitoring bench soak lock audit image image-test build chart sbom dist clean distclean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

env: $(READY) ## the Python environment in .venv

# The file is written last: an installation that broke off is taken up again by the next `make`.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "milvus-loadgen needs Python 3.11 or newer as $(PYTHON). Name another: make PYTHON=python3.12 ..." >&2; \
		exit 1; }
	@echo "Installing into $(VENV); this takes a minute or two."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

demo: $(READY) ## compare sync and async on an embedded Milvus, in about 90 s
	$(BIN)/locust -f locustfiles/search.py --headless $(DEMO_SEARCH) $(DEMO_FLAGS)
	$(BIN)/locust -f locustfiles/burst.py --headless $(DEMO_BURST) $(DEMO_FLAGS)

# Also where the environment asks for no compiled files: each of hundreds of processes would compile all modules again.
test unit: export PYTHONDONTWRITEBYTECODE =

test: $(READY) ## all tests, including those against real servers
	$(BIN)/pytest -n $(PYTEST_PROCESSES) --dist loadscope --no-loadscope-reorder $(PYTEST_FLAGS)

unit: $(READY) ## the tests without network, in seconds
	$(BIN)/pytest tests/unit -n $(UNIT_PROCESSES) --dist loadscope $(PYTEST_FLAGS)

check: $(READY) ## ruff, mypy, import-linter and the words to avoid
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tests.style

# In an environment of its own in build/lowest, which a second call finds again.
lowest: $(READY) ## compare both modes with the lowest versions that pyproject.toml allows
	$(BIN)/python -m tests.lowest

# MUTANTS_FLAGS="--sample 50 --seed 2" tries others, MUTANTS_FLAGS=--survivors those again that survived the last run.
mutants: $(READY) ## break the code in 300 small ways, one at a time, and list those that no unit test notices
	$(BIN)/python -m tests.mutation $(MUTANTS_FLAGS)

format: $(READY) ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(READY) ## the documentation as a site in build/site, which needs no network
	$(BIN)/python -m docs.site

reference: $(READY) ## regenerate the reference in docs/ from the code
	$(BIN)/python -m docs.site.reference

# Of a run that it makes itself, and of the record of the demo; needs chromium and a machine that does nothing else for two minutes.
pictures: $(READY) ## retake the pictures in docs/pictures
	$(BIN)/pytest tests/integration/pictures.py $(PYTEST_FLAGS)

# On a machine that does nothing else. ROUNDS=8 narrows the intervals.
records: $(READY) ## repeat the runs whose records are in docs/records, in about ten minutes
	docs/records/make

dashboards: $(READY) ## write the Grafana dashboards into the chart, from the code in dashboards/
	$(BIN)/python -m dashboards

# MILVUS_METRICS=127.0.0.1:9091 tells where Milvus serves its own metrics, LLM_METRICS=127.0.0.1:8000 where `loadgen serve-llm`
# does. In build/monitoring is all that it stores.
monitoring: ## Prometheus (and Grafana, if installed) for runs on this machine; Ctrl-C ends it
	k8s/monitoring/local/run

chart-schema: $(READY) ## regenerate the `loadgen:` part of the chart's schema from the settings
	$(BIN)/python -m charts.schema

bench: $(READY) ## compare the tool with bare loops over the same calls
	$(BIN)/python -m tests.benchmarks $(BENCH_FLAGS)

# SOAK_FLAGS="--minutes 10" for a look.
soak: $(READY) ## what an hour of load costs in memory, open files, threads and series
	$(BIN)/python -m tests.benchmarks.soak $(SOAK_FLAGS)

# From an environment of its own, so that nothing installed by hand gets in. `pip list` knows names and versions only.
lock: ## choose the newest versions that pyproject.toml allows, for constraints.txt
	rm -rf $(LOCKING)
	$(PYTHON) -m venv $(LOCKING)
	$(LOCKING)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[$(EXTRAS)]'
	$(LOCKING)/bin/python -m pip list --format=freeze --exclude-editable --exclude pip \
		--disable-pip-version-check > $(LOCKING)/names
	LC_ALL=C sort -f $(LOCKING)/names > $(LOCKING)/constraints.txt
	mv $(LOCKING)/constraints.txt constraints.txt
	rm -rf $(LOCKING)

# Asks a database of advisories, so it needs the network. Nothing of constraints.txt is installed for it.
audit: ## look for known vulnerabilities of the versions in constraints.txt
	test -x $(AUDITING)/bin/pip-audit || { $(PYTHON) -m venv $(AUDITING) \
		&& $(AUDITING)/bin/python -m pip install --quiet --disable-pip-version-check pip-audit; }
	$(AUDITING)/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip

# BASE_IMAGE=... names another base, IMAGE_FLAGS goes to the builder.
image: ## the container image, with docker, podman or buildah
	$(BUILDER) $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) --build-arg VERSION=$(VERSION) $(IMAGE_FLAGS) --tag $(IMAGE) .

image-test: $(READY) ## run the chart in containers of that image, with podman
	IMAGE=$(IMAGE) $(BIN)/pytest tests/integration/test_image.py

# Without isolation: with the setuptools of constraints.txt, and without the network.
build: $(READY) ## wheel and source archive, in dist/
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist

chart: build ## the chart as an archive, beside the wheel
	$(BIN)/python -m release.chart dist

# Of what a user gets: the wheel in an environment of its own, with the extras of the image. Needs the network.
sbom: build $(RELEASING)/.ready ## the software bill of materials (CycloneDX), beside the wheel
	rm -rf $(RELEASING)/installed
	$(PYTHON) -m venv --without-pip $(RELEASING)/installed
	$(BIN)/python -m pip --python $(RELEASING)/installed/bin/python install --quiet --disable-pip-version-check \
		-c constraints.txt "$$(echo dist/*.whl)[$(IMAGE_EXTRAS)]"
	$(RELEASING)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --validate \
		--spec-version 1.6 --output-format JSON --output-file "$$(echo dist/*.whl | sed "s/-py3.*//").cdx.json" \
		$(RELEASING)/installed/bin/python

# TAG=v0.2.0 also compares the tag with the version that the files name.
dist: build chart sbom ## all files of a release, in dist/: wheel, source archive, chart, bill of materials, checksums
	$(BIN)/python -m release.agreement $(TAG)
	$(RELEASING)/bin/twine check --strict dist/*.whl dist/*.tar.gz
	cd dist && sha256sum -- * > ../build/SHA256SUMS && mv ../build/SHA256SUMS .

$(RELEASING)/.ready: release/requirements.txt
	rm -rf $(RELEASING)
	$(PYTHON) -m venv $(RELEASING)
	$(RELEASING)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r release/requirements.txt
	@touch $@

clean: ## remove what was built and cached; run records and .venv stay
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find dashboards docs loadgen locustfiles tests -type d -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## remove .venv too
	rm -rf $(VENV)
