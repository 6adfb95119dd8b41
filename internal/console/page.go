package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/parley-im/parley/internal/store"
)

// page is one page of the console, the whole of it in one file.
type page struct {
	// path is below Base, such as "webhooks/live".
	path string
	// title is its key in the catalogue.
	title string
	// section is the entry of the navigation it belongs to, as a key of the
	// catalogue. Pages of one section are shown as tabs, in their order.
	section string
	// hidden pages are reached from others: they have no tab.
	hidden bool
	// template is a file of templates/ that defines "content".
	template string
	// show returns what the template shows as .Data.
	show func(r *request) (any, error)

	actions []action
	streams []stream
}

// action is a change, or anything else that must be recorded. It is a POST to
// the page's path and its name, and stands in the audit trail with the fields
// of its form.
type action struct {
	name string
	do   func(r *request) (done, error)
	// private are fields whose values are not recorded.
	private []string
}

// done is what became of an action.
type done struct {
	// to is where the browser goes next, below Base; "" is the page itself.
	to string
	// say is a key of the catalogue, told at the top of the next page with n.
	say string
	n   int64
	// result is shown by the page's template as .Result, instead of going
	// anywhere.
	result any
}

// pages lists all pages in the order of the navigation.
func pages(c *Console) []*page {
	return []*page{
		overviewPage(c),
		callbacksPage(c), endpointsPage(c), livePage(c), whyPage(c), samplesPage(c), deadPage(c), deliveryPage(c),
		findPage(c),
		userPage(c),
		groupPage(c),
		conversationPage(c),
		sendPage(c),
		tryPage(c),
		auditPage(c),
		sessionsPage(c),
	}
}

// request is a request of an administrator who is logged in.
type request struct {
	*http.Request
	console *Console
	session store.ConsoleSession
	lang    language
	csrf    string
}

// userID is the administrator.
func (r *request) userID() string { return r.session.UserID }

// readsContent reports whether the administrator may look at message content.
func (r *request) readsContent() bool {
	return r.console.ReadsContent != nil && r.console.ReadsContent(r.session.UserID)
}

// read runs f on the store.
func (r *request) read(f func(tx *store.Tx) error) error {
	return r.console.Store.Read(r.Context(), f)
}

// detail is what the audit trail keeps of a form.
func (a *action) detail(form url.Values) string {
	kept := url.Values{}
	for name, values := range form {
		switch {
		case name == csrfField:
		case slices.Contains(a.private, name):
			kept.Set(name, "…")
		default:
			if values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" }); len(values) > 0 {
				kept[name] = values
			}
		}
	}
	text, err := url.QueryUnescape(kept.Encode())
	if err != nil {
		text = kept.Encode()
	}
	return short(text, detailKept)
}

// detailKept is how many bytes of a form the audit trail keeps.
const detailKept = 512

// idQuery is the query of a page about one thing.
func idQuery(id string) string { return queryOf("id", id) }

func queryOf(name, value string) string { return url.Values{name: {value}}.Encode() }

// atoi is a number of a form, 0 for anything else.
func atoi(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
