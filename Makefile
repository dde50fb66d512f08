# make check is what CI runs; README lists the commands a user needs.

.PHONY: build test check golden fuzz oracle bench gpu-check gpu-bench gpu-folder gpu-check-folder gpu-bench-folder

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

# Whether the kernels are right on the GPU of this machine, and how fast they are
# there; both write into docs/results. PRECISION is float32, tf32 or bf16;
# GPUBENCH has more flags, as in GPUBENCH="--nets lenet".
#
# gpu-folder puts what both need into build/gpu, for a machine with a GPU that has
# neither Go nor the source. There:
#
#	./netc-gpu-check --out gpu-check.md
#	./bench --device cuda --programs programs-float32 --out gpu-bench.md
#
# Both need the GPU's driver and NVRTC, of a CUDA toolkit or of Python's packages;
# where the system's loader does not find NVRTC, NETC_CUDA_PATH names its folder.
GPU = build/gpu
PRECISION ?= float32
gpu-check: gpu-check-folder
	$(GPU)/netc-gpu-check --out docs/results/gpu-check.md

gpu-bench: gpu-bench-folder
	mkdir -p docs/results
	$(GPU)/bench --device cuda --precision $(PRECISION) --programs $(GPU)/programs-$(PRECISION) \
		--out docs/results/gpu-bench-$(PRECISION).md --json docs/results/gpu-bench-$(PRECISION).json $(GPUBENCH)

gpu-folder: gpu-check-folder gpu-bench-folder

# The programs report every step. They train slowly, because steps amplify how
# sums were rounded: with ResNet-20's own rate of 0.1, two right programs differ by
# a thousandth of the loss after three, and the deepest networks do with 0.001.
gpu-check-folder:
	go build -o build/netc ./cmd/netc
	CGO_ENABLED=0 go build -o $(GPU)/ -ldflags "-s -w -X main.commit=$$(git describe --always --dirty)" ./cmd/netc-gpu-check
	set -e; for net in models/*.net; do for device in cuda cpu; do \
		name=$$(basename $$net .net); source=build/gpu-source/$$device/$$name; \
		folder=models; test $$device = cuda || folder=models-$$device; \
		case $$name in googlenet) rate=0.0001;; resnet50) rate=0.000002;; *) rate=0.001;; esac; \
		build/netc build $$net --quiet --device $$device -o $$source \
			--set train.display=1 --set test.iterations=1 --set solver.lr=$$rate >/dev/null; \
		(cd $$source && GOWORK=off CGO_ENABLED=0 go build -ldflags="-s -w" -o ../../../gpu/$$folder/$$name ./cmd/*); \
	done; done

gpu-bench-folder:
	CGO_ENABLED=0 go build -o $(GPU)/ -ldflags "-s -w" ./bench
	$(GPU)/bench --build-only --device cuda --precision $(PRECISION) --programs $(GPU)/programs-$(PRECISION) $(GPUBENCH)
