# `make` prints what there is. `make run` and `make test` need nothing but Go.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Everything is built without cgo, tests too, so that one build cache serves all of it.
export CGO_ENABLED := 0

VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS   = -X main.version=$(VERSION)
COMMANDS := coaming
FUZZTIME ?= 10s

# How large the made-up clusters of make bench become, in objects, and how often each is measured.
MOST ?= 100000
RUNS ?= 5

# Packages that start goroutines, which the race detector can say something about.
RACE := ./internal/rule/... ./internal/judge/... ./internal/source/... ./internal/cli/... \
	./internal/admission/... ./internal/gate/... ./internal/clearance/... ./internal/certificate/... ./internal/reconcile/...

lint := go tool -modfile=tools/lint.mod golangci-lint
tool := go tool -modfile=tools/tools.mod

# $(call shown,TITLE): what is running, on stderr.
shown = printf '\n== %s\n' '$(1)' >&2

##@ Every day

run: build ## Build, scan the example shop, and say what to try next (seconds; the first build takes minutes)
	@status=0; bin/coaming scan examples/shop || status=$$?; \
	case $$status in \
	1|3) ;; \
	0) echo 'coaming found nothing in examples/shop, whose faults are planted: something is broken' >&2; exit 1 ;; \
	*) exit $$status ;; \
	esac; \
	echo; echo "(exit code $$status: 1 is findings at or over the threshold, 3 is something that could not be judged)"; \
	echo; cat tools/next.txt

build: ## Build bin/coaming
	@go build -ldflags="$(LDFLAGS)" -o bin/ ./cmd/coaming

test: ## Run every test that needs no cluster, and count them
	@packages=$$(go list ./... | grep -v /test/e2e); go test -json $$packages | go run ./tools/tally -keep .cache/tally/test

fmt: ## Format every Go file, rewrite old idioms (go fix), tidy go.mod
	@$(tool) gofumpt -w $(GOFILES)
	@go fix ./...
	@go mod tidy

gen: ## Regenerate the generated files
	@go generate ./...

##@ Before a change lands

check: ## Everything that CI asks beside the tests (the first time builds golangci-lint: minutes)
	@$(MAKE) -k $(CHECKS) || { echo 'see the lines with *** above for what is wrong' >&2; exit 1; }

e2e: bin/sandbox bin/sandbox-dns node-programs build ## Prove it against a real API server and node (the first time builds them: 5 to 10 minutes)
	@export SANDBOX_BIN=$(CURDIR)/bin/sandbox COAMING_BIN=$(CURDIR)/bin/coaming; \
	{ status=0; \
		go test -json -count=1 -timeout 40m ./test/e2e/... || status=1; \
		go test -json -count=1 -run 'TestClusterSandbox|TestReconcile' ./internal/source ./internal/reconcile || status=1; \
		cd test/sandbox; go test -json -count=1 -trimpath ./... || status=1; \
		exit $$status; \
	} | go run ./tools/tally -keep .cache/tally/e2e

race: ## Run the tests of what is concurrent under the race detector (needs a C compiler; where make e2e has built a cluster, one more; the first time takes minutes)
	@if ! command -v $${CC:-cc} >/dev/null; then echo 'skipped: the race detector needs a C compiler'; exit 0; fi; \
	{ status=0; \
		CGO_ENABLED=1 go test -race -timeout 30m -json $(RACE) || status=1; \
		if [ -x bin/sandbox ]; then \
			SANDBOX_BIN=$(CURDIR)/bin/sandbox CGO_ENABLED=1 go test -race -timeout 10m -json -run TestReconcile ./internal/reconcile || status=1; \
		fi; \
		exit $$status; \
	} | go run ./tools/tally

fuzz: ## Run every fuzz target for FUZZTIME (10s)
	@grep -rl --include='*_test.go' '^func Fuzz' internal cmd | while read -r file; do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file"); do \
			$(call shown,$$target in $$file); \
			go test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) "./$$(dirname "$$file")"; \
		done; \
	done

