package spec

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"netc/spec/diag"
)

// ReadFile gives the content of a file.
type ReadFile func(path string) ([]byte, error)

// Load reads a .net file and everything it imports from the disk. The list
// holds every mistake of the syntax and of the imports. The file is never nil
// and may be given to Expand even then, to find the other mistakes too.
func Load(path string) (*File, diag.List) { return LoadFrom(os.ReadFile, path) }

// LoadFrom is Load with another way to read files.
func LoadFrom(read ReadFile, path string) (*File, diag.List) {
	l := loader{read: read, files: map[string]*File{}}
	source, err := read(path)
	if err != nil {
		l.found.Errorf(codeImport, diag.Span{Pos: diag.Pos{File: path}}, "%s", readProblem(err))
		return &File{Name: path, Imports: map[string]*File{}}, l.found
	}
	file := l.file(path, source)
	l.found.Sort()
	return file, l.found
}

// Sources gives the text of a file and of all it imports, for diag.Render.
func (f *File) Sources() diag.Sources {
	sources := diag.Sources{}
	f.addSources(sources)
	return sources
}

func (f *File) addSources(sources diag.Sources) {
	if _, done := sources[f.Name]; done {
		return
	}
	sources[f.Name] = f.Source
	for _, imported := range f.Imports {
		imported.addSources(sources)
	}
}

type loader struct {
	read   ReadFile
	files  map[string]*File // by path: a file imported twice is read once
	active []string         // the paths of the imports being followed
	found  diag.List
}

func (l *loader) file(path string, source []byte) *File {
	file, found := Parse(path, source)
	l.found = append(l.found, found...)
	file.Imports = map[string]*File{}
	l.files[path] = file
	l.active = append(l.active, path)
	for _, s := range file.Items {
		if node, ok := s.Node.(*Import); ok {
			l.follow(file, node)
		}
	}
	l.active = l.active[:len(l.active)-1]
	return file
}

func (l *loader) follow(from *File, node *Import) {
	path := filepath.FromSlash(node.Path)
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(from.Name), path)
	}
	if i := slices.Index(l.active, path); i >= 0 {
		chain := strings.Join(append(slices.Clone(l.active[i:]), path), " imports ")
		l.found.Errorf(codeImport, node.PathSpan, "this import closes a circle: %s", chain)
		return
	}
	if len(l.active) > maxNesting {
		l.found.Errorf(codeTooDeep, node.PathSpan, "imports are nested more than %d deep", maxNesting)
		return
	}
	imported := l.files[path]
	if imported == nil {
		source, err := l.read(path)
		if err != nil {
			l.found.Errorf(codeImport, node.PathSpan, "cannot import %s: %s", path, readProblem(err)).
				Helpf("the path counts from the folder of this file")
			return
		}
		imported = l.file(path, source)
	}
	from.Imports[node.Path] = imported
}

// readProblem words a read error without the path, which the message has.
func readProblem(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "there is no such file"
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
