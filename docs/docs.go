// Package docs carries the documents that the server itself serves.
package docs

import _ "embed"

//go:embed openapi.json
var openAPI []byte

// OpenAPI is the OpenAPI 3.1 document of the REST API. It is made from the
// routes by internal/api/reference.
func OpenAPI() []byte { return openAPI }
