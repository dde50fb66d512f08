package main

import (
	"strings"
	"testing"

	"netc/runtime"
)

// TestInstructionSets: what does not exist is wrong usage, what this processor
// lacks a failure; both before anything is compiled.
func TestInstructionSets(t *testing.T) {
	folder := t.TempDir()
	for _, c := range []struct {
		isa  string
		want string
		code int
	}{
		{"sse", "--isa sse: the instruction sets are portable, avx2 and avx512", exitUsage},
		{"avx512", "--isa avx512: this processor, or its operating system, lacks AVX-512", exitFailed},
		{"avx2", "--isa avx2: this processor, or its operating system, lacks AVX2", exitFailed},
	} {
		if runtime.CheckISA(c.isa) == nil {
			continue // it is here
		}
		o := command(t, folder, "", "time", "none.net", "--isa", c.isa)
		if o.code != c.code || !strings.Contains(o.stderr, c.want) || o.stdout != "" {
			t.Errorf("--isa %s: exit code %d\n%s", c.isa, o.code, o.stderr)
		}
	}
}
