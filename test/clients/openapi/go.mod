module github.com/parley-im/parley/test/clients/openapi

go 1.26.0

require github.com/parley-im/parley/test/harness v0.0.0

replace github.com/parley-im/parley/test/harness => ../../harness
