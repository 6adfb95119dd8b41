// Package console is the operator's page: server-rendered, embedded, without a
// request to any other host. docs/console.md tells how to add a page to it.
//
// A page is one file: its path, its entry in the navigation, what it shows, its
// actions and its streams. Everything around that is the same for all and cannot
// be left out: only an administrator who is logged in gets past router.go, a
// change needs the session's form token and an origin of our own, and it is in
// the audit trail before it is carried out.
//
// Every word a person reads comes from catalogue.json, every value is escaped by
// html/template, and the browser runs no script but static/console.js.
//
// The package is an edge: it calls the same methods as the API and the control
// socket, and holds no rules of chat or webhooks.
package console
