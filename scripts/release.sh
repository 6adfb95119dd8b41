#!/usr/bin/env bash
# Makes what is published of a version: an archive for each platform, and their
# checksums.
#
#   scripts/release.sh [DIRECTORY]     default: dist
#
# VERSION is `git describe` unless it is set, ARCHS "amd64 arm64". Archives carry
# the time of the commit and nobody's name, so that two runs give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
dist=$(realpath -m "${1:-dist}")
VERSION=${VERSION:-$(git describe --tags --always --dirty)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
COMMIT=${COMMIT:-$(git rev-parse HEAD)}
export VERSION COMMIT SOURCE_DATE_EPOCH TZ=UTC

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$dist"

# licences collects the licences of everything that is compiled in.
licences() {
	local module version dir file
	CGO_ENABLED=0 GOOS=linux go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./cmd/parley |
		sort -u | while read -r module version dir; do
		for file in "$dir"/LICENSE* "$dir"/LICENCE* "$dir"/COPYING* "$dir"/NOTICE*; do
			[ -f "$file" ] || continue
			printf '\n==== %s %s: %s\n\n' "$module" "$version" "$(basename "$file")"
			cat "$file"
		done
	done
	printf '\n==== the Go standard library: LICENSE\n\n'
	cat "$(go env GOROOT)/LICENSE"
}
licences >"$work/THIRD_PARTY_LICENSES"

sums=()
for arch in ${ARCHS:-amd64 arm64}; do
	name=parley_${VERSION#v}_linux_$arch
	mkdir "$work/$name"
	GOOS=linux GOARCH=$arch scripts/build-static.sh "$work/$name/parley"
	cp -r README.md README.zh-CN.md CHANGELOG.md LICENSE deploy docs "$work/THIRD_PARTY_LICENSES" "$work/$name"
	rm "$work/$name/docs/docs.go"
	chmod -R u=rwX,go=rX "$work/$name"
	tar -C "$work" --format=ustar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -cf "$work/$name.tar" "$name"
	gzip -n <"$work/$name.tar" >"$dist/$name.tar.gz"
	sums+=("$name.tar.gz")
done
(cd "$dist" && sha256sum "${sums[@]}" | tee SHA256SUMS)
