#!/bin/sh
# Makes vendor/, which the tests need and git ignores: the official client core
# and everything it imports. The core was released against an older protocol
# module, in which one field had another name; the copy gets today's name.
set -eu
cd "$(dirname "$0")"
made=vendor/.prepared

# Up to date unless a dependency, this script, or the harness (copied, too) changed.
if [ -f "$made" ] && [ -z "$(find go.mod go.sum prepare.sh ../../harness -newer "$made" -type f)" ]; then
	exit 0
fi
go mod vendor
sed -i 's/SystemType:/AppFramework:/' vendor/github.com/openimsdk/openim-sdk-core/v3/internal/third/log.go
touch "$made"