bench: ## Measure speed and memory on made-up clusters of up to MOST objects (100000), each RUNS times (5)
	@go run ./test/bench -most $(MOST) -n $(RUNS)
	@go test -run='^$$' -bench="Flows|Hardened" -benchtime=1x ./internal/reach

bench-graph: ## Measure who can become whom, on made-up clusters of 1,000, 10,000 and 100,000 pods
	@go run ./test/bench -graph -n 3

bench-advisory: ## Measure the index of advisories: building, opening, asking, and orders of versions beside osv-scalibr's
	@go run ./test/bench -advisory
	@go test -run='^$$' -bench=Order ./internal/advisory

judge-versions: ## Ask the ecosystems' own tools (dpkg, rpm, npm, pip, gem, PHP, Maven) about the order of random versions; those that are not here are skipped
	@COAMING_JUDGE=1 go test -v -count=1 -run=TestUpstreamTools ./internal/advisory | grep -v '^=== '

bench-image: build ## Measure looking into images beside only decompressing them (makes an image of a Debian first: root, minutes)
	@if ! command -v debootstrap >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends debootstrap >&2 || true; fi
	@go run ./test/bench/image

bench-gate: bin/sandbox build ## Measure the admission server over TLS: latency at 1, 100 and 500 reviews a second, throughput, memory, and the memory of the real gate beside an API server
	@go run ./test/bench/gate -coaming $(CURDIR)/bin/coaming -sandbox $(CURDIR)/bin/sandbox

bench-native: bin/sandbox build ## Measure what the whole catalogue as native policies adds to making a pod, through a real API server, as a plan groups it, rule by rule, and without: 1,000 each
	@COAMING_BIN=$(CURDIR)/bin/coaming SANDBOX_BIN=$(CURDIR)/bin/sandbox go test -run='^$$' -bench=NativePolicies -benchtime=1x -timeout 30m ./test/bench

bench-rejudge: ## Judge 10,000 stored images anew, by the index of advisories that COAMING_BENCH_DB names or a small one
	@go test -run='^$$' -bench=Rejudge -benchtime=3x ./internal/cli

judge-advisory: ## Ask osv-scalibr's own matcher about the same packages (a module of its own; minutes)
	@cd test/osvjudge; go test -v -count=1 -timeout=40m ./... 2>&1 | grep -v ' Loaded '

judge-trust: build ## Ask cosign itself about the signatures of images (a module of its own; builds cosign, minutes)
	@cd test/trustjudge; go build -o $(CURDIR)/bin/cosign github.com/sigstore/cosign/v3/cmd/cosign && \
		COSIGN=$(CURDIR)/bin/cosign COAMING=$(CURDIR)/bin/coaming go test -v -count=1 ./...

judge-sbom: ## Hold our bills of materials to the published schemas and upstream's readers (a module of its own; fetches them)
	@cd test/sbomjudge; go test -v -count=1 ./...

judge-chart: bin/sandbox build ## Ask helm itself, and cert-manager's definitions, about the chart, on a real API server (a module of its own; builds helm, minutes)
	@cd test/chartjudge; SANDBOX_BIN=$(CURDIR)/bin/sandbox COAMING_BIN=$(CURDIR)/bin/coaming go test -v -count=1 ./...

judge-rpm: ## Ask go-rpmdb about the databases of sixteen real distributions (a module of its own)
	@cd test/rpmjudge; go test -v -count=1 ./...

fixes: build ## Measure the share of findings with a proved fix over real manifests, by practice and rule
	@go run ./test/fixes

##@ A cluster to play with

sandbox: bin/sandbox $(if $(NODE),bin/sandbox-dns node-programs) ## Start a real API server (NODE=1: and a node that runs pods); Ctrl-C ends it (the first time builds it: 5 to 10 minutes)
	@bin/sandbox up $(if $(NODE),--node)
##@ A release

