#!/usr/bin/env bash
# Fetches public data sets from their official sites. Safe to repeat: complete
# files are kept, and an interrupted download continues where it stopped.
#
#   scripts/fetch-data.sh NAME…                          fetch these data sets
#   scripts/fetch-data.sh --trust-first-download NAME…   also files without a checksum, see below
#   scripts/fetch-data.sh --list                         names, sizes, sites, terms
#   scripts/fetch-data.sh --help                         this text
#
# Files go to data/NAME of the clone, where bench looks for a data set of that
# name. Git ignores this folder.
#
# Environment:
#   FAMEBENCH_DATA=DIR     use DIR instead of data/ (set it for bench too)
#   FAMEBENCH_MIRROR=URL   fetch URL/FILE instead of the official address; http:// is
#                          allowed for a mirror only
#
# Checksums: GroupLens publishes an MD5 of each MovieLens archive; these are in
# scripts/data.md5 and must match. The Amazon files have no published checksum, so
# nothing is fetched until you choose:
#   - You know the SHA-256 of a file: write it to data/NAME/FILE.sha256 first. The
#     file must match.
#   - You do not: --trust-first-download takes the first download as it is, writes
#     its SHA-256 to FILE.sha256, and compares from then on. This notices a file that
#     changes later, but not one that was wrong from the start; opening the data set compares
#     its counts with the published ones.
#
# Needs curl, gzip and unzip. Exit status: 0 all files are there, 1 something failed, 2 usage.
set -euo pipefail

unset CDPATH
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
data=${FAMEBENCH_DATA:-$(dirname "$here")/data}
pins=$here/data.md5
movielens=https://files.grouplens.org/datasets/movielens
amazon=https://snap.stanford.edu/data/amazon/productGraph/categoryFiles

say() { printf 'fetch-data: %s\n' "$*"; }
warn() { say "$*" >&2; }

usage() { sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

list() {
	cat <<-EOF
		name           download      holds
		ml-100k            5 MB      u.data, u.item
		ml-1m              6 MB      ratings.dat, movies.dat
		ml-20m           190 MB      ratings.csv, movies.csv
		amazon-beauty    100-300 MB  reviews_Beauty_5.json.gz, meta_Beauty.json.gz
		amazon-sports    100-300 MB  reviews_Sports_and_Outdoors_5.json.gz, meta_Sports_and_Outdoors.json.gz
		amazon-toys      100-300 MB  reviews_Toys_and_Games_5.json.gz, meta_Toys_and_Games.json.gz

		MovieLens: $movielens (checksums are published)
		  Research use; cite Harper and Konstan 2015; may not be passed on. Terms: the README beside the data.
		Amazon 2014: $amazon (no checksums: --trust-first-download, see --help)
		  Research use; cite McAuley et al. 2015 and He and McAuley 2016.
		The Amazon sequences are embedded in the program; these files add texts, categories and times.
	EOF
}

sha256() { if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1; }
md5() { if command -v md5sum >/dev/null; then md5sum "$1" | cut -d ' ' -f 1; else command md5 -q "$1"; fi; }

# published NAME: its published MD5; fails if there is none.
published() { awk -v name="$1" '$2 == name { print $1; found = 1 } END { exit !found }' "$pins"; }

# right NAME FILE: FILE is a complete NAME. Its published MD5 decides, else the SHA-256
# that the user gave or that the first download had, else gzip's own check.
right() {
	local name=$1 file=$2 want
	[ -s "$file" ] || return 1
	if want=$(published "$name"); then
		[ "$(md5 "$file")" = "$want" ]
	elif [ -f "$folder/$name.sha256" ]; then
		[ "$(sha256 "$file")" = "$(cut -d ' ' -f 1 "$folder/$name.sha256")" ]
	else
		gzip -t "$file" 2>/dev/null
	fi
}

# download URL FILE: FILE.part grows until it is complete, and is then renamed to FILE.
download() {
	local url=$1 file=$2 name status=0
	name=$(basename "$file")
	if right "$name" "$file"; then
		say "$name is already there"
	else
		if [ -f "$file" ]; then
			warn "$file is not what it was or should be; fetching it again"
			mv -f "$file" "$file.old"
		fi
		[ -z "${FAMEBENCH_MIRROR:-}" ] || url=$FAMEBENCH_MIRROR/$name
		if ! right "$name" "$file.part"; then
			say "fetching $url"
			resume "$url" "$file.part" || status=$?
			if [ "$status" -ne 0 ] && ! right "$name" "$file.part"; then
				warn "curl failed (exit status $status) on $url; run this again to continue where it stopped"
				return 1
			fi
		fi
		if ! right "$name" "$file.part"; then
			# The part is useless: the next attempt begins again.
			warn "$name is damaged or not the published file (MD5 $(md5 "$file.part"), SHA-256 $(sha256 "$file.part"))"
			mv -f "$file.part" "$file.bad"
			if [ -f "$folder/$name.sha256" ]; then
				warn "expected the SHA-256 in $folder/$name.sha256, that of the first download or yours; if the site has a new version and you want it, remove that file"
			fi
			warn "left it at $file.bad; run this again to fetch it once more"
			return 1
		fi
		mv -f "$file.part" "$file" || return 1
		rm -f "$file.old" "$file.bad"
	fi
	if ! published "$name" >/dev/null && [ ! -f "$folder/$name.sha256" ]; then
		printf '%s  %s\n' "$(sha256 "$file")" "$name" >"$folder/$name.sha256.new" &&
			mv -f "$folder/$name.sha256.new" "$folder/$name.sha256" || return 1
		say "no checksum is published for $name: it was taken as it is. Its SHA-256 was written to $name.sha256 and must match from now on"
	fi
}

# resume URL FILE: curl continues where FILE ends, or begins again if the server cannot
# do that.
resume() {
	local url=$1 file=$2 status code try
	local curl=(curl --fail --location --proto "=$protocols" --proto-redir "=$protocols" --retry 3 --show-error --output "$file" --write-out '%{http_code}')
	if [ -t 2 ]; then curl+=(--progress-bar); else curl+=(--silent); fi
	for try in 1 2 3; do
		status=0
		code=$("${curl[@]}" --continue-at - "$url") || status=$?
		case $status-$code in
		0-*) return 0 ;;
		33-* | 36-* | *-416) # no ranges, or none after what is there
			right "$(basename "${file%.part}")" "$file" && return 0
			warn "the server cannot go on with $(basename "$file"); fetching it from the start"
			rm -f "$file"
			;;
		18-* | 28-* | 56-* | 92-*) warn "the connection broke off (try $try of 3)" ;;
		*) return "$status" ;;
		esac
	done
	return "$status"
}

