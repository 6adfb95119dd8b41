package console

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/webhook/explain"
)

// language is one of the catalogue's, as HTML names it.
type language string

const (
	english language = "en"
	chinese language = "zh"
)

// languages are in the order of the texts in the catalogue.
var languages = []language{english, chinese}

func (l language) valid() bool { return l == english || l == chinese }

// catalogueFile holds every text: key, English, Chinese.
//
//go:embed catalogue.json
var catalogueFile []byte

var catalogue = func() map[string][]string {
	var all map[string][]string
	if err := json.Unmarshal(catalogueFile, &all); err != nil {
		panic(fmt.Errorf("catalogue.json: %w", err)) // embedded, and read by every test
	}
	return all
}()

func hasText(key string) bool { return len(catalogue[key]) > 0 }

// text is a text of the catalogue, with args as for fmt.Sprintf.
func (l language) text(key string, args ...any) string {
	i := 0
	if l == chinese {
		i = 1
	}
	texts := catalogue[key]
	if i >= len(texts) {
		return key
	}
	if len(args) == 0 {
		return texts[i]
	}
	return fmt.Sprintf(texts[i], args...)
}

// say is a text that has its own formats.
func (l language) say(t explain.Text) string {
	if l == chinese {
		return t.In(explain.Chinese)
	}
	return t.String()
}

// refusal says why something was refused. Details are English everywhere, as on
// the command line; other languages say first what kind of error it is.
func (l language) refusal(e *im.Error) string {
	kind := e.Msg
	if key := fmt.Sprintf("error.%d", e.Code); hasText(key) {
		kind = l.text(key)
	}
	switch {
	case e.Detail == "":
		return kind
	case l == english:
		return e.Detail
	default:
		return kind + "：" + e.Detail
	}
}
