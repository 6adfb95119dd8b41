#!/usr/bin/env bash
# Runs every work of `parley bench` against a server of its own and prints one
# line per work; the results as JSON lines go to the file named by BENCH_RESULTS
# (default: a temporary file, named at the end).
#
#   BENCH_SECONDS=10   measured seconds per work
#   BENCH_WORKS="pair-receipt idle"   only these
#   PARLEY_BIN=...     measure this binary instead of building one
#
# Each work gets a fresh server on an empty data directory and free loopback
# ports, stopped by its process id. Load and server share the machine.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${BENCH_SECONDS:-10}
works=${BENCH_WORKS:-pair-receipt pair-receipt-1000 pair-ack open group idle start}
temp=$(mktemp -d)
results=${BENCH_RESULTS:-$(mktemp --suffix=.jsonl)}
: >"$results"
server=

stop_server() {
	if [ -n "$server" ]; then
		kill -TERM "$server" 2>/dev/null || true
		wait "$server" 2>/dev/null || true
		server=
	fi
}
cleanup() {
	stop_server
	rm -rf "$temp"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

binary=${PARLEY_BIN:-}
if [ -z "$binary" ]; then
	binary=$temp/parley
	go build -o "$binary" ./cmd/parley
fi

# field NAME reads a string of the ready file.
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" "$temp/ready.json"; }

start_server() {
	rm -rf "$temp/data" "$temp/ready.json"
	mkdir "$temp/data"
	"$binary" serve --data "$temp/data" --api-addr 127.0.0.1:0 --ws-addr 127.0.0.1:0 \
		--ready-file "$temp/ready.json" >"$temp/server.log" 2>&1 &
	server=$!
	for _ in $(seq 600); do
		[ -s "$temp/ready.json" ] && break
		kill -0 "$server" 2>/dev/null || break
		sleep 0.05
	done
	if [ ! -s "$temp/ready.json" ]; then
		echo "bench: the server did not start:" >&2
		cat "$temp/server.log" >&2
		exit 1
	fi
	api=$(field api) ws=$(field ws)
	PARLEY_BENCH_SECRET=$(field secret)
	export PARLEY_BENCH_SECRET
}

failed=0
bench() {
	"$binary" bench "$@" --api "$api" --ws "$ws" >>"$results" || failed=1
}
load() {
	start_server
	bench "$@" --pid "$server"
	stop_server
}

echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(uname -sr)"
echo "server:  $("$binary" version 2>/dev/null || git describe --always --dirty)"
for work in $works; do
	case $work in
	pair-receipt) load pair-receipt --users 100 --duration "${seconds}s" ;;
	pair-receipt-1000) load pair-receipt --users 1000 --duration "${seconds}s" ;;
	pair-ack) load pair-ack --users 100 --duration "${seconds}s" ;;
	open) load open --users 100 --rate 500 --duration "${seconds}s" ;;
	group) load group --users 500 --duration "${seconds}s" ;;
	idle) load idle --users 5000 --duration 30s ;; # long enough for a heartbeat of every connection
	start)
		# The ports of a server that has just ended are free.
		start_server
		stop_server
		rm -rf "$temp/data"
		mkdir "$temp/data"
		bench start --duration 3s --count 11 --binary "$binary" --arg=serve --arg=--data --arg="$temp/data" \
			--arg=--api-addr --arg="${api#http://}" --arg=--ws-addr --arg="${ws#ws://}"
		;;
	hooks | isolation | outage) # with servers and handlers of their own
		"$binary" bench "$work" --duration "${seconds}s" >>"$results" || failed=1
		;;
	*)
		echo "bench: unknown work $work" >&2
		exit 2
		;;
	esac
done
echo "results: $results"
exit "$failed"
