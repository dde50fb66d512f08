package runtime

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// withProcessor pretends that this processor has other instruction sets.
func withProcessor(t *testing.T, isas ...string) {
	real := thisProcessor
	thisProcessor = func() []string { return isas }
	t.Cleanup(func() { thisProcessor = real })
}

func TestChoice(t *testing.T) {
	for _, c := range []struct {
		processor, program []string
		asked, want, fault string
	}{
		{allISAs, allISAs, "", isaAVX512, ""},
		{allISAs[:2], allISAs, "", isaAVX2, ""},
		{allISAs[:1], allISAs, "", isaPortable, ""},
		{allISAs, allISAs[:1], "", isaPortable, ""},
		{allISAs, allISAs, isaPortable, isaPortable, ""},
		{allISAs, allISAs, isaAVX2, isaAVX2, ""},
		{allISAs[:2], allISAs, isaAVX512, "", "lacks AVX-512 with its parts F, BW, DQ and VL; it has portable and avx2"},
		{allISAs[:1], allISAs, isaAVX2, "", "lacks AVX2 with FMA; it has portable"},
		{allISAs, allISAs[:1], isaAVX2, "", "this program has no avx2 kernels, only portable"},
		{allISAs, allISAs, "sse", "", "the instruction sets are portable, avx2 and avx512"},
	} {
		withProcessor(t, c.processor...)
		built := ""
		choice := Choice{ISAs: c.program, Build: func(isa string) *Program { built = isa; return &Program{ISA: isa} }}
		program, err := choice.Program(c.asked)
		if c.fault == "" {
			if err != nil || program.ISA != c.want || built != c.want {
				t.Errorf("%+v: built %q, %v", c, built, err)
			}
			continue
		}
		var isa *ISAError
		if !errors.As(err, &isa) || !strings.Contains(err.Error(), c.fault) || built != "" || isa.Unknown != !slices.Contains(allISAs, c.asked) {
			t.Errorf("%+v: built %q, %v", c, built, err)
		}
	}
}

func TestBestISA(t *testing.T) {
	if best := BestISA(); !slices.Contains(allISAs, best) || CheckISA(best) != nil || CheckISA("") != nil {
		t.Errorf("the best instruction set is %q", best)
	}
	withProcessor(t, allISAs[:2]...)
	if best := BestISA(); best != isaAVX2 {
		t.Errorf("the best instruction set is %q", best)
	}
	network := newTinyNetwork(6, 1)
	for asked, want := range map[string]int{isaAVX512: exitFailed, isaAVX2: exitFailed, "sse": exitUsage, isaPortable: exitDone} {
		code, _, stderr := invoke(t, network, t.Context(), "time", "--iterations", "1", "--quiet", "--isa", asked)
		if code != want || code != exitDone && !strings.Contains(stderr, "error: --isa "+asked) {
			t.Errorf("--isa %s: exit %d: %s", asked, code, stderr)
		}
	}
}
