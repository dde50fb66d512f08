# make check is what CI runs; README lists the commands a user needs.

.PHONY: build test check golden fuzz oracle bench

build:
	go build -o netc ./cmd/netc

test:
	go test ./...

# What CI runs: formatting, vet, staticcheck, all tests, the oracle.
check:
	bash .ci/run

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

# netc against the peers that this machine has, see bench/README.md. For a part of
# it: make bench BENCH="--nets lenet --modes train".
BENCH ?= --out BENCHMARKS.md --json BENCHMARKS.json
bench:
	go run ./bench $(BENCH)
