package cuda

import "strings"

// helper is a device function that kernels call, with those that it calls.
type helper struct {
	name  string
	needs []string
	text  string
}

// helpers in the order in which they are printed.
var helpers = []helper{
	{"infinity", nil, `__device__ __forceinline__ float infinity() { return __int_as_float(0x7f800000); }
`},
	{"larger", nil, `// larger and smaller give NaN where either number is NaN, so that a network that
// has diverged shows it.
__device__ __forceinline__ float larger(float a, float b) { return a > b || a != a ? a : b; }
__device__ __forceinline__ int larger(int a, int b) { return a > b ? a : b; }
`},
	{"smaller", nil, `__device__ __forceinline__ float smaller(float a, float b) { return a < b || a != a ? a : b; }
__device__ __forceinline__ int smaller(int a, int b) { return a < b ? a : b; }
`},
	{"uniform", nil, `// mix32 is a bijection of 32-bit words ("lowbias32", Chris Wellons, public domain).
__device__ __forceinline__ unsigned mix32(unsigned x)
{
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

// uniform draws a number in [0, 1) for one element of one layer in one
// iteration, the same as the CPU program's.
__device__ __forceinline__ float uniform(int seed, int iteration, unsigned layer, int element)
{
    const unsigned key = mix32(mix32((unsigned)seed + 0x9e3779b9u) ^ layer);
    const unsigned whiten = mix32(key ^ (unsigned)iteration);
    return (float)(mix32(mix32((unsigned)element ^ whiten) + mix32(whiten + key)) >> 8) * 0x1p-24f;
}
`},
	{"load4", nil, `// load4 and store4 move four neighbouring elements as one.
__device__ __forceinline__ void load4(float to[4], const float* from)
{
    const float4 four = *(const float4*)from;
    to[0] = four.x, to[1] = four.y, to[2] = four.z, to[3] = four.w;
}
__device__ __forceinline__ void load4(int to[4], const int* from)
{
    const int4 four = *(const int4*)from;
    to[0] = four.x, to[1] = four.y, to[2] = four.z, to[3] = four.w;
}
__device__ __forceinline__ void load4(unsigned char to[4], const unsigned char* from)
{
    const uchar4 four = *(const uchar4*)from;
    to[0] = four.x, to[1] = four.y, to[2] = four.z, to[3] = four.w;
}
`},
	{"store4", nil, `__device__ __forceinline__ void store4(float* to, const float from[4])
{
    *(float4*)to = make_float4(from[0], from[1], from[2], from[3]);
}
__device__ __forceinline__ void store4(int* to, const int from[4])
{
    *(int4*)to = make_int4(from[0], from[1], from[2], from[3]);
}
__device__ __forceinline__ void store4(unsigned char* to, const unsigned char from[4])
{
    *(uchar4*)to = make_uchar4(from[0], from[1], from[2], from[3]);
}
`},
	{"toTF32", nil, `#ifndef NETC_EMULATION // which has its own
// toTF32 rounds to 10 bits of mantissa.
__device__ __forceinline__ float toTF32(float x)
{
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return __uint_as_float(bits);
}
#endif
`},
	{"toBF16", nil, `#ifndef NETC_EMULATION // which has its own
// toBF16 rounds two numbers to 7 bits of mantissa, the first in the low half.
__device__ __forceinline__ unsigned toBF16(float low, float high)
{
    unsigned both;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
    return both;
}
#endif
`},
	{"multiplyTF32", nil, `#ifndef NETC_EMULATION // which has its own
// multiplyTF32 has the warp add a 16x8 by 8x8 product to its sums.
__device__ __forceinline__ void multiplyTF32(float sum[4], const unsigned a[4], const unsigned b[2])
{
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif
`},
	{"multiplyBF16", nil, `#ifndef NETC_EMULATION // which has its own
// multiplyBF16 has the warp add a 16x16 by 16x8 product to its sums.
__device__ __forceinline__ void multiplyBF16(float sum[4], const unsigned a[4], const unsigned b[2])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif
`},
	{"warpSum", nil, `// warpSum adds the 32 numbers of a warp, always in the same tree; every thread
// gets the sum.
__device__ __forceinline__ float warpSum(float x)
{
    for (int distance = 16; distance > 0; distance /= 2) x += __shfl_xor_sync(0xffffffffu, x, distance);
    return x;
}
`},
	{"warpMaximum", []string{"larger"}, `__device__ __forceinline__ float warpMaximum(float x)
{
    for (int distance = 16; distance > 0; distance /= 2) x = larger(x, __shfl_xor_sync(0xffffffffu, x, distance));
    return x;
}
`},
	{"blockSum", []string{"warpSum"}, `// blockSum adds the numbers of a block: each warp's, then the warps' in order.
template <int threads>
__device__ __forceinline__ float blockSum(float x)
{
    __shared__ float warps[threads/32];
    x = warpSum(x);
    __syncthreads(); // the numbers of the sum before were read
    if (threadIdx.x%32 == 0) warps[threadIdx.x/32] = x;
    __syncthreads();
    x = warps[0];
    for (int i = 1; i < threads/32; i++) x += warps[i];
    return x;
}
`},
	{"blockMaximum", []string{"warpMaximum"}, `template <int threads>
__device__ __forceinline__ float blockMaximum(float x)
{
    __shared__ float warps[threads/32];
    x = warpMaximum(x);
    __syncthreads();
    if (threadIdx.x%32 == 0) warps[threadIdx.x/32] = x;
    __syncthreads();
    x = warps[0];
    for (int i = 1; i < threads/32; i++) x = larger(x, warps[i]);
    return x;
}
`},
}

// helperText prints the helpers that are used, each once, after those it needs.
func helperText(used map[string]bool) string {
	all := map[string]bool{}
	var need func(name string)
	need = func(name string) {
		all[name] = true
		for _, h := range helpers {
			if h.name == name {
				for _, n := range h.needs {
					need(n)
				}
			}
		}
	}
	for name := range used {
		need(name)
	}
	var list []string
	for _, h := range helpers {
		if all[h.name] {
			list = append(list, h.text)
		}
	}
	return strings.Join(list, "\n")
}
