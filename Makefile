# The front door. How things compile is in CMakeLists.txt; this only says what there is to do.
#   make            build/akin             make asan, make tsan    the tests under sanitizers
#   make setup      install packages       make clang              the tests, compiled by clang
#   make check      all tests              make bench              what the kernels reach here
#   make install    to PREFIX, DESTDIR     make fuzz               hostile input, under libFuzzer
#   make clean
PREFIX ?= /usr/local
DESTDIR ?=
MODEL ?= tests/golden/clip/tiny-a

all: build/build.ninja
	@ninja -C build

build/build.ninja:
	@command -v cmake >/dev/null && command -v ninja >/dev/null && cmake --preset release || \
	{ echo "akin: packages are missing: run 'make setup', then 'make'" >&2; exit 1; }

setup:
	@tools/setup

check: setup
	@$(MAKE) --no-print-directory all
	@tools/check-layers
	@tools/check-exports build/libakin.so
	@tools/check-isa build/libakin.a
	@tools/run-tests build

asan tsan: setup
	@cmake --preset $@ && ninja -C build/$@
	@tools/run-tests build/$@

clang: setup
	@tools/setup clang
	@cmake --preset clang && ninja -C build/clang
	@tools/run-tests build/clang

# SECONDS=1200 TARGETS="png jpeg" JOBS=2: how long each, which, how many at a time.
fuzz: setup
	@tools/fuzz $(or $(SECONDS),60) $(TARGETS)

bench: all
	@for what in image text preprocess; do build/akin bench --model $(MODEL) --what $$what || exit; done

install: all
	@DESTDIR="$(DESTDIR)" cmake --install build --prefix "$(PREFIX)"

clean:
	rm -rf build

.PHONY: all setup check asan tsan clang fuzz bench install clean
