#!/bin/sh
# Installs what the whole test run needs and the machine lacks, on Debian and its
# kin: PostgreSQL's server binaries, Chromium, a JDK, gcc (the native client uses
# cgo), Node.js with npm, Python and PHP (example handlers), curl (what the documents tell to type), zsh and fish
# (completion), QEMU and systemd's tools with strace (what is published), nginx. Anything
# already there is left alone.
set -eu

have() { command -v "$1" >/dev/null 2>&1; }

have_postgres() {
	have initdb && have pg_ctl && return 0
	for dir in /usr/lib/postgresql/*/bin; do
		[ -x "$dir/initdb" ] && [ -x "$dir/pg_ctl" ] && return 0
	done
	return 1
}

have_chromium() { have chromium || have chromium-browser || have google-chrome; }

# A Java runtime alone also installs /usr/bin/java; the example is compiled.
have_jdk() { have javac && have java; }

# For programs of the platform that this machine is not.
have_qemu() {
	case $(uname -m) in
	aarch64) other=x86_64 ;;
	*) other=aarch64 ;;
	esac
	have "qemu-$other" || have "qemu-$other-static"
}

missing=
have_postgres || missing="$missing postgresql"
have_chromium || missing="$missing chromium"
have_jdk || missing="$missing default-jdk-headless"
have gcc || missing="$missing gcc libc6-dev"
have npm || missing="$missing nodejs npm"
have python3 || missing="$missing python3"
have php || missing="$missing php-cli"
have curl || missing="$missing curl"
have zsh || missing="$missing zsh"
have fish || missing="$missing fish"
have_qemu || missing="$missing qemu-user"
have nginx || [ -x /usr/sbin/nginx ] || missing="$missing nginx-light"
have systemd-analyze || missing="$missing systemd"
have strace || missing="$missing strace"
[ -f /etc/ssl/certs/ca-certificates.crt ] || missing="$missing ca-certificates"
[ -n "$missing" ] || exit 0

give_up() {
	echo "install-deps: $1; install them first, on Debian: apt-get install -y --no-install-recommends$missing" >&2
	exit 1
}
have apt-get || give_up "missing:$missing, and there is no apt-get here"
[ "$(id -u)" -eq 0 ] || give_up "missing:$missing, and only root can install packages"

export DEBIAN_FRONTEND=noninteractive
echo "install-deps: installing$missing"
# The package lists of a fresh machine are empty or too old to download from, so
# a failed first try is followed by one with new lists.
# shellcheck disable=SC2086 # one word per package
install() { apt-get install -y -qq --no-install-recommends $missing >"$log" 2>&1 </dev/null; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! install; then
	apt-get update -qq >>"$log" 2>&1 || true
	if ! install; then
		tail -n 5 "$log" >&2
		give_up "apt-get could not install:$missing"
	fi
fi
