# A virtual environment in .venv does it all; PYTHON chooses the interpreter it is made with.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXTRAS := cpu,demo,dev,attack

.PHONY: demo serve test attack check audit docs console bench dinov2-check constraints clean

demo: $(VENV)/ready  ## Teach three real products, detect held-out images through the HTTP API, draw what was found.
	$(BIN)/indexer demo

serve: $(VENV)/ready  ## Serve the demo's banks on http://127.0.0.1:8000.
	PATCHBANK_DATA_DIR=$${PATCHBANK_DATA_DIR:-demo/bank} $(BIN)/patchbank serve

test: $(VENV)/ready  ## Run the tests, three at once: many wait for processes. Matrix products in threads would wait for each other.
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 3 --dist loadfile -m "not attack"

attack: $(VENV)/ready  ## Attack a scratch copy for ten minutes; SHORT=1 two, LONG=1 the whole, hours; PARTS=..., SEED=N.
	$(BIN)/python -m $(if $(SHORT),pytest -m attack,tests.attack $(PARTS) $(if $(LONG),--long) $(if $(SEED),--seed $(SEED)))

check: $(VENV)/ready  ## Linter, types, import contract.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: $(VENV)/ready  ## Known vulnerabilities of what the images and this environment hold; 3: nobody could be asked.
	$(BIN)/python .ci/audit.py || [ $$? = 3 ]

docs: $(VENV)/ready  ## Write the generated parts of the documentation.
	$(BIN)/python -m docs.reference

console:  ## Build the console's files; needs Node 20, and npm's registry once.
	cd console && npm ci --no-audit --no-fund && npm run build

bench: $(VENV)/ready  ## Measure search, service and throughput.
	$(BIN)/python -m benchmarks.search --dims 240 384 768
	$(BIN)/python -m benchmarks.service
	$(BIN)/python -m benchmarks.throughput --rounds 3 --seconds 2

dinov2-check: $(VENV)/ready  ## Pull DINOv2 and measure it beside the built-in backbone; DATA=FOLDER on a labelled data set.
	$(BIN)/python -m benchmarks.dinov2_check $(if $(DATA),--data $(DATA))

constraints: $(VENV)/ready  ## Pin the images' packages; what is pinned stays where it can, UPGRADE=--upgrade takes the newest.
	echo 'onnxruntime-gpu[cuda,cudnn]' | $(BIN)/uv pip compile pyproject.toml - --extra cpu --extra gpu --extra postgres $(UPGRADE) \
		--python-version 3.11 --python-platform linux --no-annotate --quiet \
		--custom-compile-command 'make constraints' --output-file docker/constraints.txt

clean:  ## Remove the environment and the demo's files.
	rm -rf $(VENV) demo

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	@touch $@
