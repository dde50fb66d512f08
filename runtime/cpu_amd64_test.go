package runtime

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestISAsOfRegisters(t *testing.T) {
	const (
		ecx1     = fmaBit | osxsaveBit | avxBit
		avx512   = avx512fBit | avx512dqBit | avx512bwBit | avx512vlBit
		allSaved = 0xe7
	)
	for _, c := range []struct {
		what              string
		ecx1, ebx7, saved uint32
		want              int // entries of allISAs
	}{
		{"nothing", 0, 0, 0, 1},
		{"all", ecx1, avx2Bit | avx512, allSaved, 3},
		{"no AVX-512", ecx1, avx2Bit, allSaved, 2},
		{"no FMA", ecx1 &^ fmaBit, avx2Bit | avx512, allSaved, 1},
		{"AVX only", ecx1, 0, allSaved, 1},
		{"a system that saves no ymm", ecx1, avx2Bit | avx512, 0x3, 1},
		{"a system that does not say", ecx1 &^ osxsaveBit, avx2Bit | avx512, allSaved, 1},
		{"a system that saves no zmm", ecx1, avx2Bit | avx512, 0x7, 2},
		{"a system that saves no masks", ecx1, avx2Bit | avx512, 0xc7, 2},
		{"AVX-512 without VL", ecx1, avx2Bit | avx512&^avx512vlBit, allSaved, 2},
		{"AVX-512 without BW", ecx1, avx2Bit | avx512&^avx512bwBit, allSaved, 2},
		{"AVX-512 without DQ", ecx1, avx2Bit | avx512&^avx512dqBit, allSaved, 2},
	} {
		if got := isasOf(c.ecx1, c.ebx7, c.saved); !slices.Equal(got, allISAs[:c.want]) {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}

// The system lists the features that it lets programs use.
func TestProcessorAsTheSystemSeesIt(t *testing.T) {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Skip("this system does not list its processor's features")
	}
	flags := strings.Fields(string(regexp.MustCompile(`(?m)^flags\s*:.*$`).Find(text)))
	want := []string{isaPortable}
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(flags, name) })
	}
	if has("avx2", "fma") {
		want = append(want, isaAVX2)
		if has("avx512f", "avx512dq", "avx512bw", "avx512vl") {
			want = append(want, isaAVX512)
		}
	}
	if got := processorISAs(); !slices.Equal(got, want) {
		t.Errorf("this processor has %v, the system says %v", got, want)
	}
}
