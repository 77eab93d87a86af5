# Everything runs in .venv, which these targets make and keep in step with pyproject.toml. Needs Python 3.11, make and git.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
LABEL := .venv-label
DEPLOY := .venv-deploy
OSTEOXR := $(VENV)/bin/osteoxr

# `make train` takes these.
DATA ?= output/cohort
OUT ?= output/training
PATIENTS ?= 1200
LEARNT := --sites simulated-1 --sites simulated-2 --sites simulated-3

# `make mlflow` takes this.
UI_PORT ?= 5000

# `make label` takes these.
STUDIES ?=
PORT ?= 8000
WORK ?= output/label

.DEFAULT_GOAL := help
.PHONY: help demo test fuzz dictionary pictures figures study hospital bounds lint train networks mlflow label map clean
.DELETE_ON_ERROR:

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1|/' | awk -F'|' '{printf "make %-10s %s\n", $$1, $$2}'
	@printf '\n%s\n' 'All else: $(OSTEOXR) --help, bundle/docs/commands.md'

demo: $(VENV)/demo.stamp ## Screen the shipped example radiographs; results in output/demo
	$(OSTEOXR) screen bundle/examples output/demo
	@echo "Open $(CURDIR)/output/demo/index.html in a browser."

test: $(VENV)/all.stamp ## Run all tests, one process for each processor core
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest --numprocesses auto --dist loadfile --durations 40 --durations-min 5

fuzz: $(VENV)/all.stamp ## Read 20,000 damaged and hostile files; what was found in output/fuzz
	$(OSTEOXR) fuzz output/fuzz --files 20000 --seed 0

lint: $(VENV)/all.stamp ## Check style and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

dictionary: $(VENV)/demo.stamp ## Make the lists of docs anew: what each column of results.csv means, all radiomic features
	$(VENV)/bin/python -m scripts.results.dictionary bundle/docs/results.md
	$(VENV)/bin/python -m scripts.development.feature_table bundle/docs/radiomics.md

pictures: $(VENV)/all.stamp ## Make the pictures of README and docs anew from the shipped weights (an hour; needs chromium)
	$(VENV)/bin/python -m scripts.development.pictures output/pictures

figures: $(VENV)/all.stamp ## Measure the shipped weights anew and write the tables into the docs (hours; goes on where it was)
	$(VENV)/bin/python -m scripts.development.figures output/figures

study: $(VENV)/all.stamp ## Make the page of the study of the shipped weights anew, and link it from the model card (half an hour)
	$(VENV)/bin/python -m scripts.development.study output/figures

hospital: $(VENV)/all.stamp ## Measure what a hospital gains by its own DXA, on a simulated one; results in output/hospital (hours)
	$(VENV)/bin/python -m scripts.development.hospital output/hospital

bounds: $(VENV)/all.stamp ## Measure what more patients, more radiographs and a known exposure are worth; results in output/bounds (hours)
	$(VENV)/bin/python -m scripts.development.bounds output/bounds

train: $(VENV)/all.stamp $(DATA)/manifest.csv output/operated/manifest.csv output/faulty/manifest.csv output/others/manifest.csv output/states/manifest.csv ## Train all networks on DATA=folder (or on a simulated cohort) into OUT
	$(VENV)/bin/python -m scripts.apps.parent_run --name training --output_dir $(OUT) $(MAKE) --no-print-directory networks
	@echo "Use these weights with --checkpoint $(OUT)/model.pt, and for maps of the mineral --mineral_file $(OUT)/mineral/last.pt"

# What `make train` runs as one run of MLflow, each line nested in it.
networks:
	$(OSTEOXR) train localisation $(DATA) $(OUT)/localisation --others_dir output/others --cache_dir $(OUT)/cache --tracking mlflow
	$(OSTEOXR) train segmentation $(DATA) $(OUT)/segmentation --further_dirs output/operated --further_dirs output/faulty \
		--cache_dir $(OUT)/cache --tracking mlflow
	$(OSTEOXR) train view $(DATA) $(OUT)/view --further_dirs output/faulty --further_dirs output/others --cache_dir $(OUT)/cache \
		--localisation_file $(OUT)/localisation/best.pt --segmentation_file $(OUT)/segmentation/best.pt --tracking mlflow
	$(OSTEOXR) train bmd $(DATA) $(OUT)/bmd --further_dirs output/states --cache_dir $(OUT)/cache --tracking mlflow
	$(OSTEOXR) train mineral $(DATA) $(OUT)/mineral --further_dirs output/states --cache_dir $(OUT)/cache --tracking mlflow
	cd $(OUT)/mineral && sha256sum last.pt > last.pt.sha256
	$(OSTEOXR) train siamese $(DATA) $(OUT)/siamese --cache_dir $(OUT)/cache --encoder_file $(OUT)/bmd/best.pt --tracking mlflow
	$(OSTEOXR) assemble --localisation_file $(OUT)/localisation/best.pt --segmentation_file $(OUT)/segmentation/best.pt \
		--view_file $(OUT)/view/best.pt --siamese_file $(OUT)/siamese/best.pt --bmd_file $(OUT)/bmd/best.pt \
		--output_file $(OUT)/model.pt --tracking mlflow

