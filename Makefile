# Short names for what one does here; `make` alone builds.

GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULN   := golang.org/x/vuln/cmd/govulncheck@v1.9.0
FUZZTIME ?= 2m
SOAK     ?= 300

.PHONY: build run test check lint vuln fuzz bench chaos soak screenshots gen release release-fixture

build: ## bin/parley
	go build -o bin/parley ./cmd/parley

run: ## a node with its data in ./parley-data
	go run ./cmd/parley serve

test: ## everything, as in CI
	scripts/test.sh

check: lint test

lint: ## the fast checks of CI, then golangci-lint (its first run compiles it)
	scripts/test.sh build lint
	go run $(GOLANGCI) run ./...

vuln: ## needs the vulnerability database of the Go project
	go run $(GOVULN) ./...

fuzz: ## every fuzz target for FUZZTIME
	FUZZTIME=$(FUZZTIME) scripts/test.sh fuzz

bench: ## the table of docs/performance.md
	scripts/bench.sh

soak: ## hundreds of random histories: SOAK seeds in process, as many with the official client
	PARLEY_SIM_SEEDS=$(SOAK) go test -race -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc=-d=checkptr=0 -count=1 -timeout=0 -v -run=TestSimulation ./internal/sim
	test/clients/native/prepare.sh
	cd test/clients/native && CGO_ENABLED=1 PARLEY_REINSTALL_SEEDS=$(SOAK) go test -count=1 -timeout=0 -v -run=TestReinstall .

chaos: ## 500 rounds of killing a server under load
	PARLEY_CHAOS_ROUNDS=500 go test -count=1 -timeout=0 -v ./test/chaos

release-fixture: ## before a release: a backup of the schema as it is now, for the tests of all later ones
	go test ./test -count=1 -run=TestReleases -args -make-release

screenshots: ## pictures of every page of the console, in ./screenshots
	cd test/console && PARLEY_SCREENSHOTS=$(CURDIR)/screenshots go test -count=1 -p 1 . ./operator

gen: ## the tables in docs/ that are made from the code
	go test ./internal/config ./internal/webhook ./internal/api/reference ./internal/metrics -run=TestDocs -update

release: ## dist/: archives for each platform and their checksums
	scripts/release.sh
