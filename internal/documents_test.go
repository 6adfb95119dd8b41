package internal_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documents are the Markdown files of the repository.
func documents(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "vendor", "node_modules", "bin", "dist", "parley-data"}, d.Name()):
			return fs.SkipDir
		case filepath.Ext(name) == ".md":
			found = append(found, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 20 {
		t.Errorf("only %d documents were found", len(found))
	}
	return found
}

var (
	link        = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading     = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	placeholder = regexp.MustCompile(`<[^<>\n]*>`)
	fenced      = regexp.MustCompile("(?ms)^```.*?^```$")
)

// Links between documents lead to files and headings that are there.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	for _, name := range documents(t) {
		text := fenced.ReplaceAllString(read(t, name), "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			file, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(file, "://") || strings.HasPrefix(file, "mailto:") {
				continue
			}
			target := name
			if file != "" {
				target = filepath.Join(filepath.Dir(name), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if anchor != "" && filepath.Ext(target) == ".md" && !slices.Contains(anchors(read(t, target)), anchor) {
				t.Errorf("%s: %s has no heading #%s", name, target, anchor)
			}
		}
	}
}

// anchors are the names of a document's headings in links.
func anchors(text string) []string {
	var names []string
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		name := strings.ToLower(strings.NewReplacer("`", "", "*", "").Replace(m[1]))
		name = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(name, "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

// A document in two languages has the same commands and the same headings in both.
func TestLanguagesAreInStep(t *testing.T) {
	t.Parallel()
	pairs := 0
	for _, chinese := range documents(t) {
		english, ok := strings.CutSuffix(chinese, ".zh-CN.md")
		if !ok {
			continue
		}
		english += ".md"
		pairs++
		if a, b := commands(read(t, english)), commands(read(t, chinese)); !slices.Equal(a, b) {
			for i := range max(len(a), len(b)) {
				if i >= len(a) || i >= len(b) || a[i] != b[i] {
					t.Errorf("%s and %s differ from %q, %q on", english, chinese, a[min(i, len(a)):min(i+1, len(a))], b[min(i, len(b)):min(i+1, len(b))])
					break
				}
			}
		}
		a, b := len(heading.FindAllString(fenced.ReplaceAllString(read(t, english), ""), -1)), len(heading.FindAllString(fenced.ReplaceAllString(read(t, chinese), ""), -1))
		if a != b {
			t.Errorf("%s has %d headings, %s %d", english, a, chinese, b)
		}
	}
	if pairs < 3 {
		t.Errorf("only %d documents are in two languages", pairs)
	}
}

// commands are the lines of code in a document, without comments, blanks and what
// stands for something else.
func commands(text string) []string {
	var lines []string
	for _, block := range fenced.FindAllString(text, -1) {
		block = placeholder.ReplaceAllString(block, "<>")
		for line := range strings.Lines(block) {
			line, _, _ = strings.Cut(line, " #")
			line, _, _ = strings.Cut(line, " //")
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "//") {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
