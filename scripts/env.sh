# Makes plain `go build`, `go run ./bench` and `go test ./...` find libtorch.
# Source it, from any folder, in bash, zsh or dash:
#
#   . scripts/env.sh
#
# With LIBTORCH=DIR set (a libtorch folder, or the torch folder of an installed
# Python torch) that library is used instead of the one that `make setup` fetched.
# If the library is not set up, this script says what to do, changes nothing and
# returns 1.
#
# These flags are part of the keys of Go's build cache: another spelling of the
# same path means another build of gotch, which takes minutes.
# shellcheck shell=sh

famebench_version=2.11.0
famebench_cache=${XDG_CACHE_HOME:-${HOME:-}/.cache}/famebench
famebench_home=
famebench_abi=
famebench_problem=

if [ -z "${LIBTORCH:-}" ]; then
	famebench_torch=$famebench_cache/libtorch-$famebench_version
	famebench_home=$famebench_torch
elif ! famebench_torch=$(CDPATH='' cd -- "$LIBTORCH" 2>/dev/null && pwd -P); then
	famebench_torch=
	famebench_problem="LIBTORCH=$LIBTORCH: no such folder"
else
	# Our helper files never go into the user's folders. Their folder is named after the
	# version, so that an upgrade in place gets new keys in Go's build cache.
	famebench_version=$({
		cat "$famebench_torch/include/torch/headeronly/version.h" \
			"$famebench_torch/include/torch/csrc/api/include/torch/version.h" 2>/dev/null || :
	} | sed -n '/^ *"\([0-9][0-9.]*\)".*/{s//\1/p;q;}')
	famebench_home=$famebench_cache/external-$famebench_version
	# Python wheels before about 2.7 use GCC's old std::string: c10's
	# torchCheckFail(char const*, char const*, unsigned, std::string const&) shows it.
	if grep -qsF torchCheckFailEPKcS2_jRKSs "$famebench_torch/lib/libc10.so"; then
		famebench_abi=" -D_GLIBCXX_USE_CXX11_ABI=0"
	fi
fi

if [ -z "${XDG_CACHE_HOME:-}${HOME:-}" ]; then
	# Without them the cache folder would be /.cache. LIBTORCH needs it, too, for our helper files.
	famebench_problem="there is no cache folder, as neither HOME nor XDG_CACHE_HOME is set: set one of them to a folder that can be written to"
fi
case $famebench_cache$famebench_torch in
*[[:space:]\'\"]*)
	famebench_problem="no space or quote is allowed in the path of the library ($famebench_torch) or of the cache folder ($famebench_cache): set XDG_CACHE_HOME or LIBTORCH to another folder" ;;
/*) ;;
*) famebench_problem="the cache folder $famebench_cache is not an absolute path: set HOME or XDG_CACHE_HOME" ;;
esac
if [ -z "$famebench_problem" ]; then
	if [ ! -x "$famebench_home/c++" ] || [ ! -f "$famebench_torch/lib/libtorch_cpu.so" ]; then
		famebench_problem="libtorch $famebench_version is not set up in $famebench_torch. Run 'make setup${LIBTORCH:+ LIBTORCH=$LIBTORCH}' in the clone, then source this file again"
	fi
fi

if [ -n "$famebench_problem" ]; then
	echo "scripts/env.sh: $famebench_problem" >&2
	# Sourced: return. Run as a program: return fails, exit.
	# shellcheck disable=SC2317
	return 1 2>/dev/null || exit 1
fi

export CGO_ENABLED=1
export CXX="$famebench_home/c++"
export CGO_CXXFLAGS="-include $famebench_home/compat.h -I$famebench_torch/include -I$famebench_torch/include/torch/csrc/api/include$famebench_abi"
export CGO_LDFLAGS="-L$famebench_home/stub -L$famebench_torch/lib -Wl,-rpath,$famebench_torch/lib -Wl,--allow-shlib-undefined"
