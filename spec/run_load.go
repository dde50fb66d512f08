package spec

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"netc/spec/diag"

	"github.com/BurntSushi/toml"
)

// LoadRun reads a run file and applies the values of --set flags, each written
// table.key=value, over it. path "" stands for an empty file. The list holds
// every mistake; those of the flags have the code CodeSet. The run is never
// nil: keys that are wrong keep their defaults.
func LoadRun(path string, sets []string) (*Run, diag.List) {
	if path == "" {
		return ParseRun("", nil, sets)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		var found diag.List
		found.Errorf(codeRunRead, diag.Span{Pos: diag.Pos{File: path}}, "%s", readProblem(err))
		return DefaultRun(), found
	}
	return ParseRun(path, source, sets)
}

// ParseRun is LoadRun on a text that was read already.
func ParseRun(name string, source []byte, sets []string) (*Run, diag.List) {
	l := runLoader{run: DefaultRun(), origins: map[string]origin{}}
	l.run.File, l.run.Source = name, source
	l.settings = settingsOf(l.run)
	l.readFile(name, source)
	for _, set := range sets {
		l.readFlag(set)
	}
	l.resolveLength()
	l.checkRanges()
	l.checkNeeds()
	l.found.Sort()
	return l.run, l.found
}

type runLoader struct {
	run      *Run
	settings []setting
	places   map[string]tomlPlace
	origins  map[string]origin // of the keys that are set
	found    diag.List
}

// setting is one key of the run file and the field that takes its value.
type setting struct {
	key   string // "solver.lr"
	field reflect.Value
	tag   reflect.StructTag
}

// origin is where a key got its value.
type origin struct {
	at   diag.Span // in the file
	flag string    // or the flag, "solver.lr=0.1"
}

// settingsOf lists the keys of the four fixed tables.
func settingsOf(run *Run) []setting {
	var list []setting
	tables := reflect.ValueOf(run).Elem()
	for i := range tables.NumField() {
		table := tables.Type().Field(i).Tag.Get("toml")
		if table == "" {
			continue
		}
		fields := tables.Field(i)
		for j := range fields.NumField() {
			tag := fields.Type().Field(j).Tag
			list = append(list, setting{key: table + "." + tag.Get("toml"), field: fields.Field(j), tag: tag})
		}
	}
	return list
}

func (l *runLoader) setting(key string) *setting {
	i := slices.IndexFunc(l.settings, func(s setting) bool { return s.key == key })
	if i < 0 {
		return nil
	}
	return &l.settings[i]
}

// tables and keys are the candidates for corrections.
func (l *runLoader) tables() []string {
	list := []string{"expect"}
	for _, s := range l.settings {
		table, _, _ := strings.Cut(s.key, ".")
		if !slices.Contains(list, table) {
			list = append(list, table)
		}
	}
	return list
}

func (l *runLoader) keys() []string {
	list := make([]string, len(l.settings))
	for i, s := range l.settings {
		list[i] = s.key
	}
	return list
}

func (l *runLoader) readFile(name string, source []byte) {
	document := map[string]any{}
	meta, err := toml.Decode(string(source), &document)
	if err != nil {
		l.reportSyntax(name, source, err)
		return
	}
	l.places = findTOMLPlaces(name, source)
	for _, key := range meta.Keys() {
		path := strings.Join(key, ".")
		value := valueAt(document, key)
		_, isTable := value.(map[string]any)
		switch {
		case key[0] == "expect":
			if !isTable && len(key) > 1 {
				l.expect(strings.Join(key[1:], "."), value, l.keySpan(path), "")
			}
		case !slices.Contains(l.tables(), key[0]):
			if len(key) == 1 {
				l.reportTable(key[0], isTable)
			}
		case len(key) == 1 && !isTable:
			l.found.Errorf(codeRunType, l.valueSpan(path), "%q is a table, not a value", path).
				Helpf("its keys follow the line [%s]", path)
		case len(key) > 1 && reflect.TypeOf(document[key[0]]) == reflect.TypeOf(document):
			l.readKey(path, value)
		}
	}
}

// valueAt follows a key into a document. Tables in arrays have no one value:
// nil.
func valueAt(document map[string]any, key toml.Key) any {
	var value any = document
	for _, part := range key {
		table, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = table[part]
	}
	return value
}

func (l *runLoader) keySpan(path string) diag.Span {
	if p, ok := l.places[path]; ok {
		return p.key
	}
	return diag.Span{Pos: diag.Pos{File: l.run.File}}
}

func (l *runLoader) valueSpan(path string) diag.Span {
	if p, ok := l.places[path]; ok && p.value.IsValid() {
		return p.value
	}
	return l.keySpan(path)
}

func (l *runLoader) reportTable(name string, isTable bool) {
	if isTable {
		d := l.found.Errorf(codeRunKey, l.keySpan(name), "unknown table [%s]", name)
		if near := diag.Nearest(name, l.tables()); near != "" {
			d.Helpf("did you mean [%s]?", near)
		} else {
			d.Helpf("the tables are %s", inBracketsEach(l.tables()))
		}
		return
	}
	d := l.found.Errorf(codeRunKey, l.keySpan(name), "the key %q stands in no table", name)
	for _, s := range l.settings {
		if table, key, _ := strings.Cut(s.key, "."); key == name {
			d.Helpf("it belongs below the line [%s]", table)
			return
		}
	}
}

