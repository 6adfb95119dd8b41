package console

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/template/parse"
	"unicode"
)

func TestCatalogue(t *testing.T) {
	for key, texts := range catalogue {
		if len(texts) != len(languages) {
			t.Errorf("%s has %d texts, want %d", key, len(texts), len(languages))
			continue
		}
		for i, text := range texts {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s is empty in %s", key, languages[i])
			}
			if strings.Count(text, "%") != strings.Count(texts[0], "%") {
				t.Errorf("%s takes other arguments in %s", key, languages[i])
			}
		}
	}
	seen := map[string]bool{}
	keys := regexp.MustCompile(`^\s*"([^"]+)":`)
	lines := bufio.NewScanner(bytes.NewReader(catalogueFile))
	for lines.Scan() {
		if m := keys.FindStringSubmatch(lines.Text()); m != nil {
			if seen[m[1]] {
				t.Errorf("%s is there twice", m[1])
			}
			seen[m[1]] = true
		}
	}
	if len(seen) != len(catalogue) {
		t.Errorf("%d keys in the file have a line of their own, %d are known", len(seen), len(catalogue))
	}
}

// keyPrefixes are of keys that are put together from a value.
var keyPrefixes = regexp.MustCompile(`"([a-z-]+\.(?:[a-z-]+\.)?)(?:%[sd])?"`)

// Every key that is used is there, and every one that is there is used.
func TestCatalogueIsUsed(t *testing.T) {
	var all bytes.Buffer
	for _, pattern := range []string{"*.go", "templates/*.html"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
	}
	source := all.String()
	for _, m := range regexp.MustCompile(`\bt "([^"]+)"`).FindAllStringSubmatch(source, -1) {
		if !hasText(m[1]) {
			t.Errorf("a template shows %q, which the catalogue does not have", m[1])
		}
	}
	var prefixes []string
	for _, m := range keyPrefixes.FindAllStringSubmatch(source, -1) {
		prefixes = append(prefixes, m[1])
	}
	for key := range catalogue {
		if strings.Contains(source, `"`+key+`"`) {
			continue
		}
		used := false
		for _, p := range prefixes {
			used = used || strings.HasPrefix(key, p)
		}
		if !used {
			t.Errorf("nothing shows %s", key)
		}
	}
	for _, p := range newSite(t).pages {
		if !hasText(p.title) || !hasText(p.section) {
			t.Errorf("page %q has no title or section in the catalogue", p.path)
		}
	}
}

var (
	tags = regexp.MustCompile(`(?s)<[^>]*>`)
	// readAttributes are attributes that people read.
	readAttributes = regexp.MustCompile(`\b(?:title|placeholder|aria-label|alt)="[^"{]*\p{L}`)
	// preformatted is what is to be typed on a command line.
	preformatted = regexp.MustCompile(`(?s)<(pre|code|kbd|style|script)\b.*?</(pre|code|kbd|style|script)>`)
)

// names are words that are the same in every language.
var names = regexp.MustCompile(`\b(Parley|EN|URL|ID|JSON|HTTP|ms)\b|中文`)

// No template has a text of its own: all of them come from the catalogue.
func TestTemplatesHaveNoText(t *testing.T) {
	files, err := filepath.Glob("templates/*.html")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tree := parse.New(file)
		tree.Mode = parse.SkipFuncCheck
		set := map[string]*parse.Tree{}
		if _, err := tree.Parse(string(text), "", "", set); err != nil {
			t.Fatal(err)
		}
		for name, tree := range set {
			// Without its actions a template is HTML again.
			var b strings.Builder
			flatten(&b, tree.Root)
			html := b.String()
			for _, m := range readAttributes.FindAllString(html, -1) {
				t.Errorf("%s, %s: %s", file, name, m)
			}
			html = tags.ReplaceAllString(preformatted.ReplaceAllString(html, ""), " ")
			html = names.ReplaceAllString(strings.ReplaceAll(html, "&nbsp;", ""), "")
			for _, word := range strings.Fields(html) {
				if strings.ContainsFunc(word, unicode.IsLetter) {
					t.Errorf("%s, %s: the word %q is not from the catalogue", file, name, word)
				}
			}
		}
	}
}

// flatten writes the text of a template; where it puts something in stands "{".
func flatten(b *strings.Builder, n parse.Node) {
	list := func(l *parse.ListNode) {
		if l != nil {
			for _, n := range l.Nodes {
				flatten(b, n)
			}
		}
	}
	branch := func(n *parse.BranchNode) { list(n.List); list(n.ElseList) }
	switch n := n.(type) {
	case *parse.TextNode:
		b.Write(n.Text)
	case *parse.ListNode:
		list(n)
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	default:
		b.WriteByte('{')
	}
}
