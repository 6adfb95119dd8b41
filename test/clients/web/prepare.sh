#!/bin/sh
# Installs the browser client the tests serve, exactly as package-lock.json has
# it and without running any of its scripts. git ignores node_modules.
set -eu
cd "$(dirname "$0")"
made=node_modules/.prepared
if [ -f "$made" ] && [ "$made" -nt package-lock.json ] && [ "$made" -nt package.json ]; then
	exit 0
fi
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
touch "$made"