func inBracketsEach(tables []string) string {
	return "[" + strings.Join(tables, "] [") + "]"
}

func (l *runLoader) readKey(path string, value any) {
	s := l.setting(path)
	if s == nil {
		// A key inside an unknown key, or inside a value, was reported with it.
		if strings.Count(path, ".") == 1 {
			l.reportKey(path)
		}
		return
	}
	if problem := assign(s.field, value); problem != "" {
		l.found.Errorf(codeRunType, l.valueSpan(path), "%s must be %s", path, problem)
		return
	}
	l.origins[path] = origin{at: l.valueSpan(path)}
}

// reportKey suggests a key of the same table, else one of another table.
func (l *runLoader) reportKey(path string) {
	table, name, _ := strings.Cut(path, ".")
	d := l.found.Errorf(codeRunKey, l.keySpan(path), "[%s] has no key %q", table, name)
	d.Help = l.suggest(table, name)
}

// renamed are the keys of Caffe's solver files that have another name here.
var renamed = map[string]string{
	"base_lr": "solver.lr", "max_iter": "train.iterations", "test_iter": "test.iterations",
	"test_interval": "test.interval", "regularization_type": "solver.regularization",
	"batch_size": "train.batch", "learning_rate": "solver.lr", "mean": "data.mean_value",
}

func (l *runLoader) suggest(table, name string) string {
	var same []string
	for _, s := range l.settings {
		in, key, _ := strings.Cut(s.key, ".")
		if in == table {
			same = append(same, key)
		}
		if in != table && key == name {
			return fmt.Sprintf("did you mean %s?", s.key)
		}
	}
	if near := diag.Nearest(name, same); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if key := renamed[name]; key != "" {
		return fmt.Sprintf("did you mean %s?", key)
	}
	return "its keys are " + strings.Join(same, ", ")
}

// reportSyntax finds the place of a TOML mistake. The library counts a line
// that breaks off as the next one.
func (l *runLoader) reportSyntax(name string, source []byte, err error) {
	var parse toml.ParseError
	if !errors.As(err, &parse) {
		l.found.Errorf(codeRunSyntax, diag.Span{Pos: diag.Pos{File: name}}, "%s", strings.TrimPrefix(err.Error(), "toml: "))
		return
	}
	offset := min(max(parse.Position.Start, 0), len(source))
	if offset > 0 && source[offset-1] == '\n' && strings.Contains(parse.Message, "newline") {
		offset--
	}
	before := string(source[:offset])
	line := before[strings.LastIndexByte(before, '\n')+1:]
	at := diag.Pos{File: name, Line: 1 + strings.Count(before, "\n"), Column: 1 + utf8.RuneCountInString(line)}
	d := l.found.Errorf(codeRunSyntax, diag.Span{Pos: at, Length: 1}, "%s", lowerFirst(parse.Message))
	if strings.Contains(parse.Message, "expected value but found") {
		d.Helpf(`text stands in quotes, as in source = "mnist"`)
	}
}

func lowerFirst(text string) string {
	return strings.ToLower(text[:min(1, len(text))]) + text[min(1, len(text)):]
}

// readFlag applies "table.key=value".
func (l *runLoader) readFlag(set string) {
	key, text, ok := strings.Cut(set, "=")
	key, text = strings.TrimSpace(key), strings.TrimSpace(text)
	fail := func(format string, args ...any) *diag.Diagnostic {
		return l.found.Errorf(CodeSet, diag.Span{}, "--set %s: %s", set, fmt.Sprintf(format, args...))
	}
	if !ok || key == "" {
		fail("expected table.key=value").Helpf("--set solver.lr=0.05")
		return
	}
	if name, isExpect := strings.CutPrefix(key, "expect."); isExpect {
		l.expect(name, flagValue(text, true), diag.Span{}, set)
		return
	}
	s := l.setting(key)
	if s == nil {
		d := fail("there is no key %q", key)
		table, name, _ := strings.Cut(key, ".")
		switch near := diag.Nearest(key, l.keys()); {
		case near != "":
			d.Helpf("did you mean %q?", near)
		case slices.Contains(l.tables(), table) && name != "":
			d.Help = l.suggest(table, name)
		default:
			for _, s := range l.settings {
				if strings.HasSuffix(s.key, "."+key) {
					d.Helpf("did you mean %q?", s.key)
					break
				}
			}
		}
		return
	}
	if problem := assign(s.field, flagValue(text, s.field.Kind() == reflect.String)); problem != "" {
		fail("%s must be %s", key, problem)
		return
	}
	l.origins[key] = origin{flag: set}
}

// flagValue reads a flag's value as TOML, and as plain text where it is not.
func flagValue(text string, wantsText bool) any {
	if wantsText && !strings.HasPrefix(text, `"`) && !strings.HasPrefix(text, `'`) {
		return text
	}
	var document map[string]any
	if _, err := toml.Decode("value = "+text, &document); err != nil || len(document) != 1 {
		return text
	}
	return document["value"]
}
