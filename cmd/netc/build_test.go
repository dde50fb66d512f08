package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// contents reads every file below a folder.
func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, folder)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestBuildFolder builds again and again into one folder.
func TestBuildFolder(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "tiny.net", tinyNet)
	write(t, folder, "tiny.toml", tinyRun)
	write(t, folder, "other.net", strings.Replace(tinyNet, "net Tiny", "net Other", 1))

	if o := done(t, folder, "build", "tiny.net"); !strings.Contains(o.stdout, "wrote build/tiny") {
		t.Errorf("the default folder: %s", o.stdout)
	}
	target := filepath.Join(folder, "build", "tiny")
	first := contents(t, target)
	done(t, folder, "build", "tiny.net", "-o", "twin")
	for _, other := range []string{target, filepath.Join(folder, "twin")} {
		done(t, folder, "build", "tiny.net", "-o", other)
		second := contents(t, other)
		if len(second) != len(first) {
			t.Errorf("%d files, then %d", len(first), len(second))
		}
		for name, text := range first {
			if second[name] != text {
				t.Errorf("%s differs between builds", name)
			}
		}
	}

	write(t, target, "mine.txt", "mine")
	done(t, folder, "build", "other.net", "-o", target)
	now := contents(t, target)
	if now["/mine.txt"] != "mine" || now["/tiny.go"] != "" || now["/other.go"] == "" {
		t.Error("a new build should replace netc's files and keep the user's")
	}

	write(t, target, "tiny.go", "package mine")
	o := command(t, folder, "", "build", "tiny.net", "-o", target)
	if o.code != 1 || !strings.Contains(o.stderr, "tiny.go") || contents(t, target)["/tiny.go"] != "package mine" {
		t.Errorf("a file in the way: exit code %d, %s", o.code, o.stderr)
	}

	foreign := filepath.Join(folder, "foreign")
	if err := os.Mkdir(foreign, 0o777); err != nil {
		t.Fatal(err)
	}
	done(t, folder, "build", "tiny.net", "-o", "foreign") // empty: fine
	if err := os.Remove(filepath.Join(foreign, manifestName)); err != nil {
		t.Fatal(err)
	}
	o = command(t, folder, "", "build", "tiny.net", "-o", "foreign")
	if o.code != 1 || o.stdout != "" || !strings.Contains(o.stderr, "netc did not write it") {
		t.Errorf("a foreign folder: exit code %d, %s", o.code, o.stderr)
	}
	if o := command(t, folder, "", "build", "tiny.net", "-o", "tiny.net"); o.code != 1 || !strings.Contains(o.stderr, "is a file") {
		t.Errorf("a file as folder: exit code %d, %s", o.code, o.stderr)
	}
	for _, pattern := range []string{"*", "build/*"} {
		left, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range left {
			if strings.HasPrefix(filepath.Base(path), ".") {
				t.Errorf("%s is left behind", path)
			}
		}
	}
}

// TestUnwritableFolder leaves nothing where nothing can be written.
func TestUnwritableFolder(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "tiny.net", tinyNet)
	write(t, folder, "file", "")
	o := command(t, folder, "", "build", "tiny.net", "-o", "file/below")
	if o.code != 1 || !strings.HasPrefix(o.stderr, "error: ") {
		t.Errorf("exit code %d, %s", o.code, o.stderr)
	}
}

// TestBuildCUDA: a program for a GPU has its kernels, those in plain Go, and none
// of the processor's vector kernels.
func TestBuildCUDA(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "tiny.net", tinyNet)
	write(t, folder, "tiny.toml", tinyRun)
	done(t, folder, "build", "tiny.net", "--device", "cuda", "-o", "gpu")
	files := contents(t, filepath.Join(folder, "gpu"))
	for _, name := range []string{"/tiny.cu", "/cuda.go", "/train.go"} {
		if files[name] == "" {
			t.Errorf("there is no %s", name)
		}
	}
	for name := range files {
		if !strings.HasPrefix(name, "/runtime/") && strings.Contains(name, "avx") {
			t.Errorf("there is %s", name)
		}
	}
}
