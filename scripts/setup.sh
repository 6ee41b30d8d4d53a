#!/usr/bin/env bash
# Fetches libtorch, checks it and builds .bin/bench. Safe to repeat: complete files
# are kept, and missing or damaged ones are fetched again. pip fetches libtorch's
# wheels; each must have the SHA-256 in scripts/libtorch/wheels.sha256. Files without
# a pinned checksum are refused.
#
#   scripts/setup.sh               everything; the last line says what to type next
#   scripts/setup.sh --if-needed   the same, without the closing line
#
# Environment:
#   LIBTORCH=DIR   use this libtorch (or the torch folder of a Python torch), fetch none
#   VERIFY=1       check the SHA-256 of every file of the library, not only its size
#
# Writes to the clone (.bin), to ${XDG_CACHE_HOME:-~/.cache}/famebench and to
# Go's own caches; nowhere else.
set -euo pipefail

unset CDPATH
case ${LIBTORCH:-} in
'' | /*) ;;
*) export LIBTORCH=$PWD/$LIBTORCH ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/.."
next=yes
case ${1:-} in
'') ;;
--if-needed) next=no ;;
*)
	sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
	exit 2
	;;
esac

say() { printf 'setup: %s\n' "$*"; }
die() {
	printf 'setup: %s\n' "$*" >&2
	exit 1
}

# Only env.sh knows the paths. It fails if there is no library yet, but sets the
# variables that are needed here.
# shellcheck source=scripts/env.sh
. scripts/env.sh 2>/dev/null || true
cache=$famebench_cache home=$famebench_home torch=$famebench_torch version=$famebench_version
pins=scripts/libtorch/wheels.sha256
stubs="torch cuda cudart cublas cudnn caffe2_nvrtc nvrtc-builtins nvrtc nvToolsExt c10_cuda torch_cuda"

check_platform() {
	local here
	here=$(uname -s)-$(uname -m)
	if [ "$here" != Linux-x86_64 ] && [ -z "${LIBTORCH:-}" ]; then
		die "there is no pinned libtorch for $here: linux on x86-64 is supported. With a libtorch of your own: make setup LIBTORCH=DIR (untested)"
	fi
	# Problems of env.sh that set-up cannot solve.
	case $famebench_problem in
	*"no cache folder"* | *"no space or quote"* | *"not an absolute path"* | *"no such folder"*) die "$famebench_problem" ;;
	esac
}

# older A B: version A comes before B.
older() { [ "$1" != "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

has() { command -v "$1" >/dev/null 2>&1; }

# have_pip: a Python that can fetch wheels. Any version can: the files are
# asked for by platform and Python tag, not by the running interpreter's.
have_pip() { has python3 && python3 -m pip --version >/dev/null 2>&1; }

# check_prerequisites names everything that is missing at once. With "fetch" it
# also checks what the download needs.
check_prerequisites() {
	local missing=() packages=() found want
	want=$(awk '$1 == "go" {print $2}' go.mod)
	if ! has go; then
		missing+=("go $want or newer: see https://go.dev/doc/install")
	else
		# In the clone, so that a toolchain switch that go.mod asks for has happened.
		found=$(go env GOVERSION 2>&1) || true
		found=${found##*$'\n'} # after "go: downloading go1.26.0"
		case $found in
		go[0-9]*)
			found=${found#go} found=${found%%[!0-9.]*}
			if older "$found" "$want"; then
				missing+=("go $want or newer (found $found): see https://go.dev/doc/install")
			fi
			;;
		*) missing+=("go $want or newer (found: $found): see https://go.dev/doc/install") ;;
		esac
	fi
	if ! has g++ || ! has gcc; then
		missing+=("g++ 10 or newer, with gcc") packages+=(g++)
	else
		found=$(g++ -dumpfullversion -dumpversion 2>/dev/null || echo 0)
		if older "$found" 10; then
			missing+=("g++ 10 or newer (found $found)") packages+=(g++)
		elif older "$found" 12 && ! grep -qw avx2 /proc/cpuinfo; then # see internal/torch/loops.h
			missing+=("g++ 12 or newer (found $found): an older one is enough only for processors with AVX2; links g++ and gcc to the new ones have to come first in PATH") packages+=(g++-12)
		fi
	fi
	if ! has ar; then missing+=("ar") packages+=(binutils); fi
	if ! has make; then missing+=("make") packages+=(make); fi
	if ! has flock; then missing+=("flock") packages+=(util-linux); fi
	if [ "$1" = fetch ]; then
		if ! have_pip; then
			missing+=("python3 with pip, which fetches libtorch; or a libtorch of your own: make setup LIBTORCH=DIR") packages+=(python3-pip)
		fi
		if ! has unzip; then missing+=("unzip") packages+=(unzip); fi
		found=$(df -Pm "$cache" | awk 'NR == 2 {print $4}')
		if [ "$found" -lt 1500 ]; then
			missing+=("1500 MB of free disk in $cache (found $found MB); XDG_CACHE_HOME moves it")
		fi
	fi
	[ ${#missing[@]} -gt 0 ] || return 0
	{
		echo "setup: missing:"
		printf '  - %s\n' "${missing[@]}"
		if [ ${#packages[@]} -gt 0 ]; then
			local sudo="sudo "
			[ "$(id -u)" != 0 ] || sudo=
			echo "On Debian and Ubuntu: ${sudo}apt-get update && ${sudo}apt-get install -y ${packages[*]}"
		fi
		echo "Then run this again."
	} >&2
	exit 1
}

# damage prints what is wrong with the fetched library, or nothing. It compares the
# sizes of all files with the manifest, and with "full" their SHA-256.
damage() {
	if [ ! -d "$torch" ]; then
		echo "it does not exist yet"
	elif [ ! -s "$torch/MANIFEST" ]; then
		echo "$torch has no manifest"
	else (
		cd "$torch"
		{ find include lib -type f -printf '%s %p\n' 2>/dev/null || true; } | awk '
			NR == FNR { want[$3] = $2; next }
			$2 in want { if (want[$2] != $1) bad[++n] = $2 " has " $1 " bytes, not " want[$2]; delete want[$2] }
			END {
				for (f in want) bad[++n] = f " is missing"
				if (n) print bad[1] (n > 1 ? " (and " n - 1 " more)" : "")
			}' MANIFEST -
	) fi
	if [ "${1:-}" = full ] && [ -s "$torch/MANIFEST" ]; then
		(
			cd "$torch"
			awk '{print $1 "  " $3}' MANIFEST | sha256sum -c --quiet 2>/dev/null || true
		)
	fi
}

# install_helpers puts our own few files into folder $1: the header that makes
# gotch compile, the compiler's wrapper, and empty archives for the libraries
# that gotch's cgo line names on every machine but that a program which loads
# CUDA itself must not link.
install_helpers() {
	local f
	mkdir -p "$1/stub"
	for f in c++ compat.h; do
		if ! cmp -s "scripts/libtorch/$f" "$1/$f"; then
			cp "scripts/libtorch/$f" "$1/.$f.new"
			mv -f "$1/.$f.new" "$1/$f"
		fi
	done
	[ -x "$1/c++" ] || chmod 755 "$1/c++"
	for f in $stubs; do
		[ -s "$1/stub/lib$f.a" ] || ar cr "$1/stub/lib$f.a"
	done
}

# check_loads dies if the dynamic linker cannot load the library in $1.
check_loads() {
	local out
	out=$(ldd "$1/lib/libtorch_cpu.so" 2>&1) || die "$1/lib/libtorch_cpu.so is not a library for this machine: $out"
	out=$(printf '%s\n' "$out" | grep 'not found' || true)
	[ -z "$out" ] || die "$1/lib/libtorch_cpu.so cannot be loaded, because these are missing: $(printf '%s' "$out" | sed 's/^[[:space:]]*//' | paste -sd ';' -)"
}

