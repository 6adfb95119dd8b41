#!/bin/sh
# Makes vendor/, which the tests need and git ignores. The protocol package this
# client core is tested with renamed one field after the core was released; the
# core does not compile against it until the same name is used here.
set -eu
cd "$(dirname "$0")"
core=vendor/github.com/openimsdk/openim-sdk-core/v3/internal/third/log.go
stamp=vendor/.prepared
if [ -f "$stamp" ] && [ "$stamp" -nt go.mod ] && [ "$stamp" -nt go.sum ] && [ "$stamp" -nt prepare.sh ]; then
	exit 0
fi
go mod vendor
sed -i 's/SystemType:/AppFramework:/' "$core"
touch "$stamp"
