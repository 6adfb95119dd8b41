#!/bin/sh
# Builds a static parley for release:
#
#   GOOS=linux GOARCH=arm64 VERSION=v1.2.3 COMMIT=$(git rev-parse HEAD) scripts/build-static.sh FILE
#
# The same source and Go version give the same bytes, wherever the source lies.
# Time zones are inside, for machines and images that have none.
set -eu
out=$(realpath -m "$1")
cd "$(dirname "$0")/.."
CGO_ENABLED=0 exec go build -trimpath -buildvcs=false -tags=timetzdata \
	-ldflags="-s -w -buildid= -X main.release=${VERSION:-devel} -X main.commit=${COMMIT:-}" -o "$out" ./cmd/parley
