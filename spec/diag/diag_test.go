package diag

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func at(line, column, length int) Span {
	return Span{Pos: Pos{File: "a.net", Line: line, Column: column}, Length: length}
}

func TestListSorts(t *testing.T) {
	var l List
	l.Errorf("N002", at(2, 1, 1), "fourth")
	l.Warnf("N001", at(1, 5, 1), "third")
	l.Errorf("N001", at(1, 1, 1), "first").Note(at(9, 9, 0).Pos, "kept")
	l.Errorf("N001", at(1, 5, 1), "second")
	l.Errorf("N001", at(1, 1, 1), "first")
	l.Errorf("N001", at(1, 1, 2), "first") // another length is another place
	l.Add(Diagnostic{Code: "N210", Message: "no place"})
	l.Sort()
	var got []string
	for _, d := range l {
		got = append(got, d.Message)
	}
	if want := "no place,first,first,second,third,fourth"; strings.Join(got, ",") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if len(l[1].Notes) != 1 {
		t.Error("of two equal messages the first must stay")
	}
	if l.Errors() != 5 {
		t.Errorf("got %d errors, want 5 of 6 messages", l.Errors())
	}
}

func TestNearest(t *testing.T) {
	cases := []struct {
		word       string
		candidates string
		want       string
	}{
		{"num_ouput", "num_input num_output", "num_output"}, // a letter missing
		{"kernel_sizee", "kernel_size stride", "kernel_size"},
		{"tset", "train test", "test"}, // neighbours swapped
		{"relu", "Sigmoid ReLU", "ReLU"},
		{"xyz", "abc def", ""},
		{"n", "m x y", ""},
		{"ab", "ac", ""},
		{"same", "same", ""},
		{"stride", "strode strive", "strode"}, // the first of equals
		{"strie", "strive stride strie2", "strive"},
		{"", "a", ""},
		{strings.Repeat("a", 1000), strings.Repeat("a", 999), ""},
	}
	for _, c := range cases {
		if got := Nearest(c.word, strings.Fields(c.candidates)); got != c.want {
			t.Errorf("%q: got %q, want %q", c.word, got, c.want)
		}
	}
}

func TestRender(t *testing.T) {
	source := "net A\n\tconv = F(x)\r\nlast\x1b[31m é x"
	long := strings.Repeat("a", 300) + "BAD" + strings.Repeat("b", 300)
	sources := Sources{"a.net": []byte(source), "long.net": []byte(long), "bom.net": []byte("\uFEFFnet A")}
	cases := []struct {
		name string
		d    Diagnostic
		want string
	}{
		{
			"caret, notes and help",
			Diagnostic{
				Span: at(1, 5, 1), Message: "wrong name", Help: "choose another",
				Notes: []Note{{at(2, 2, 0).Pos, "used here"}, {Pos{}, "nowhere"}},
			},
			"a.net:1:5: error: wrong name\n    1 | net A\n      |     ^\n note: a.net:2:2: used here\n note: nowhere\n help: choose another\n",
		},
		{
			"a tab stays a tab",
			Diagnostic{Severity: Warning, Span: at(2, 9, 4), Message: "m"},
			"a.net:2:9: warning: m\n    2 | \tconv = F(x)\n      | \t       ^^^^\n",
		},
		{
			"past the end of the line",
			Diagnostic{Span: at(1, 6, 9), Message: "m"},
			"a.net:1:6: error: m\n    1 | net A\n      |      ^\n",
		},
		{
			"control characters are harmless, columns count characters",
			Diagnostic{Span: at(3, 13, 1), Message: "bad \x1b"},
			"a.net:3:13: error: bad \uFFFD\n    3 | last\uFFFD[31m é x\n      |             ^\n",
		},
		{"no such line", Diagnostic{Span: at(9, 1, 1), Message: "m"}, "a.net:9:1: error: m\n"},
		{"no place", Diagnostic{Message: "m"}, "error: m\n"},
		{"a file only", Diagnostic{Span: Span{Pos: Pos{File: "b.net"}}, Message: "m"}, "b.net: error: m\n"},
		{
			"a byte order mark has no column",
			Diagnostic{Span: Span{Pos: Pos{"bom.net", 1, 5}, Length: 1}, Message: "m"},
			"bom.net:1:5: error: m\n    1 | net A\n      |     ^\n",
		},
		{
			"a long line is cut",
			Diagnostic{Span: Span{Pos: Pos{"long.net", 1, 301}, Length: 3}, Message: "m"},
			"long.net:1:301: error: m\n    1 | …" + strings.Repeat("a", 52) + "BAD" + strings.Repeat("b", 103) + "…\n" +
				"      | " + strings.Repeat(" ", 53) + "^^^\n",
		},
	}
	var all List
	var want []string
	for _, c := range cases {
		var got strings.Builder
		if err := Render(&got, List{c.d}, sources); err != nil {
			t.Fatal(err)
		}
		if got.String() != c.want {
			t.Errorf("%s: got\n%q, want\n%q", c.name, got.String(), c.want)
		}
		all.Add(c.d)
		want = append(want, c.want)
	}
	var got strings.Builder
	if err := Render(&got, all, sources); err != nil || got.String() != strings.Join(want, "\n") {
		t.Errorf("messages are not separated by one empty line: %v\n%s", err, got.String())
	}

	var colored strings.Builder
	if err := RenderColor(&colored, all, sources); err != nil {
		t.Fatal(err)
	}
	plain := colored.String()
	for _, code := range []string{errorColor, warningColor, gutterColor, helpColor} {
		if !strings.Contains(plain, "\x1b["+code+"m") {
			t.Errorf("colour %s is not used", code)
		}
		plain = strings.ReplaceAll(plain, "\x1b["+code+"m", "")
	}
	if plain = strings.ReplaceAll(plain, "\x1b[0m", ""); plain != got.String() {
		t.Error("colours change more than colours")
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestRenderReportsWriteErrors(t *testing.T) {
	if err := Render(brokenWriter{}, List{{Message: "m"}}, nil); err == nil {
		t.Error("got no error")
	}
}

func TestRecords(t *testing.T) {
	var l List
	l.Errorf("N010", at(3, 4, 5), "m").Helpf("h")
	text, err := json.Marshal(l.Records())
	want := `[{"file":"a.net","line":3,"column":4,"severity":"error","code":"N010","message":"m","help":"h"}]`
	if err != nil || string(text) != want {
		t.Errorf("got %s, %v", text, err)
	}
	if text, _ := json.Marshal(List(nil).Records()); string(text) != "[]" {
		t.Errorf("an empty list gives %s", text)
	}
}

func TestExplainRefusesATakenCode(t *testing.T) {
	Explain("N999", "text")
	defer delete(Explanations, "N999")
	defer func() {
		if recover() == nil {
			t.Error("the second text was taken")
		}
	}()
	Explain("N999", "other text")
}
