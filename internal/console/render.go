package console

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/parley-im/parley/internal/im"
)

//go:embed templates
var templateFiles embed.FS

const loginTemplate = "login.html"

// commonTemplates are parsed with every page's own.
var commonTemplates = []string{"templates/layout.html", "templates/parts.html"}

// templates holds the files of every page, once for each language. Each is parsed
// when it is first shown: a server that starts has other things to do.
type templates map[language]map[string]func() (*template.Template, error)

func templatesOf(pages []*page) templates {
	files := []string{loginTemplate}
	for _, p := range pages {
		files = append(files, p.template)
	}
	all := templates{}
	for _, l := range languages {
		all[l] = map[string]func() (*template.Template, error){}
		for _, file := range files {
			all[l][file] = sync.OnceValues(func() (*template.Template, error) {
				return template.New(file).Funcs(functions(l)).ParseFS(templateFiles, append(slices.Clone(commonTemplates), "templates/"+file)...)
			})
		}
	}
	return all
}

func (t templates) fragment(w io.Writer, l language, file, definition string, data any) error {
	parsed, err := t[l][file]()
	if err != nil {
		return fmt.Errorf("template %s: %w", file, err)
	}
	return parsed.ExecuteTemplate(w, definition, data)
}

// functions are what templates can call besides the built-in ones.
func functions(l language) template.FuncMap {
	return template.FuncMap{
		"t":        l.text,
		"say":      l.say,
		"has":      hasText,
		"asset":    assetPath,
		"base":     func() string { return Base },
		"time":     func(m im.Millis) string { return clock(m, "2006-01-02 15:04:05") },
		"clock":    func(m im.Millis) string { return clock(m, "15:04:05.000") },
		"iso":      func(m im.Millis) string { return clock(m, time.RFC3339) },
		"short":    short,
		"pretty":   pretty,
		"platform": func(p im.Platform) string { return platformName(p) },
		"class":    outcomeClass,
		"bytes":    byteSize,
		"count":    number[int64],
		"list":     func(items ...any) []any { return items },
		"dict":     dict,
		"query": func(pairs ...string) (template.URL, error) {
			if len(pairs)%2 != 0 {
				return "", errors.New("query: odd number of arguments")
			}
			q := url.Values{}
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i+1] != "" {
					q.Set(pairs[i], pairs[i+1])
				}
			}
			return template.URL(q.Encode()), nil //nolint:gosec // encoded
		},
	}
}

func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("dict: odd number of arguments")
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, errors.New("dict: a name is no text")
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

// clock shows a time in UTC, as logs do; "" for none.
func clock(m im.Millis, layout string) string {
	if m == 0 {
		return ""
	}
	return m.Time().UTC().Format(layout)
}

func byteSize(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	default:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
}

func number[N int | int64](n N) string { return strconv.FormatInt(int64(n), 10) }

// short cuts what is shown of texts that others wrote.
func short(s string, n int) string {
	if len(s) > n {
		s = s[:n] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// view is what templates get.
type view struct {
	Lang     language
	Theme    string
	Path     string // of this page, for coming back
	Version  string
	UserID   string
	CSRF     string
	Title    string
	Sections []entry
	Tabs     []entry

	Done, DoneN string     // what an action did, as a key of the catalogue
	Error       string     // what went wrong
	Form        url.Values // what was sent, when it went wrong
	Data        any        // of the page
	Result      any        // of an action
}

// entry is a link of the navigation.
type entry struct {
	Title   string
	Path    string
	Current bool
}

func (c *Console) view(r *request, current *page) view {
	back := r.URL.RequestURI()
	if r.Method != http.MethodGet {
		back = Base + "/" + current.path
	}
	v := view{
		Lang: r.lang, Theme: themeOf(r.Request), Path: back, Version: c.Version,
		UserID: r.session.UserID, CSRF: r.csrf, Title: current.title,
	}
	for _, p := range c.pages {
		if n := len(v.Sections); n == 0 || v.Sections[n-1].Title != p.section {
			v.Sections = append(v.Sections, entry{Title: p.section, Path: Base + "/" + p.path, Current: p.section == current.section})
		}
		if p.section == current.section && !p.hidden {
			v.Tabs = append(v.Tabs, entry{Title: p.title, Path: Base + "/" + p.path, Current: p == current})
		}
	}
	return v
}

// render answers with a page. It is rendered whole first: half a page is never
// sent.
func (c *Console) render(w http.ResponseWriter, r *http.Request, status int, file, definition string, data any) {
	var b bytes.Buffer
	if err := c.templates.fragment(&b, languageOf(r), file, definition, data); err != nil {
		c.Logger.ErrorContext(r.Context(), "console page cannot be rendered", "template", file, "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	write(w, r, status, "text/html; charset=utf-8", b.Bytes(), func() []byte { return zip(b.Bytes(), gzip.BestSpeed) })
}
