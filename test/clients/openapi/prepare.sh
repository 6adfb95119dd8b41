#!/bin/sh
# Installs the generator, the client's runtime and the validator, exactly as
# package-lock.json has them and without running any of their scripts. git
# ignores node_modules.
set -eu
cd "$(dirname "$0")"
made=node_modules/.prepared
if [ -f "$made" ] && [ "$made" -nt package-lock.json ] && [ "$made" -nt package.json ]; then
	exit 0
fi
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
touch "$made"
