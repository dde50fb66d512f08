# make check is what CI runs; README lists the commands a user needs.

.PHONY: build test check golden fmt fuzz oracle

build:
	go build -o netc ./cmd/netc

test:
	go test ./...

# Formatting, vet, staticcheck, tests, golden files, the import arrows (both
# tests of the root package), and the independent oracle.
check: fmt
	go vet ./...
	go run honnef.co/go/tools/cmd/staticcheck@v0.7.0 ./...
	go test ./...
	cd oracle && go vet ./... && go test ./...

fmt:
	@bad=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$bad" || { echo "gofmt would change: $$bad"; exit 1; }

# Rewrites golden/; read the difference before committing it.
golden:
	go test . -run TestGolden -update

# Ten minutes of each fuzz target.
FUZZTIME ?= 10m
fuzz:
	go test ./spec -run '^$$' -fuzz FuzzNet -fuzztime $(FUZZTIME)
	go test ./ir/op -run '^$$' -fuzz FuzzParse -fuzztime $(FUZZTIME)

oracle:
	cd oracle && go test ./...
