package runtime

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// The instruction sets that kernels come in. An AVX2 kernel also uses FMA; an
// AVX-512 kernel uses the parts F, BW, DQ and VL.
const (
	isaPortable = "portable" // plain Go
	isaAVX2     = "avx2"
	isaAVX512   = "avx512"
)

// allISAs lists the instruction sets, the fastest last.
var allISAs = []string{isaPortable, isaAVX2, isaAVX512}

// thisProcessor lists what this processor and its system run, the fastest last.
var thisProcessor = sync.OnceValue(processorISAs)

// BestISA is the fastest instruction set that this processor and its operating
// system run: "portable", "avx2" or "avx512".
func BestISA() string {
	list := thisProcessor()
	return list[len(list)-1]
}

// ISAError says that an instruction set was asked for that does not exist, or
// that this processor or program lacks.
type ISAError struct {
	ISA     string
	Unknown bool // there is no instruction set of this name
	message string
}

// Error says what there is instead.
func (e *ISAError) Error() string { return e.message }

// CheckISA tells whether this processor runs an instruction set; "" stands for
// the best and always passes. Its error is an *ISAError.
func CheckISA(isa string) error {
	switch {
	case isa == "" || slices.Contains(thisProcessor(), isa):
		return nil
	case !slices.Contains(allISAs, isa):
		return &ISAError{ISA: isa, Unknown: true, message: fmt.Sprintf("--isa %s: the instruction sets are %s", isa, wordList(allISAs))}
	}
	return &ISAError{ISA: isa, message: fmt.Sprintf("--isa %s: this processor, or its operating system, lacks %s; it has %s", isa, needs[isa], wordList(thisProcessor()))}
}

// needs names an instruction set as processors' descriptions do.
var needs = map[string]string{
	isaAVX2:   "AVX2 with FMA",
	isaAVX512: "AVX-512 with its parts F, BW, DQ and VL",
}

// wordList is "a, b and c".
func wordList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
