// Package atomicfile writes a file so that a reader sees either its complete
// old content or its complete new content, even if the process is killed or the
// machine loses power. The bytes go to a hidden temporary file in the same
// folder, which is synced and then renamed over the target.
package atomicfile

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// tmp is between the name of a file and the digits in the name of its temporary file.
const tmp = ".tmp"

// Write creates or replaces the file at path with the output of write, whose writer is
// buffered. If write fails, its error is returned and path does not change. A symbolic link
// at path is replaced, not followed. The file gets mode 0644; its folder must exist. Two
// writers of one path at the same time do not disturb each other: the last rename wins.
func Write(path string, write func(io.Writer) error) (err error) {
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	// Because of the leading dot, patterns such as *.json do not match the file
	// that a killed process leaves.
	f, err := temporary(dir, "."+base+tmp+"*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		defer forget(f.Name())
		if err != nil {
			f.Close() // a second Close is harmless
			os.Remove(f.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if err := f.Chmod(0o644); err != nil { // CreateTemp makes it 0600
		return err
	}
	w := bufio.NewWriterSize(f, 1<<16)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// unfinished are the temporary files of the writes in progress.
var (
	mu         sync.Mutex
	unfinished = map[string]bool{}
)

func temporary(dir, pattern string) (*os.File, error) {
	mu.Lock()
	defer mu.Unlock()
	f, err := os.CreateTemp(dir, pattern)
	if err == nil {
		unfinished[f.Name()] = true
	}
	return f, err
}

func forget(name string) {
	mu.Lock()
	defer mu.Unlock()
	delete(unfinished, name)
}

// Abandon removes the temporary files of the writes in progress, for a process that
// ends without waiting for them. No write begins after it.
func Abandon() {
	mu.Lock() // never unlocked
	for name := range unfinished {
		os.Remove(name)
	}
}

// Update writes content to the file. A file that already has this content is
// not changed and keeps its time stamp.
func Update(path string, content []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
		return nil
	}
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// syncDir makes the rename itself durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
