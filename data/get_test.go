package data

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"netc/runtime"
)

// served is a data set of two files on two test servers, whose handlers a test
// may replace.
func served(t *testing.T, first, second http.HandlerFunc) download {
	t.Helper()
	d := download{name: "tiny", note: "for tests"}
	for name, content := range contents {
		sum := sha256.Sum256([]byte(content))
		d.files = append(d.files, remoteFile{name, int64(len(content)), hex.EncodeToString(sum[:])})
	}
	for _, handler := range []http.HandlerFunc{first, second} {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		d.mirrors = append(d.mirrors, server.URL+"/")
	}
	return d
}

var contents = map[string]string{"a.gz": "the first file", "b.gz": "the second file"}

func good(w http.ResponseWriter, r *http.Request) {
	w.Write([]byte(contents[strings.TrimPrefix(r.URL.Path, "/")]))
}

func gone(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }

func changed(w http.ResponseWriter, r *http.Request) { w.Write([]byte("something else")) }

func cut(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "100")
	w.Write([]byte("the fir"))
}

func endless(w http.ResponseWriter, r *http.Request) {
	for range 1000 {
		w.Write(make([]byte, 1000))
	}
}

func TestGet(t *testing.T) {
	for name, c := range map[string]struct {
		first, second http.HandlerFunc
		want          string // of the error, "" for success
	}{
		"first mirror":     {good, gone, ""},
		"second mirror":    {gone, good, ""},
		"after a bad file": {changed, good, ""},
		"after a cut file": {cut, good, ""},
		"too long a file":  {endless, good, ""},
		"none":             {gone, gone, "404"},
		"bad checksums":    {changed, changed, "its SHA-256 is another"},
		"cut files":        {cut, cut, "broken off"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "cache", "tiny")
			var progress bytes.Buffer
			d := served(t, c.first, c.second)
			err := d.get(t.Context(), folder, &progress)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "Without a network") {
					t.Errorf("error %v, want one with %q", err, c.want)
				}
				if _, err := os.Stat(folder); err == nil {
					t.Error("a failed download leaves the folder")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range contents {
				if content, err := os.ReadFile(filepath.Join(folder, name)); string(content) != want {
					t.Errorf("%s holds %q, %v", name, content, err)
				}
			}
			if text, _ := os.ReadFile(filepath.Join(folder, "dataset.json")); !strings.Contains(string(text), `"name": "tiny"`) {
				t.Errorf("dataset.json: %s", text)
			}
			if _, err := os.Stat(folder + ".partial"); err == nil {
				t.Error("the temporary folder stays")
			}
			progress.Reset()
			if err := d.get(t.Context(), folder, &progress); err != nil || !strings.Contains(progress.String(), "already in") {
				t.Errorf("getting again: %v, %q", err, progress.String())
			}
		})
	}
}

func TestGetRepairsAFolderAndKeepsTheRest(t *testing.T) {
	folder := t.TempDir()
	for name, content := range map[string]string{"a.gz": "damaged", "mine.txt": "keep"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	d := served(t, good, good)
	if err := d.get(t.Context(), folder, &bytes.Buffer{}); err != nil || !d.isComplete(folder) {
		t.Errorf("repairing: %v", err)
	}
	if content, _ := os.ReadFile(filepath.Join(folder, "mine.txt")); string(content) != "keep" {
		t.Error("another file is gone")
	}
}

func TestGetStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d := served(t, func(http.ResponseWriter, *http.Request) { cancel() }, good)
	if err := d.get(ctx, filepath.Join(t.TempDir(), "x"), &bytes.Buffer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := Get(t.Context(), "mnits", "", &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "mnist and fashion-mnist") {
		t.Errorf("an unknown name: %v", err)
	}
}

// The real files judge the published checksums.
func TestChecksumsOfRealFiles(t *testing.T) {
	for _, d := range downloads {
		folder := realData(t, d.name)
		if !d.isComplete(folder) {
			t.Errorf("%s: the checksums do not fit the files in %s", d.name, folder)
		}
		for _, file := range d.files {
			if info, err := os.Stat(filepath.Join(folder, file.name)); err != nil || info.Size() != file.bytes {
				t.Errorf("%s %s: %d bytes expected", d.name, file.name, file.bytes)
			}
		}
	}
}

// realData finds the folder of real data sets, or skips.
func realData(t *testing.T, name string) string {
	t.Helper()
	for _, root := range []string{os.Getenv("NETC_DATA"), "../../shared/data"} {
		folder := filepath.Join(root, name)
		if _, err := runtime.Open(folder); root != "" && err == nil {
			return folder
		}
	}
	t.Skipf("%s is not here: set NETC_DATA to the folder that holds it", name)
	return ""
}
