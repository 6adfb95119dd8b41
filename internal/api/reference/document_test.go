package reference

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write docs/openapi.json anew")

// TestDocs keeps docs/openapi.json equal to the code.
func TestDocs(t *testing.T) {
	t.Parallel()
	const path = "../../../docs/openapi.json"
	document, err := Document("../../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(path); err != nil || !bytes.Equal(have, text) {
		t.Errorf("%s is not what the code says (%v); run: go test ./internal/api/reference -update", path, err)
	}
}
