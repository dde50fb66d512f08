package runtime

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
)

// writeAtomically writes a file so that at every moment, whatever is killed or
// loses power, the path holds the old content or the new and nothing between:
// a temporary file beside it, flushed to the disk, is renamed over it. A
// temporary file left behind by a kill is overwritten by the next write.
func writeAtomically(path string, write func(w *bufio.Writer) error) error {
	temporary := path + ".partial"
	file, err := os.Create(temporary)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(file, 1<<16)
	err = write(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		os.Remove(temporary)
		return fmt.Errorf("writing %s: %w", path, err)
	}
	// The rename itself reaches the disk with the folder. Not every file system
	// can flush a folder, and the content is safe either way.
	if folder, err := os.Open(filepath.Dir(path)); err == nil {
		folder.Sync()
		folder.Close()
	}
	return nil
}
