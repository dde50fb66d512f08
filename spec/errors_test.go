package spec

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"netc/spec/diag"
)

// Each file in testdata/errors holds cases separated by lines of "---". A
// comment "# want: text" names a part of the message that its line must cause;
// ";;" separates several. Every message must be wanted, and every want must
// come.
func TestErrorFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/errors/*.net")
	if err != nil || len(files) == 0 {
		t.Fatal("no error files", err)
	}
	cases := 0
	for _, path := range files {
		for i, source := range splitCases(t, path) {
			t.Run(fmt.Sprintf("%s/%d", filepath.Base(path), i), func(t *testing.T) {
				found := everyMistake(path, source)
				cases += matchWants(t, source, found)
			})
		}
	}
	if cases < 100 {
		t.Errorf("only %d wanted messages were found in the error files", cases)
	}
}

func TestRunErrorFile(t *testing.T) {
	const path = "testdata/errors/run.toml"
	for i, source := range splitCases(t, path) {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			_, found := ParseRun(path, []byte(source), nil)
			matchWants(t, source, found)
		})
	}
}

// splitCases cuts a file at its separators. Each case keeps the line numbers
// of the whole file.
func splitCases(t testing.TB, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cases []string
	lines := 0
	for _, part := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n---\n") {
		cases = append(cases, strings.Repeat("\n", lines)+part)
		lines += strings.Count(part, "\n") + 2
	}
	return cases
}

// everyMistake reads a text and expands it for both phases.
func everyMistake(name, source string) diag.List {
	read := func(path string) ([]byte, error) {
		if path != name {
			return nil, fs.ErrNotExist
		}
		return []byte(source), nil
	}
	file, found := LoadFrom(read, name)
	for _, phase := range phases {
		_, more := Expand(file, Selection{Phase: phase})
		found = append(found, more...)
	}
	found.Sort()
	return found
}

// matchWants compares messages with the wants and gives the number of wants.
func matchWants(t *testing.T, source string, found diag.List) int {
	t.Helper()
	wants := map[int][]string{}
	count := 0
	for i, line := range strings.Split(source, "\n") {
		if _, text, ok := strings.Cut(line, "# want: "); ok {
			wants[i+1] = strings.Split(text, " ;; ")
			count += len(wants[i+1])
		}
	}
	for _, d := range found {
		line := d.Span.Line
		at := slices.IndexFunc(wants[line], func(want string) bool { return strings.Contains(d.Message, want) })
		if at < 0 {
			t.Errorf("unexpected: %s: %s", d.Span.Pos, d.Message)
			continue
		}
		wants[line] = slices.Delete(wants[line], at, at+1)
	}
	for line, rest := range wants {
		for _, want := range rest {
			t.Errorf("line %d: missing %q", line, want)
		}
	}
	return count
}

// Every code in codes.go is explained with a mistake and its cure, and nothing
// else is.
func TestCodesAreExplained(t *testing.T) {
	text, err := os.ReadFile("codes.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]bool{}
	for _, line := range strings.Split(string(text), "\n") {
		if fields := strings.Fields(line); len(fields) == 3 && fields[1] == "=" && strings.HasPrefix(fields[2], `"N`) {
			codes[strings.Trim(fields[2], `"`)] = true
		}
	}
	if len(codes) < 30 {
		t.Fatalf("found only %d codes in codes.go", len(codes))
	}
	for code := range codes {
		text := diag.Explanations[code]
		if !strings.Contains(text, "wrong:  ") || !strings.Contains(text, "right:  ") {
			t.Errorf("%s is not explained with a wrong and a right example", code)
		}
	}
	for code := range explanations {
		if !codes[code] {
			t.Errorf("%s is explained but no constant has it", code)
		}
	}
}

// The messages that matter most, as users see them.
func TestRenderedErrors(t *testing.T) {
	source := `net Five
data = input [1, 28, 28]
conv1 = Convolution(data) { num_output 20 }
conv2 = Convolution(conv1) { num_output: 20/0 }
relu2 = ReLU(cov2) {
loss = SoftmaxWithLoss(conv2, labl) @train
	tab = ReLU(los)
`
	want := `five.net:3:40: error: expected ":" after "num_output", but found "20"
    3 | conv1 = Convolution(data) { num_output 20 }
      |                                        ^^
 help: a field is written with a colon: num_output: 20

five.net:4:45: error: division by zero
    4 | conv2 = Convolution(conv1) { num_output: 20/0 }
      |                                             ^

five.net:5:21: error: expected "}", but the statement ends here
    5 | relu2 = ReLU(cov2) {
      |                     ^
 note: five.net:5:20: the "{" opened here is still open

five.net:6:31: error: unknown name "labl"
    6 | loss = SoftmaxWithLoss(conv2, labl) @train
      |                               ^^^^

five.net:7:13: error: unknown name "los"
    7 | 	tab = ReLU(los)
      | 	           ^^^
 help: did you mean "loss"?
`
	found := everyMistake("five.net", source)
	var got strings.Builder
	if err := diag.Render(&got, found, diag.Sources{"five.net": []byte(source)}); err != nil {
		t.Fatal(err)
	}
	if got.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", got.String(), want)
	}
}
