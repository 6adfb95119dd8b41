module github.com/parley-im/parley/test/harness

go 1.26.0
