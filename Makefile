# `make` alone lists what there is to make.

MINGW_CC ?= x86_64-w64-mingw32-gcc
FUZZ_COUNT ?= 10000
BENCHES ?= launch launch_daemon cpu syscall file network malloc crowd
export PYTHON ?= python3
prefix ?= /usr/local

.DEFAULT_GOAL := help
.PHONY: help setup setup-test run test test-engines test-userland test-go check bench bench-ioctl bench-device survey fuzz fuzz-calls fuzz-jail stress-device stress-threads coverage-page clean install uninstall

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

setup: ## install what is missing to run programs, and the virtual environment .venv
	@setup/setup.sh run

setup-test: ## the same, and what the tests and benchmarks need besides
	@setup/setup.sh test

run: setup build/hello.exe ## build the example program and launch it
	@echo "run: lswctl launch build/hello.exe"
	@code=0; .venv/bin/lswctl launch build/hello.exe || code=$$?; \
	echo "run: build/hello.exe exited with code $$code"; exit $$code

build/lswrun: client/lswrun.c lswd/ioctl/lsw.h ## lswctl launch in C, for a running lswd
	@mkdir -p build
	@$(CC) -O2 -Wall -Wextra -Werror -pthread -Ilswd/ioctl -o $@ $<

build/hello.exe: examples/hello.c | setup
	@echo "run: building $@ from $<"
	@mkdir -p build
	@$(MINGW_CC) -O2 -o $@ $<

test: setup-test check ## lint, types and all tests; ARGS="-k name" is passed to pytest
	@echo "test: pytest"
	@.venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-engines: setup-test ## all guest programs, 64- and 32-bit, on each engine
	@for engine in jail unicorn; do \
	  echo "test-engines: $$engine"; \
	  .venv/bin/python -m pytest -n 2 tests/guest --ignore tests/guest/test_ways.py --engine $$engine $(ARGS) || exit 1; \
	done

test-userland: setup-test ## the guest programs under another userland, Wine 10 (fetches 215 MB)
	@setup/second-userland.sh
	@LSW_USERLAND=$(CURDIR)/build/userland/trixie/x86_64-windows \
	    .venv/bin/python -m pytest -n 2 tests/guest/test_fixtures.py tests/guest/test_i386.py $(ARGS)

test-go: setup-test ## the tests of Go's standard library, built for Windows (fetches 70 MB; half an hour)
	@.venv/bin/python -m tests.real_programs.go_suite $(ARGS)

check: setup ## lint and types only
	@echo "check: ruff"
	@.venv/bin/ruff check .
	@echo "check: mypy"
	@.venv/bin/mypy

bench: setup-test ## benchmarks, against Wine; only some with BENCHES="cpu syscall"
	@for name in $(BENCHES); do echo "bench: $$name"; .venv/bin/python bench/$$name.py || exit 1; done

bench-ioctl: setup-test ## an ioctl's round trip against libfuse's, in User-Mode Linux
	@.venv/bin/python bench/ioctl.py

survey: setup-test ## run the programs of docs/programs.md and write the page (fetches gigabytes)
	@.venv/bin/python -m tests.real_programs.survey

bench-device: setup-test ## launch time through a real /dev/lsw, in User-Mode Linux
	@.venv/bin/python bench/launch_device.py --alone

fuzz: setup-test ## launch FUZZ_COUNT damaged programs
	@.venv/bin/python -m tests.fuzz.mutated_pe --count $(FUZZ_COUNT)

fuzz-jail: setup-test ## FUZZ_COUNT guests that write random things where they meet the kernel
	@.venv/bin/python -m tests.fuzz.jail_mailbox --count $(FUZZ_COUNT)

fuzz-calls: setup-test ## FUZZ_COUNT programs that make random system calls
	@.venv/bin/python -m tests.fuzz.system_calls --count $(FUZZ_COUNT)
	@.venv/bin/python -m tests.fuzz.system_calls --count $(FUZZ_COUNT) --word 4

stress-device: setup-test ## /dev/lsw in User-Mode Linux: crowds of clients, random ioctls, a storm of kills
	@.venv/bin/python -m tests.vm.stress crowd --clients 64 --calls 1000
	@.venv/bin/python -m tests.vm.stress fuzz --count 100000
	@.venv/bin/python -m tests.vm.stress storm --rounds 200
	@.venv/bin/python -m tests.vm.stress ways

stress-threads: setup-test ## guest threads over all kinds of waits, a minute for each engine and word size
	@.venv/bin/python -m tests.guest.stress --seconds 60

coverage-page: setup ## write docs/coverage.md, the table of system calls
	@mkdir -p build docs
	@.venv/bin/lswctl coverage --markdown >build/coverage.md
	@mv build/coverage.md docs/coverage.md
	@echo "coverage-page: wrote docs/coverage.md"

install: setup ## install lswctl, lswd and its units for everybody; prefix=/usr/local, DESTDIR= for packagers
	@DESTDIR="$(DESTDIR)" prefix="$(prefix)" setup/install.sh install

uninstall: ## remove what was installed
	@DESTDIR="$(DESTDIR)" prefix="$(prefix)" setup/install.sh uninstall

clean: ## remove what was built (not .venv)
	rm -rf build dist *.egg-info .hypothesis
	find lswd lswctl tests -name __pycache__ -prune -exec rm -rf {} +
