# Two commands do everything: `make demo` and `make test`. Both build what they need in .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SITE = $(shell $(BIN)/python -c "import sysconfig; print(sysconfig.get_paths()['purelib'])")
CMAKE = CMAKE_PREFIX_PATH="$(SITE)" $(BIN)/cmake
CTEST = $(BIN)/ctest
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet
JOBS := $(shell nproc 2>/dev/null || echo 2)
SOURCES := $(shell find cpp/include cpp/src cpp/bindings -type f) $(shell find python -type f -not -name '*.pyc') \
           CMakeLists.txt cpp/CMakeLists.txt cpp/install.cmake cpp/lpr_fast-config.cmake.in pyproject.toml
OTHER_LEVELS = $(shell $(BIN)/python -c "import lpr_fast; print(*lpr_fast.cpu_info().available[:-1])")
NUMERICAL_TESTS := $(wildcard tests/test_oracle_*.py) $(addprefix tests/test_,accumulator.py large_frames.py models.py paper.py \
                   real_data.py rigidity.py soap.py soap_gradients.py kernel_gradients.py)
ORACLE = -DLPR_FAST_TEST_PYTHON="$(CURDIR)/$(BIN)/python"
LAMMPS_SOURCES := $(shell find cpp/lammps/src cpp/lammps/cmake cpp/lammps/python -type f -not -name '*.pyc') \
                  cpp/lammps/CMakeLists.txt cpp/lammps/pyproject.toml
CPP_FILES := $(shell find cpp tests -name '*.cpp' -o -name '*.hpp' -o -name '*.c' -o -name '*.h')

.PHONY: demo test test-cpp test-threads test-fuzz test-python test-lammps lint format stubs clean

demo: $(VENV)/demo
	$(BIN)/lpr-fast demo demo

test: test-cpp test-threads test-fuzz test-python test-lammps

# The C++ tests, optimised and again under AddressSanitizer and UndefinedBehaviorSanitizer.
test-cpp: $(VENV)/dev
	for preset in release sanitize; do \
	  $(CMAKE) --preset $$preset $(ORACLE) > build-$$preset.log 2>&1 || { cat build-$$preset.log; exit 1; }; \
	  rm build-$$preset.log; \
	  $(CMAKE) --build --preset $$preset --parallel $(JOBS) || exit 1; \
	  $(CTEST) --preset $$preset || exit 1; \
	done
	for level in $(OTHER_LEVELS); do LPR_FAST_INSTRUCTION_SET=$$level $(CTEST) --preset release || exit 1; done

# Threads that share one scorer, under ThreadSanitizer.
test-threads: $(VENV)/dev
	$(CMAKE) --preset tsan > build-tsan.log 2>&1 || { cat build-tsan.log; exit 1; }; rm build-tsan.log
	$(CMAKE) --build --preset tsan --parallel $(JOBS) --target test_model test_scorer test_soap_scorer \
	  test_soap_gradient test_parallel
	$(CTEST) --preset tsan --tests-regex '^(model|scorer|soap_scorer|soap_gradient|parallel)$$'

# Forged model files, for FUZZ_SECONDS; needs clang (Debian: apt-get install clang).
FUZZ_SECONDS ?= 20
test-fuzz: $(VENV)/dev
	if ! echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' | \
	    clang++ -fsanitize=fuzzer,address -x c++ - -o /dev/null 2> /dev/null; then \
	  echo "no clang++ with libFuzzer (Debian: clang, libclang-rt-14-dev): model files are not fuzzed"; exit 0; fi; \
	$(CMAKE) --preset fuzz > build-fuzz.log 2>&1 || { cat build-fuzz.log; exit 1; }; rm build-fuzz.log; \
	$(CMAKE) --build --preset fuzz --parallel $(JOBS) && mkdir -p build/fuzz/corpus && \
	build/fuzz/cpp/tests/fuzz_model -max_total_time=$(FUZZ_SECONDS) -dict=cpp/tests/fuzz_model.dict -print_final_stats=1 -print_funcs=0 \
	  -verbosity=0 build/fuzz/corpus cpp/tests/data

# Everything on the best instruction set of this machine, and what computes on all others that it has.
test-python: $(VENV)/dev
	$(BIN)/python -m pytest
	for level in $(OTHER_LEVELS); do LPR_FAST_INSTRUCTION_SET=$$level $(BIN)/python -m pytest $(NUMERICAL_TESTS) || exit 1; done

# LAMMPS with the plugin, against the Python package.
test-lammps: $(VENV)/lammps
	$(BIN)/python -m pytest cpp/lammps/tests

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(CPP_FILES)
	$(BIN)/python tools/stubs.py --check

format: $(VENV)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CPP_FILES)

# The types of the compiled module, read off it.
stubs: $(VENV)/dev
	$(BIN)/python tools/stubs.py

clean:
	rm -rf $(VENV) build demo dist

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo: $(BIN)/python $(SOURCES)
	$(PIP) install '.[cli]'
	touch $@

$(VENV)/lammps: $(VENV)/dev $(LAMMPS_SOURCES)
	$(PIP) install ./cpp/lammps
	touch $@

$(VENV)/dev: $(BIN)/python $(SOURCES)
	$(PIP) install '.[dev]'
	touch $@ $(VENV)/demo
