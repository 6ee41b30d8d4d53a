#!/usr/bin/env bash
# Makes a folder with all that "make setup" fetches, for machines without internet: libtorch, the
# Go modules, and FAME+'s text encoder if scripts/fetch-encoder.sh has fetched it.
#
#   scripts/offline.sh DIR   on a machine with internet, after "make setup"
#
# Copy DIR and the clone to the other machine, which needs Go and g++. There, in bash:
#
#   . DIR/env.sh   in every shell, also in that which submits workers to a cluster
#   make setup     in the clone; fetches nothing
#
# Safe to repeat: complete files are kept. About 2 GB.
set -euo pipefail

unset CDPATH
say() { printf 'offline: %s\n' "$*"; }
die() {
	printf 'offline: %s\n' "$*" >&2
	exit 1
}
case ${1:-} in
'' | -*)
	sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
	exit 2
	;;
esac
mkdir -p "$1"
dir=$(cd "$1" && pwd)
case $dir in
*[[:space:]\'\"]*) die "$dir: no space or quote is allowed in the path: give another folder" ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ -z "${LIBTORCH:-}" ] || die "LIBTORCH=$LIBTORCH is set: copy that folder yourself, or unset it to take the libtorch that set-up fetched"
# shellcheck source=scripts/env.sh
. scripts/env.sh # says what to do if there is no libtorch

libtorch=${famebench_torch##*/}
if ! cmp -s "$famebench_torch/MANIFEST" "$dir/cache/famebench/$libtorch/MANIFEST"; then
	say "copying $libtorch"
	mkdir -p "$dir/cache/famebench"
	rm -rf "$dir/cache/famebench/$libtorch.part" "$dir/cache/famebench/$libtorch"
	cp -R "$famebench_torch" "$dir/cache/famebench/$libtorch.part"
	mv "$dir/cache/famebench/$libtorch.part" "$dir/cache/famebench/$libtorch"
fi
if [ -d "$famebench_cache/encoders" ]; then
	say "copying the text encoder"
	cp -R "$famebench_cache/encoders" "$dir/cache/famebench/"
fi
say "fetching the Go modules"
# Those that this machine has are copied from its own cache. go.sum vouches for all of them.
GOMODCACHE=$dir/modules GOFLAGS=-modcacherw GOPROXY="file://$(go env GOMODCACHE)/cache/download,$(go env GOPROXY)" go mod download ||
	die "the Go modules cannot be fetched (see above)"

cat >"$dir/env.sh" <<'END'
# Source it in bash, from any folder. It makes set-up and Go use the files next to it, and no network.
famebench_offline=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
export XDG_CACHE_HOME=$famebench_offline/cache GOMODCACHE=$famebench_offline/modules GOPROXY=off GOTOOLCHAIN=local
END
say "done: $dir. Copy it and the clone to the other machine, then there: . $dir/env.sh && make setup"
