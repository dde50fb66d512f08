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
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "//") {
			if strings.ContainsAny(line, "\r\\") {
				t.Errorf("a comment holds %q", line)
			}
		} else if strings.Contains(line, "0xcc") || line == "RET" && strings.Count(w.Text(""), "\nRET") > 0 {
			t.Errorf("text became an instruction: %q", line)
		}
	}
}