mlflow: $(VENV)/all.stamp ## Show the runs of all trainings and evaluations in a browser, on UI_PORT
	@mkdir -p output
	@echo "Open http://127.0.0.1:$(UI_PORT) in a browser; Ctrl-C ends it."
	MLFLOW_DISABLE_TELEMETRY=true $(VENV)/bin/python -m mlflow server --host 127.0.0.1 --port $(UI_PORT) --workers 1 \
		--backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///output/mlflow.db}" --artifacts-destination output/mlruns

label: $(LABEL)/label.stamp ## Serve STUDIES=folder or =DICOMweb address to 3D Slicer (MONAI Label) on PORT
	@test -n "$(STUDIES)" || { echo "STUDIES= is missing: name a folder of radiographs, or the address of a DICOMweb service."; exit 1; }
	$(LABEL)/bin/python -m scripts.apps.monailabel --studies "$(STUDIES)" --port $(PORT) --work_dir "$(WORK)"

map: $(DEPLOY)/deploy.stamp ## Make the package of MONAI Deploy (MAP) in output/map, and its image where a Docker engine answers
	$(DEPLOY)/bin/python -m scripts.apps.deploy.package output/map
	@if docker info >/dev/null 2>&1; then docker build --file output/map/Dockerfile.cpu --tag osteoxr:cpu output/map; \
	else echo "No Docker engine answers here; the head of output/map/Dockerfile.cpu says how its image is built elsewhere."; fi

clean: ## Remove the virtual environments, caches and output
	rm -rf $(VENV) $(LABEL) $(DEPLOY) output build .pytest_cache .mypy_cache .ruff_cache bundle/*.egg-info
	find bundle tests -name __pycache__ -type d -prune -exec rm -rf {} +

output/cohort/manifest.csv: | $(VENV)/all.stamp
	$(OSTEOXR) simulate output/cohort --patients $(PATIENTS)

output/operated/manifest.csv: | $(VENV)/all.stamp
	$(OSTEOXR) simulate output/operated --patients $$(($(PATIENTS) / 3)) --seed 9 --operated true $(LEARNT) --split train

output/faulty/manifest.csv: | $(VENV)/all.stamp
	$(OSTEOXR) simulate output/faulty --patients $$(($(PATIENTS) / 3)) --seed 7 --faulty true

output/states/manifest.csv: | $(VENV)/all.stamp
	$(OSTEOXR) simulate output/states --patients $$(($(PATIENTS) / 2)) --seed 11 --states 5 $(LEARNT) --split train

output/others/manifest.csv: | $(VENV)/all.stamp
	$(OSTEOXR) simulate-others output/others --radiographs $(PATIENTS) --seed 5

%/manifest.csv:
	@echo "DATA=$*: there is no $@; expected a folder of radiographs with a manifest.csv (see bundle/docs/data.md)."; exit 1

$(VENV)/demo.stamp: $(VENV)/torch.stamp
	$(VENV)/bin/pip install --quiet -e '.[report]'
	@touch $@

$(VENV)/all.stamp: $(VENV)/torch.stamp
	$(VENV)/bin/pip install --quiet -e '.[simulate,train,report,export,pacs,dev]'
	@touch $@

# MONAI Label has an environment of its own: its dependencies would bring CUDA packages and an old numpy.
$(LABEL)/label.stamp: pyproject.toml bundle/scripts/apps/monailabel/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "Python 3.11 is needed; name one by make PYTHON=...")'
	@echo "Installing into $(LABEL); the first time this takes some minutes."
	$(PYTHON) -m venv $(LABEL)
	$(LABEL)/bin/pip install --quiet torch==2.13.0
	$(LABEL)/bin/pip install --quiet -e . -r bundle/scripts/apps/monailabel/requirements.txt
	$(LABEL)/bin/pip install --quiet --no-deps monailabel==0.8.5
	printf '%s\n' '#!$(CURDIR)/$(LABEL)/bin/python' 'from scripts.apps.monailabel.command import main' 'main()' > $(LABEL)/bin/monailabel
	@touch $@

# So has MONAI Deploy: each package is the one that its lock files, and by them the package's image, have.
$(DEPLOY)/deploy.stamp: pyproject.toml bundle/scripts/apps/deploy/package/requirements.txt bundle/scripts/apps/deploy/package/packager.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "Python 3.11 is needed; name one by make PYTHON=...")'
	@echo "Installing into $(DEPLOY); the first time this takes some minutes."
	$(PYTHON) -m venv $(DEPLOY)
	$(DEPLOY)/bin/pip install --quiet torch==2.13.0
	$(DEPLOY)/bin/pip install --quiet --no-deps --require-hashes -r bundle/scripts/apps/deploy/package/requirements.txt \
		-r bundle/scripts/apps/deploy/package/packager.txt
	$(DEPLOY)/bin/pip install --quiet --no-deps -e .
	@touch $@

# torch comes first and pinned exactly: resolved among the others it can bring gigabytes of CUDA packages.
$(VENV)/torch.stamp: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "Python 3.11 is needed; name one by make PYTHON=...")'
	@echo "Installing into $(VENV); the first time this takes some minutes."
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet torch==2.13.0
	@touch $@
