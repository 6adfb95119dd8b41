// Tests of what is published: binaries, image, and the files under deploy, read
// with the parsers of the programs they are for. A module of its own, so that
// nothing of those gets near the server's dependencies.
module github.com/parley-im/parley/test/packaging

go 1.26.0

require github.com/parley-im/parley/test/harness v0.0.0

replace github.com/parley-im/parley/test/harness => ../harness
