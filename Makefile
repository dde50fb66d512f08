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

# Ten minutes of each fuzz target. Go's own minimizing of interesting inputs is
# cut short: it would take most of the time.
FUZZTIME ?= 10m
FUZZ = go test -run '^$$' -fuzztime $(FUZZTIME) -fuzzminimizetime 5x
fuzz:
	$(FUZZ) -fuzz 'FuzzNet$$' ./spec
	$(FUZZ) -fuzz 'FuzzRun$$' ./spec
	$(FUZZ) -fuzz 'FuzzLower$$' ./compiler/layer
	$(FUZZ) -fuzz 'FuzzParse$$' ./ir/op
	$(FUZZ) -fuzz 'FuzzDecodeSafetensors$$' ./runtime
	$(FUZZ) -fuzz 'FuzzDecodeNPY$$' ./runtime

oracle:
	cd oracle && go test ./...
