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
	h := sha256.New()
	for _, f := range files() {
		for _, name := range []string{f.name + ".yml", f.name + ".yaml"} {
			data, err := readLimited(filepath.Join(dir, name))
			if err != nil {
				if _, statErr := os.Lstat(filepath.Join(dir, name)); statErr == nil {
					data = []byte(err.Error()) // there, and not readable
				} else {
					data = []byte(fs.ErrNotExist.Error())
				}
			}
			sum := sha256.Sum256(data)
			h.Write(sum[:])
		}
	}
	return [FingerprintSize]byte(h.Sum(nil))
}
