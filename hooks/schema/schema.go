// Package schema holds the JSON Schemas of all callbacks and the AsyncAPI
// document, as files made from the types the server renders with.
package schema

import (
	"embed"
	"io/fs"
)

//go:generate go test . -run TestGenerated -update

//go:embed *.json
var files embed.FS

// Request is the JSON Schema (draft 2020-12) of the body of a command, such as
// callbackBeforeSendSingleMsgCommand. The error is fs.ErrNotExist for a command
// that is none.
func Request(command string) ([]byte, error) { return fs.ReadFile(files, command+".json") }

// Answer is the JSON Schema of the answer to a before-callback.
func Answer(command string) ([]byte, error) { return fs.ReadFile(files, command+".answer.json") }

// AsyncAPI is the AsyncAPI 3 document of all callbacks.
func AsyncAPI() []byte {
	document, err := fs.ReadFile(files, "asyncapi.json")
	if err != nil {
		panic("schema: " + err.Error()) // it is compiled in
	}
	return document
}
