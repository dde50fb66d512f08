//go:build cuda

package gorgonia

/*
#include <cuda.h>
#include <string.h>

// launch starts a kernel in clusters with addresses as arguments. The
// structures stay on C's side, because they point to each other.
static CUresult launch(CUfunction f, const unsigned *grid, const unsigned *block, const unsigned *cluster, unsigned shared, CUstream stream, CUdeviceptr *args, int n)
{
	void *params[64];
	for (int i = 0; i < n; i++) params[i] = &args[i];
	CUlaunchAttribute attribute;
	memset(&attribute, 0, sizeof attribute);
	attribute.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
	attribute.value.clusterDim.x = cluster[0];
	attribute.value.clusterDim.y = cluster[1];
	attribute.value.clusterDim.z = cluster[2];
	CUlaunchConfig config;
	memset(&config, 0, sizeof config);
	config.gridDimX = grid[0];
	config.gridDimY = grid[1];
	config.gridDimZ = grid[2];
	config.blockDimX = block[0];
	config.blockDimY = block[1];
	config.blockDimZ = block[2];
	config.sharedMemBytes = shared;
	config.hStream = stream;
	config.attrs = &attribute;
	config.numAttrs = 1;
	return cuLaunchKernelEx(&config, f, params, NULL);
}
*/
import "C"

import (
	"fmt"
	"unsafe"

	"gorgonia.org/cu"

	"netc/runtime/cuda"
)

// mostArguments is how many arguments a kernel in clusters can have.
const mostArguments = 64

func (driver) launchClusters(f cuda.Function, c cuda.Config, s cuda.Stream, args []cuda.Memory) error {
	if len(args) > mostArguments {
		return fmt.Errorf("a kernel in clusters with %d arguments, of at most %d", len(args), mostArguments)
	}
	unsigned := func(v *[3]uint32) *C.uint { return (*C.uint)(unsafe.Pointer(v)) }
	return checkResult("cuLaunchKernelEx", C.launch(as[C.CUfunction](f), unsigned(&c.Grid), unsigned(&c.Block), unsigned(&c.Cluster),
		C.uint(c.Shared), as[C.CUstream](s), (*C.CUdeviceptr)(unsafe.Pointer(unsafe.SliceData(args))), C.int(len(args))))
}

func (driver) BeginCapture(s cuda.Stream) error {
	return checkResult("cuStreamBeginCapture", C.cuStreamBeginCapture(as[C.CUstream](s), C.CU_STREAM_CAPTURE_MODE_RELAXED))
}

func (driver) EndCapture(s cuda.Stream) (cuda.Graph, error) {
	var g C.CUgraph
	err := checkResult("cuStreamEndCapture", C.cuStreamEndCapture(as[C.CUstream](s), &g))
	return as[cuda.Graph](g), err
}

func (driver) GraphNodes(g cuda.Graph) (int, error) {
	var n C.size_t
	err := checkResult("cuGraphGetNodes", C.cuGraphGetNodes(as[C.CUgraph](g), nil, &n))
	return int(n), err
}

func (driver) Instantiate(g cuda.Graph) (cuda.Exec, error) {
	var x C.CUgraphExec
	err := checkResult("cuGraphInstantiateWithFlags", C.cuGraphInstantiateWithFlags(&x, as[C.CUgraph](g), 0))
	return as[cuda.Exec](x), err
}

func (driver) LaunchGraph(x cuda.Exec, s cuda.Stream) error {
	return checkResult("cuGraphLaunch", C.cuGraphLaunch(as[C.CUgraphExec](x), as[C.CUstream](s)))
}

func (driver) DestroyGraph(g cuda.Graph) error {
	return check("cuGraphDestroy", as[cu.Graph](g).Destroy())
}

func (driver) DestroyExec(x cuda.Exec) error {
	return check("cuGraphExecDestroy", as[cu.ExecGraph](x).Destroy())
}
