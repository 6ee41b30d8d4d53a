# famebench: `make bench` and `make test` include set-up.
#
#   LIBTORCH=DIR   use this libtorch, or the torch folder of a Python torch
#   VERIFY=1       with setup: check the SHA-256 of every file of the library
#   BENCHFLAGS=…   more flags for bench, e.g. BENCHFLAGS='-seeds 0 -out /tmp/out'
#   TESTFLAGS=…    more flags for go test, e.g. TESTFLAGS='-run Oracle -v'

BENCHFLAGS ?=
TESTFLAGS ?=
# Sourced by every recipe that compiles; POSIX, so any /bin/sh will do.
ENV = . scripts/env.sh &&

.PHONY: help setup build bench test lint clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | awk -F '\t' '{printf "make %-6s %s\n", $$1, $$2}'

setup: ## fetch libtorch, check it, build .bin/bench (safe to repeat)
	@scripts/setup.sh

build: ## the same, without the closing line
	@scripts/setup.sh --if-needed

bench: build ## train and compare the models of the quick suite (about 4 minutes on two cores)
	@$(ENV) go run ./bench -suite quick $(BENCHFLAGS)

# Go's own limit for a package, 10 minutes, is too short where other programs compute.
test: lint ## all checks and tests
	@echo '== go test'
	@$(ENV) go test -timeout 40m $(TESTFLAGS) ./...

lint: build ## gofmt, go vet, staticcheck; shellcheck if it is installed
	@echo '== gofmt'
	@bad=$$("$$(go env GOROOT)/bin/gofmt" -l .) || exit 1; \
	if [ -n "$$bad" ]; then echo "not gofmt-clean (run: gofmt -w .):"; echo "$$bad"; exit 1; fi
	@echo '== go vet'
	@$(ENV) go vet ./...
	@echo '== staticcheck'
	@$(ENV) go tool staticcheck ./...
	@if command -v shellcheck >/dev/null; then echo '== shellcheck'; \
	shellcheck -x scripts/*.sh scripts/peers/*.sh scripts/libtorch/c++ .ci/run; fi

clean: ## remove build outputs (keeps libtorch and Go's caches)
	rm -rf .bin
