package cuda

import (
	"strings"

	"netc/codegen/cpu"
)

// reserved are the words of C++ and CUDA, and the names that kernels use, which
// nothing of the user's may take.
var reserved = strings.Fields(`
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class compl concept
const consteval constexpr constinit const_cast continue co_await co_return co_yield decltype default delete do double
dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable namespace new noexcept
not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires restrict return short
signed sizeof static static_assert static_cast struct switch template this thread_local throw true try typedef typeid
typename union unsigned using virtual void volatile wchar_t xor xor_eq
threadIdx blockIdx blockDim gridDim warpSize dim3 float4 int4 uint4 uchar4 size_t linux unix main
expf logf log1pf tanhf sqrtf powf fabsf fmaf NULL INFINITY NAN
infinity larger smaller uniform mix32 warpSum warpMaximum blockSum blockMaximum load4 store4 partial part toTF32 toBF16 multiplyTF32 multiplyBF16
thread point row column tx ty lane team batch split term place group groups g inside`)

// comment makes a line of text safe inside a line comment: besides what Go
// forbids there, a backslash could join the next line to it.
func comment(line string) string {
	return strings.ReplaceAll(cpu.Comment(line), `\`, "_")
}
