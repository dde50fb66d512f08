// Package data is netc's side of data sets: downloading, drawing, describing
// and showing them. Programs read them with package runtime.
package data

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"netc/runtime"
)

// download is a data set that can be fetched: its files, and the addresses of
// folders that hold all of them, in the order in which they are tried.
type download struct {
	name    string
	note    string
	mirrors []string
	files   []remoteFile
}

// remoteFile is one file of a download. The checksum makes every mirror as
// good as the publisher.
type remoteFile struct {
	name   string
	bytes  int64
	sha256 string
}

var downloads = []download{
	{
		name: "mnist",
		note: "handwritten digits, Y. LeCun and C. Cortes, CC BY-SA 3.0",
		mirrors: []string{
			"https://storage.googleapis.com/cvdf-datasets/mnist/",
			"https://ossci-datasets.s3.amazonaws.com/mnist/",
		},
		files: []remoteFile{
			{"train-images-idx3-ubyte.gz", 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
			{"train-labels-idx1-ubyte.gz", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
			{"t10k-images-idx3-ubyte.gz", 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
			{"t10k-labels-idx1-ubyte.gz", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"},
		},
	},
	{
		name: "fashion-mnist",
		note: "pictures of clothes, Zalando Research, MIT licence",
		mirrors: []string{
			"https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
			"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
		},
		files: []remoteFile{
			{"train-images-idx3-ubyte.gz", 26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"},
			{"train-labels-idx1-ubyte.gz", 29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"},
			{"t10k-images-idx3-ubyte.gz", 4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"},
			{"t10k-labels-idx1-ubyte.gz", 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"},
		},
	},
}

// Downloadable are the names that Get knows.
func Downloadable() []string {
	var names []string
	for _, d := range downloads {
		names = append(names, d.name)
	}
	return names
}

// Folder is where Get and GenerateDigits put a data set when nobody says: the
// user's cache, where runtime.Open finds it.
func Folder(name string) (string, error) {
	folders := runtime.DataFolders(name)
	if _, err := os.UserCacheDir(); err != nil {
		return "", fmt.Errorf("no cache folder: %w; name a folder with --out DIR", err)
	}
	return folders[len(folders)-1], nil
}

// Get downloads a data set into a folder, "" for Folder(name), and returns the
// folder. Every file is checked against its SHA-256. The folder appears only
// when all are there; what an interrupted download had fetched is kept beside
// it for the next one. A folder that is complete already is left as it is.
func Get(ctx context.Context, name, folder string, progress io.Writer) (string, error) {
	at := slices.IndexFunc(downloads, func(d download) bool { return d.name == name })
	if at < 0 {
		return "", fmt.Errorf("no download is known for %q: there are %s, and \"netc data gen digits\" draws a set", name, strings.Join(Downloadable(), " and "))
	}
	if folder == "" {
		var err error
		if folder, err = Folder(name); err != nil {
			return "", err
		}
	}
	return folder, downloads[at].get(ctx, folder, progress)
}

func (d download) get(ctx context.Context, folder string, progress io.Writer) error {
	if d.isComplete(folder) {
		fmt.Fprintf(progress, "%s is already in %s\n", d.name, folder)
		return nil
	}
	partial := folder + ".partial"
	if err := os.MkdirAll(partial, 0o777); err != nil {
		return err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = 30 * time.Second
	client := &http.Client{Transport: transport}
	defer transport.CloseIdleConnections()
	for _, file := range d.files {
		if err := d.fetch(ctx, client, file, partial, progress); err != nil {
			return err
		}
	}
	if err := writeDescription(partial, runtime.Description{Name: d.name, Note: d.note}); err != nil {
		return err
	}
	return moveInto(folder, partial)
}

// isComplete tells whether a folder holds every file with the right checksum.
func (d download) isComplete(folder string) bool {
	for _, file := range d.files {
		if !file.isAt(filepath.Join(folder, file.name)) {
			return false
		}
	}
	return true
}

func (f remoteFile) isAt(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, file)
	return err == nil && hex.EncodeToString(sum.Sum(nil)) == f.sha256
}

// fetch gets one file from the first mirror that gives the right content.
func (d download) fetch(ctx context.Context, client *http.Client, file remoteFile, folder string, progress io.Writer) error {
	path := filepath.Join(folder, file.name)
	if file.isAt(path) {
		return nil
	}
	var failures []error
	for _, mirror := range d.mirrors {
		address := mirror + file.name
		fmt.Fprintf(progress, "%s  %s  %.1f MB from %s\n", d.name, file.name, float64(file.bytes)/1e6, host(address))
		err := file.fetch(ctx, client, address, path)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fmt.Fprintf(progress, "%s  %v\n", d.name, err)
		failures = append(failures, err)
	}
	return fmt.Errorf("cannot download %s:\n%w\nWithout a network, put the four files (%s, …) into a folder and name it with --data DIR; \"netc data gen digits\" draws digits offline, for --data digits",
		d.name, errors.Join(failures...), file.name)
}

// fetch writes an address's content to path, if it is the file's.
func (f remoteFile) fetch(ctx context.Context, client *http.Client, address, path string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: the server answers %s", address, response.Status)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(file, sum), io.LimitReader(response.Body, f.bytes+1))
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	switch {
	case err != nil:
		err = fmt.Errorf("%s: broken off after %d of %d bytes: %w", address, n, f.bytes, err)
	case hex.EncodeToString(sum.Sum(nil)) != f.sha256:
		err = fmt.Errorf("%s: not the published file, its SHA-256 is another (%d bytes, %d expected)", address, n, f.bytes)
	}
	if err != nil {
		os.Remove(path)
	}
	return err
}

func host(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return address
	}
	return parsed.Host
}

// writeDescription writes a folder's dataset.json.
func writeDescription(folder string, description runtime.Description) error {
	text, err := json.MarshalIndent(description, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "dataset.json"), append(text, '\n'), 0o666)
}

// moveInto makes a finished temporary folder the folder. Where that exists
// already, the files move into it one by one, and nothing else in it is
// touched.
func moveInto(folder, temporary string) error {
	if err := os.Rename(temporary, folder); err == nil {
		return nil
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	entries, err := os.ReadDir(temporary)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := os.Rename(filepath.Join(temporary, entry.Name()), filepath.Join(folder, entry.Name())); err != nil {
			return err
		}
	}
	return os.Remove(temporary)
}
