package operator

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// everyPage is every page with something on it.
var everyPage = []string{
	"overview", "webhooks", "webhooks/endpoints", "webhooks/live", "webhooks/why?callback=afterSendGroupMsg", "webhooks/samples?callback=beforeSendSingleMsg", "webhooks/dead", "webhooks/delivery?call=1",
	"access", "access/sessions",
}

// TestScreenshots takes pictures of every page, light and dark, and on a phone.
// PARLEY_SCREENSHOTS is the folder that keeps them (make screenshots).
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("PARLEY_SCREENSHOTS")
	if dir == "" {
		dir = t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := shared.talk(3); err != nil {
		t.Fatal(err)
	}
	p := login(t, shared, "en")
	looks := []struct {
		name          string
		width, height int64
		theme, lang   string
	}{
		{"light", 1280, 860, "light", "en"}, {"dark", 1280, 860, "dark", "en"}, {"phone", 400, 800, "light", "en"}, {"zh", 1280, 860, "light", "zh"},
	}
	for _, look := range looks {
		p.do("look", chromedp.EmulateViewport(look.width, look.height))
		p.goTo("/overview")
		p.press(`button[name="theme"][value="` + look.theme + `"]`)
		p.wait(`document.documentElement.dataset.theme === ` + quote(look.theme))
		p.speak(look.lang)
		for _, path := range everyPage {
			p.goTo("/" + path)
			p.wait(`document.documentElement.scrollWidth <= window.innerWidth`) // nothing sticks out
			name := look.name + "-" + strings.NewReplacer("/", "-", "?", "-", "=", "-").Replace(path) + ".png"
			picture := p.picture()
			if len(picture) < 5000 {
				t.Errorf("%s: a picture of %d bytes", name, len(picture))
			}
			if err := os.WriteFile(filepath.Join(dir, name), picture, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// picture is the whole page as PNG.
func (p *page) picture() []byte {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	b, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}
