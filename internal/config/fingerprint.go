package config

import (
	"crypto/sha256"
	"io/fs"
	"os"
	"path/filepath"
)

// FingerprintSize is the size of a fingerprint in bytes.
const FingerprintSize = sha256.Size

// Fingerprint changes when a recognised file of dir appears, goes, or gets
// another content. It follows links, so the swap of a mounted ConfigMap shows.
func Fingerprint(dir string) [FingerprintSize]byte {
	var paths []string
	for _, f := range files() {
		paths = append(paths, filepath.Join(dir, f.name+".yml"), filepath.Join(dir, f.name+".yaml"))
	}
	return FingerprintFiles(paths...)
}

// FingerprintFiles is Fingerprint of the given files.
func FingerprintFiles(paths ...string) [FingerprintSize]byte {
	h := sha256.New()
	for _, path := range paths {
		data, err := readLimited(path)
		if err != nil {
			if _, statErr := os.Lstat(path); statErr == nil {
				data = []byte(err.Error()) // there, and not readable
			} else {
				data = []byte(fs.ErrNotExist.Error())
			}
		}
		sum := sha256.Sum256(data)
		h.Write(sum[:])
	}
	return [FingerprintSize]byte(h.Sum(nil))
}
