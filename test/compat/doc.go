// Package compat holds the ledger of compatibility: ledger.json, which the tests
// with the native client write and compare themselves with (test/clients/native),
// and README.md, which shows it to people together with the server's routes.
//
// Its tests fail when a request the server answers is shown by nothing: neither
// by a function of the client core nor by a test of the API.
package compat
