package layer

import (
	"strings"
	"testing"

	"netc/spec"
)

// TestDocs checks that every layer and every field explains itself, and that
// the help text shows it.
func TestDocs(t *testing.T) {
	check := func(page string, fields []*field) {
		text := Doc(page)
		for _, f := range fields {
			if f.name == "" || f.doc == "" {
				t.Errorf("%s: a field has no name or no doc: %+v", page, f)
			}
			for _, name := range f.spellings() {
				if !strings.Contains(text, name) {
					t.Errorf("the help text of %s does not show %s", page, name)
				}
			}
			if !strings.Contains(strings.Join(strings.Fields(text), " "), f.doc) {
				t.Errorf("the help text of %s does not explain %s", page, f.name)
			}
		}
		for line := range strings.Lines(text) {
			if len(strings.TrimRight(line, "\n")) > docWidth && !strings.Contains(line, "{") {
				t.Errorf("%s: this line is too long: %s", page, line)
			}
		}
	}
	for _, name := range Types() {
		a := definitions[name].about
		if a.summary == "" || a.formula == "" || a.shape == "" {
			t.Errorf("%s lacks a part of its help text", name)
		}
		if Summary(name) != a.summary || !strings.HasPrefix(Doc(name), name+": ") {
			t.Errorf("%s: the summary is not shown", name)
		}
		check(name, definitions[name].fields)
	}
	check("fields", everyLayerFields)
	check("fields", paramBlockFields)
	for _, k := range fillerKinds {
		check("fillers", k.fields)
		if !strings.Contains(Doc("fillers"), k.name+": ") {
			t.Errorf("the filler %s is not explained", k.name)
		}
	}
	if Doc("relu") != "" || Summary("relu") != "" {
		t.Error("an unknown type has a help text")
	}
}

// TestExamples lowers the example of each help text.
func TestExamples(t *testing.T) {
	for _, name := range Types() {
		source := "net example\n" + definitions[name].about.example
		file, found := spec.Parse(name, []byte(source))
		net, more := spec.Expand(file, spec.Selection{Phase: "train"})
		found = append(found, more...)
		_, more = Lower(net, Options{Phase: "train", Batch: 2})
		if found = append(found, more...); len(found) > 0 {
			t.Errorf("the example of %s: %v", name, found)
		}
		if !strings.Contains(source, name+"(") {
			t.Errorf("the example of %s does not use it", name)
		}
	}
}

// TestDefaults checks that every default can be set and is within the field's
// own limits.
func TestDefaults(t *testing.T) {
	for _, name := range Types() {
		for _, f := range definitions[name].fields {
			if f.initial == "" {
				continue
			}
			if len(f.words) > 0 && !contains(f.words, f.initial) {
				t.Errorf("%s: the default %s of %s is not among its words", name, f.initial, f.name)
			}
			for _, word := range f.words {
				if word != strings.ToLower(word) {
					t.Errorf("%s: the word %s of %s is not in lower case", name, word, f.name)
				}
			}
		}
	}
}

func contains(list []string, word string) bool {
	for _, w := range list {
		if w == word {
			return true
		}
	}
	return false
}