# unpack ZIP FILE…: unpacks these files of the archive's folder, each completely or not at all.
unpack() {
	local zip=$1 new=$folder/.unpack file missing=''
	shift
	for file; do [ -s "$folder/$file" ] && [ ! "$zip" -nt "$folder/$file" ] || missing=yes; done
	[ -n "$missing" ] || return 0
	rm -rf "$new"
	mkdir "$new" || return 1
	unzip -q -j -o "$zip" "${@/#/*/}" -d "$new" || { rm -rf "$new"; warn "cannot unpack $zip"; return 1; }
	for file; do
		touch "$new/$file" # newer than the archive, whatever date the archive gives it
		mv -f "$new/$file" "$folder/$file" || return 1
	done
	rmdir "$new"
}

# vouched FILE…: each has a checksum, or the user accepts them without one.
vouched() {
	local file missing=()
	[ -z "$trust" ] || return 0
	for file; do
		published "$file" >/dev/null || [ -s "$folder/$file.sha256" ] || missing+=("$file")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	warn "expected a checksum of ${missing[*]}, and the site publishes none: nothing could notice a wrong file"
	warn "add --trust-first-download to take the first download as it is, or write the SHA-256 that you know to $folder/FILE.sha256"
	return 1
}

# fetch NAME
fetch() {
	local name=$1 category
	folder=$data/$name
	mkdir -p "$folder" || return 1
	case $name in
	ml-*)
		download "$movielens/$name.zip" "$folder/$name.zip" || return 1
		case $name in
		ml-20m) unpack "$folder/$name.zip" README.txt ratings.csv movies.csv || return 1 ;;
		ml-1m) unpack "$folder/$name.zip" README ratings.dat movies.dat || return 1 ;;
		ml-100k) unpack "$folder/$name.zip" README u.data u.item || return 1 ;;
		esac
		;;
	amazon-*)
		case $name in
		amazon-beauty) category=Beauty ;;
		amazon-sports) category=Sports_and_Outdoors ;;
		amazon-toys) category=Toys_and_Games ;;
		esac
		vouched "reviews_${category}_5.json.gz" "meta_$category.json.gz" || return 1
		download "$amazon/reviews_${category}_5.json.gz" "$folder/reviews_${category}_5.json.gz" || return 1
		download "$amazon/meta_$category.json.gz" "$folder/meta_$category.json.gz" || return 1
		;;
	esac
	say "$name is complete in $folder"
}

protocols=https
case ${FAMEBENCH_MIRROR:-} in http://*) protocols=http,https ;; esac
names=() trust=
for arg; do
	case $arg in
	--trust-first-download) trust=yes ;;
	-h | -help | --help) usage; exit 0 ;;
	--list) list; exit 0 ;;
	ml-20m | ml-1m | ml-100k | amazon-beauty | amazon-sports | amazon-toys) names+=("$arg") ;;
	*)
		warn "unknown name $arg; --list shows what there is"
		exit 2
		;;
	esac
done
if [ ${#names[@]} -eq 0 ]; then
	usage >&2
	exit 2
fi
for tool in curl gzip unzip awk; do
	command -v "$tool" >/dev/null || {
		warn "needs $tool (apt-get install $tool)"
		exit 1
	}
done
failed=()
for name in "${names[@]}"; do fetch "$name" || failed+=("$name"); done
if [ ${#failed[@]} -gt 0 ]; then
	warn "not complete: ${failed[*]}"
	exit 1
fi