dist: ## Cross-compile every binary into dist/ and hold it to 80 MB
	@rm -rf dist; mkdir -p dist
	@for command in $(COMMANDS); do for target in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64; do \
		export GOOS=$${target%/*} GOARCH=$${target#*/}; \
		out=dist/$$command-$$GOOS-$$GOARCH; \
		go build -trimpath -ldflags="-s -w $(LDFLAGS)" -o $$out ./cmd/$$command; \
		size=$$(wc -c < $$out); \
		printf '%-32s %6.1f MB\n' $$out $$(awk "BEGIN { print $$size / 1000000 }"); \
		if [ $$size -gt 80000000 ]; then echo "$$out is over 80 MB" >&2; exit 1; fi; \
	done; done

clean: ## Remove what was built (Go's own caches stay)
	@rm -rf bin dist .cache

help: ## Print this
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- the parts of make check ---

CHECKS := check-fmt check-tidy check-layers check-gen check-fix check-lint check-deadcode check-vuln

GOFILES = $$(git ls-files --cached --others --exclude-standard --deduplicate '*.go' | while read -r f; do [ -e "$$f" ] && echo "$$f"; done)

check-fmt:
	@$(call shown,gofumpt)
	@diff=$$($(tool) gofumpt -d $(GOFILES)) && [ -z "$$diff" ] || { echo "$$diff"; echo 'not formatted: run make fmt'; exit 1; }

check-tidy:
	@$(call shown,go mod tidy)
	@go mod tidy -diff

check-layers:
	@$(call shown,layers and the other rules of the house)
	@go test .

# Making everything anew must change no file of the tree, committed or not.
tree = git ls-files --cached --others --exclude-standard --deduplicate -z | xargs -0 cksum 2>/dev/null || true

check-gen:
	@$(call shown,generated files)
	@before=$$($(tree)); $(MAKE) gen; \
	diff <(echo "$$before") <($(tree)) || { echo 'generated files were out of date: they have been made anew, commit them'; exit 1; }

check-fix:
	@$(call shown,go fix)
	@go fix -diff ./...

check-lint:
	@$(call shown,golangci-lint)
	@$(lint) run

check-deadcode:
	@$(call shown,deadcode)
	@dead=$$($(tool) deadcode -test ./...); [ -z "$$dead" ] || { echo "$$dead"; exit 1; }

check-vuln:
	@$(call shown,govulncheck)
	@if [ -z "$${VULNDB:-}" ]; then echo 'skipped: VULNDB names no database (VULNDB=file:///path/to/vulndb)'; exit 0; fi; \
	$(tool) govulncheck -db "$$VULNDB" ./...

# --- the sandbox: a module of its own, Kubernetes itself; built when its sources are newer ---

SANDBOX_SOURCES := $(shell find test/sandbox -path test/sandbox/dns -prune -o -type f ! -name '*_test.go' ! -name '*.md' -print 2>/dev/null)
bin/sandbox: $(SANDBOX_SOURCES)
	@echo 'building the sandbox: 5 to 10 minutes the first time, seconds after that' >&2
	@sh test/sandbox/build.sh $@
	@touch $@ # go build leaves a file alone that would not change

bin/sandbox-dns: $(wildcard test/sandbox/dns/*)
	@echo 'building CoreDNS for the sandbox: a minute or two the first time' >&2
	@cd test/sandbox/dns && go build -trimpath -ldflags='-s -w' -o $(CURDIR)/$@ .
	@touch $@

# What a node runs that is not built here. Where it cannot be installed, what needs a node skips and says why.
NODE_PACKAGES := containerd runc containernetworking-plugins nftables

node-programs:
	@if [ -x /usr/lib/cni/bridge ] && type containerd ctr runc nft >/dev/null 2>&1; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo 'no node: install $(NODE_PACKAGES) as root' >&2; exit 0; \
	fi; \
	$(call shown,apt-get install $(NODE_PACKAGES)); \
	{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $(NODE_PACKAGES); } >&2 || \
		echo 'no node: $(NODE_PACKAGES) could not be installed' >&2

.PHONY: run build test fmt gen check e2e race fuzz bench bench-graph bench-advisory bench-image bench-gate bench-native bench-rejudge judge-versions judge-advisory judge-sbom judge-rpm judge-trust judge-chart fixes sandbox node-programs dist clean help $(CHECKS)
