#!/usr/bin/env bash
# Runs every test of the repository, on a bare Debian machine too:
#
#   scripts/test.sh             all suites
#   scripts/test.sh unit fuzz   some of: build lint unit fuzz node pack metrics native web console openapi
#
# It installs what is missing (see install-deps.sh), starts and stops its own
# PostgreSQL on a free loopback port, and leaves nothing behind but caches. A
# suite that fails does not keep the others from running. The last line is
# "N passed, M failed"; a skipped test counts as failed, and so does a suite
# that fails otherwise or runs no test.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
exec </dev/null
export CI=true

suites="build lint unit fuzz node pack metrics native web console openapi"
chosen=${*:-$suites}
for name in $chosen; do
	case " $suites " in
	*" $name "*) ;;
	*) echo "test.sh: no suite $name; there are: $suites" >&2 && exit 2 ;;
	esac
done
chosen_has() { [[ " $chosen " == *" $1 "* ]]; }

work=$(mktemp -d "${TMPDIR:-/tmp}/parley-test.XXXXXX")
chmod 711 "$work" # PostgreSQL, another user, has its folder inside
mkdir "$work/bin" "$work/tmp"
export TMPDIR=$work/tmp
counts=$work/counts
touch "$counts"
postgres_pid=
native_pid=

clean_up() {
	trap - EXIT
	[ -z "$native_pid" ] || kill -- "-$native_pid" 2>/dev/null || true
	[ -z "$postgres_pid" ] || kill -INT "$postgres_pid" 2>/dev/null || true # fast shutdown
	wait || true
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# suite NAME COMMAND… runs one suite, prints how long it took and remembers
# whether it failed. The command runs in a subshell that stops at the first error.
timings=
broken=0
suite() {
	local name=$1 start=$SECONDS before after status
	shift
	printf '\n== %s\n' "$name"
	before=$(failures)
	set +e
	(
		set -e
		"$@"
	)
	status=$?
	set -e
	after=$(failures)
	if [ "$status" -ne 0 ]; then
		# A suite may fail without a failed test: it counts as one.
		[ "$after" -ne "$before" ] || broken=$((broken + 1))
		name="$name FAILED"
	fi
	timings+=$(printf '%5d s  %s' $((SECONDS - start)) "$name")$'\n'
}

failures() { awk '{ n += $2 } END { print n + 0 }' "$counts"; }
passes() { awk '{ n += $1 } END { print n + 0 }' "$counts"; }

# SQLite is C that a program has translated: to look for races and bad pointers in
# it finds nothing, and takes most of the time of every test that has a store.
translated=(-gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc=-d=checkptr=0)

# gotest runs `go test` and shows what failed.
gotest() { go test -json -count=1 -timeout=12m "$@" </dev/null | "$work/bin/testreport" -counts "$counts"; }

# start_postgres runs a server of our own. It refuses to be root's; then it is
# the user "postgres" of Debian's package. Nobody reserves a port for us, so a
# taken one means another try.
start_postgres() {
	local bin dir=$work/postgres port begin as=()
	# Debian keeps it out of PATH; there may be a link to it.
	bin=$(dirname "$(readlink -f "$(command -v initdb || ls -d /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)")")
	mkdir "$dir"
	if [ "$(id -u)" -eq 0 ]; then
		chown postgres: "$dir"
		as=(setpriv --reuid=postgres --regid=postgres --init-groups)
	fi
	(cd "$dir" && ${as[@]+"${as[@]}"} "$bin/initdb" -D "$dir/data" -U parley -A trust -E UTF8 --locale=C --no-sync >"$dir/initdb.log" 2>&1) || {
		cat "$dir/initdb.log"
		return 1
	}
	begin=$SECONDS
	for _ in {1..20}; do
		: >"$dir/log"
		port=$((20000 + RANDOM % 12000))
		# No fsync: a test's data need not survive the machine.
		set -m # in a process group of its own: an interrupt is ours to pass on
		(cd "$dir" && exec ${as[@]+"${as[@]}"} "$bin/postgres" -D "$dir/data" -h 127.0.0.1 -p "$port" -k "$dir" \
			-c fsync=off -c max_connections=400 >>"$dir/log" 2>&1) &
		postgres_pid=$!
		set +m
		until grep -q 'ready to accept connections' "$dir/log"; do
			kill -0 "$postgres_pid" 2>/dev/null || continue 2
			[ $((SECONDS - begin)) -lt 60 ] || break 2
			sleep 0.1
		done
		export PARLEY_TEST_POSTGRES="postgres://parley@127.0.0.1:$port/postgres?sslmode=disable"
		return 0
	done
	echo "test.sh: PostgreSQL did not start:" >&2
	cat "$dir/log" >&2
	return 1
}

prepare_native() {
	test/clients/native/prepare.sh
	cd test/clients/native
	CGO_ENABLED=1 go test -c -o "$work/bin/native.test" .
}

# The suites.

build() {
	scripts/build-static.sh "$work/bin/parley" # the tests run what is released
	"$work/bin/parley" version
}

lint() {
	local bad failed=0
	bad=$(go_files | xargs "$work/bin/gofumpt" -l)
	if [ -n "$bad" ]; then
		printf 'not formatted by gofumpt:\n%s\n' "$bad"
		failed=1
	fi
	go vet ./... || failed=1
	go -C tools vet ./testreport || failed=1
	go -C test/harness vet ./... || failed=1
	go -C test/packaging vet ./... || failed=1
	go -C test/metrics vet ./... || failed=1
	"$work/bin/staticcheck" ./... || failed=1
	return "$failed"
}

go_files() { find . \( -name vendor -o -name node_modules -o -name .git \) -prune -o -name '*.go' -print; }

unit() {
	local failed=0
	go list ./... | grep -v "^$(go list -m)/test\(/\|$\)" >"$work/packages"
	# shellcheck disable=SC2046 # one word per package
	gotest -race "${translated[@]}" $(cat "$work/packages") || failed=1
	(cd test/harness && gotest -race ./...) || failed=1
	(cd tools && gotest -race ./testreport) || failed=1
	return "$failed"
}

# fuzz gives every fuzz target a few seconds; `make fuzz` gives minutes.
fuzz() {
	local file target failed=0
	while IFS=: read -r file target; do
		echo "fuzzing $target for ${FUZZTIME:-3s}"
		gotest -run='^$' -fuzz="^$target\$" -fuzztime="${FUZZTIME:-3s}" "./$(dirname "$file")" || failed=1
	done < <(fuzz_targets)
	return "$failed"
}

fuzz_targets() {
	grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' internal hooks cmd 2>/dev/null | sed 's/func //' | sort || true
}

node() { gotest ./test/...; }

pack() {
	cd test/packaging
	gotest .
}

metrics() {
	cd test/metrics
	gotest .
}

native() {
	if [ "$native_status" -ne 0 ]; then
		cat "$work/native.log"
		return 1
	fi
	cd test/clients/native
	CGO_ENABLED=1 gotest .
}

web() {
	test/clients/web/prepare.sh
	cd test/clients/web
	gotest .
}

console() {
	cd test/console
	go vet ./...
	gotest -p 1 ./...
}

openapi() {
	test/clients/openapi/prepare.sh
	cd test/clients/openapi
	gotest .
}

begin=$SECONDS
scripts/install-deps.sh
go mod download
go build -C tools -o "$work/bin/" ./testreport honnef.co/go/tools/cmd/staticcheck mvdan.cc/gofumpt
start_postgres
timings+=$(printf '%5d s  %s' $((SECONDS - begin)) "set-up")$'\n'

# The native client takes more than a minute to compile, most of it on one core:
# it starts now and is waited for when its turn comes.
if chosen_has native; then
	set -m # its children too are ours to stop
	prepare_native >"$work/native.log" 2>&1 &
	native_pid=$!
	set +m
fi

# Always, since the others test this binary.
suite build build
if [ -x "$work/bin/parley" ]; then
	export PARLEY_BIN=$work/bin/parley
fi
for name in lint unit fuzz; do
	if chosen_has "$name"; then suite "$name" "$name"; fi
done
for name in node pack metrics native web console openapi; do
	chosen_has "$name" || continue
	if [ "$name" = native ]; then
		native_status=0
		wait "$native_pid" || native_status=$?
		native_pid=
	fi
	suite "$name" "$name"
done

passed=$(passes)
failed=$(($(failures) + broken))
printf '\n%s%5d s  in all\n%d passed, %d failed\n' "$timings" $((SECONDS - begin)) "$passed" "$failed"
[ "$failed" -eq 0 ]
