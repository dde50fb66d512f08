module netc/runtime/cuda/gorgonia

go 1.26.0

require (
	gorgonia.org/cu v0.9.6
	netc v0.0.0
)

require (
	github.com/ebitengine/purego v0.11.3 // indirect
	github.com/google/uuid v1.1.1 // indirect
	github.com/pkg/errors v0.9.1 // indirect
)

replace netc => ../../..
