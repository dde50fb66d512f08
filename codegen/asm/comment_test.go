package asm

import (
	"strings"
	"testing"
)

// A name cannot end the comment that it stands in.
func TestCommentsStayComments(t *testing.T) {
	f := New("f", AVX2)
	f.SetDoc([]string{"\tdoc of x\nRET", "y\\"})
	f.Comment("load %s", "a\nBYTE $0xcc\r\\")
	f.Store(Mem{Base: f.Arg(0)}, f.Zero())
	if err := f.Finish(); err != nil {
		t.Fatal(err)
	}
	var w File
	w.Add(f)
	for _, line := range strings.Split(w.Text(""), "\n") {
		isComment := strings.HasPrefix(strings.TrimSpace(line), "//")
		switch {
		case isComment && strings.ContainsAny(line, "\r\\"):
			t.Errorf("a comment holds %q", line)
		case !isComment && strings.Contains(line, "0xcc"), strings.HasPrefix(line, "RET"): // the function's own stands behind a tab
			t.Errorf("text became an instruction: %q", line)
		}
	}
}
