package test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// TestOpenAPI asks a server for everything its document says can be got without
// more than an address.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	n := startNode(t, setup{})
	status, text := n.get("/openapi.json")
	var document struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ Required bool }
			Responses  map[string]any
		}
	}
	if err := json.Unmarshal([]byte(text), &document); err != nil || status != http.StatusOK {
		t.Fatalf("%d, %v", status, err)
	}
	asked := 0
	for path, methods := range document.Paths {
		get, ok := methods["get"]
		path = strings.ReplaceAll(path, "{service}", "api")
		if !ok || strings.Contains(path, "{") {
			continue
		}
		asked++
		if status, body := n.get(path); get.Responses[strconv.Itoa(status)] == nil {
			t.Errorf("%s answered %d %.100s, which is not described", path, status, body)
		}
	}
	if asked < 6 {
		t.Errorf("%d paths asked for", asked)
	}
}