# fetch_wheels fetches the pinned wheels into $part/wheels. It keeps complete wheels of an
# interrupted run, and returns 1 if pip could not fetch one.
fetch_wheels() {
	local sum file name rest plat
	mkdir -p "$part/wheels" "$part/tmp"
	while read -r sum file; do
		if [ "$(sha256 "$part/wheels/$file")" = "$sum" ]; then
			say "$file is already there"
			continue
		fi
		rm -f "$part/wheels/$file"
		# name-version-pythontag-abi-platform[.platform].whl
		name=${file%%-*} rest=${file#*-} plat=${file##*-}
		plat=${plat%.whl}
		say "fetching $name ${rest%%-*} with pip"
		TMPDIR=$part/tmp PIP_REQUIRE_VIRTUALENV=0 python3 -m pip download --disable-pip-version-check \
			--no-cache-dir --no-deps --only-binary=:all: --implementation cp --python-version 3.11 \
			--abi cp311 --platform "${plat%%.*}" -d "$part/wheels" "$name==${rest%%-*}" </dev/null || return 1
		if [ "$(sha256 "$part/wheels/$file")" != "$sum" ]; then
			rm -f "$part/wheels/$file"
			die "$file: the download is damaged or is not the pinned file (its SHA-256 is not the one in $pins). It was removed; run this again to fetch it once more"
		fi
	done <"$pins"
}

sha256() { sha256sum "$1" 2>/dev/null | cut -d ' ' -f 1; }

unpack_wheels() {
	local sum file
	say "unpacking"
	while read -r sum file; do
		case $file in
		torch-*) unzip -q "$part/wheels/$file" 'torch/include/*' 'torch/lib/libc10.so' 'torch/lib/libtorch_cpu.so' 'torch/lib/libgomp*' -d "$part/x" ;;
		# The wheel's libtorch_cpu.so needs these two even without a GPU.
		*) unzip -q -j "$part/wheels/$file" '*/libcudart.so*' '*/libcupti.so*' -d "$part/x/torch/lib" 2>/dev/null || [ $? = 11 ] ;;
		esac || die "$file cannot be unpacked (disk full?)"
	done <"$pins"
	mv "$part/x/torch" "$part/tree"
}

# fetch builds the folder next to its place and renames it, so that no reader ever sees
# an incomplete library.
fetch() {
	local part=$torch.part old=$torch.old
	rm -rf "$part/x" "$part/tree" "$part/tmp" "$old"
	mkdir -p "$part"
	fetch_wheels ||
		die "pip could not fetch libtorch (see above). Check the network and run this again, or use a libtorch of your own: make setup LIBTORCH=DIR"
	unpack_wheels
	check_loads "$part/tree"
	(
		cd "$part/tree"
		find include lib -type f -printf '%s %p\n' | LC_ALL=C sort -k 2 >../sizes
		cut -d ' ' -f 2- ../sizes | xargs -d '\n' sha256sum | cut -d ' ' -f 1 | paste -d ' ' - ../sizes >MANIFEST
	)
	install_helpers "$part/tree"
	[ ! -e "$torch" ] || mv "$torch" "$old"
	mv "$part/tree" "$torch"
	rm -rf "$part" "$old"
	say "libtorch $version is in $torch, $(wc -l <"$torch/MANIFEST") files, SHA-256 checked"
}

# use_external checks the user's own library.
use_external() {
	local f
	if [ ! -d "$torch/include" ] || [ ! -d "$torch/lib" ]; then
		[ ! -d "$torch/torch/include" ] || die "LIBTORCH=$LIBTORCH has no include/ and lib/; did you mean LIBTORCH=$LIBTORCH/torch ?"
		die "LIBTORCH=$LIBTORCH has no include/ and lib/: give an unpacked libtorch, or the torch folder of a Python torch"
	fi
	for f in lib/libtorch_cpu.so lib/libc10.so include/torch/csrc/api/include/torch/torch.h; do
		[ -f "$torch/$f" ] || die "LIBTORCH=$LIBTORCH has no $f: it is not a libtorch for linux with its headers"
	done
	[ -n "$version" ] || die "LIBTORCH=$LIBTORCH: no version in its headers (torch/version.h): libtorch 2.1 or newer is needed"
	if older "$version" 2.1; then
		die "LIBTORCH=$LIBTORCH is libtorch $version: 2.1 or newer is needed"
	fi
	check_loads "$torch"
	install_helpers "$home"
	[ $next = no ] || say "using libtorch $version in $torch (tried: 2.1.0 and 2.11.0; records name the version)"
}

# lock lets one set-up at a time work on the cache folder.
lock() {
	exec 9>"$cache/setup.lock"
	if ! flock -n 9; then
		say "another set-up is running in $cache; waiting for it"
		flock 9
	fi
}

# build compiles .bin/bench, with a sign of life while gotch compiles.
build() {
	local started=$SECONDS
	# shellcheck source=scripts/env.sh
	. scripts/env.sh
	if [ "$(go list -f '{{.Stale}}' github.com/sugarme/gotch/libtch 2>/dev/null)" = true ]; then
		say "building .bin/bench; the first time this compiles gotch's C++ bindings, 4 to 6 minutes and 1.7 GB of memory"
	fi
	# read waits 20 s for what never comes; unlike sleep, it is no process that outlives us.
	while ! read -rt 20 <> <(:); do say "still building, $((SECONDS - started)) s"; done 2>/dev/null &
	beat=$!
	trap 'kill "$beat" 2>/dev/null' EXIT
	go build -o .bin/bench ./bench || die "the build failed (see above)"
}

check_platform
mkdir -p "$cache" || die "cannot create the cache folder $cache: set XDG_CACHE_HOME to another folder"
if [ -n "${LIBTORCH:-}" ]; then
	check_prerequisites build
	lock
	use_external
else
	mode=sizes
	[ -z "${VERIFY:-}" ] || mode=full
	wrong=$(damage $mode)
	check_prerequisites "${wrong:+fetch}"
	lock
	# Again under the lock: another set-up may have mended it meanwhile.
	[ -z "$wrong" ] || wrong=$(damage $mode)
	if [ -n "$wrong" ]; then
		say "libtorch $version is needed in $torch: $wrong"
		fetch
	else
		rm -rf "$torch.part" "$torch.old"
		install_helpers "$home"
		[ $next = no ] || say "libtorch $version is in $torch, $([ $mode = full ] && echo SHA-256 || echo sizes) of $(wc -l <"$torch/MANIFEST") files checked"
	fi
fi
exec 9>&-
build
[ $next = no ] || say "done. Next: make bench${LIBTORCH:+ LIBTORCH=$LIBTORCH}   (or '. scripts/env.sh', then 'go run ./bench -help')"
