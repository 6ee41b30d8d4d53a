#!/usr/bin/env bash
# famebench's speed and that of its peers, in one run on one machine with one libtorch
# version: RecBole 1.2.1 (SASRec, BERT4Rec, CORE) and RecTools 0.19.0 (SASRec), each in
# float32 and in bf16-mixed. Nothing else should be running. Takes about half an hour.
#
# Usage: scripts/peers/compare.sh VENV
#
# VENV is the folder that scripts/peers/setup.sh has filled. The peers run before and after
# famebench, so that a change of the machine's speed in between is noticed.
# Writes results/speed.json and results/tables/speed.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

fail() {
	echo "compare.sh: $*" >&2
	exit 2
}
[ $# = 1 ] || fail 'usage: scripts/peers/compare.sh VENV'
recbole=$1/bin/python rectools=$1-rectools/bin/python
threads=$(nproc)
sequences=datasets/data/amazon-beauty/sequences.txt.gz

needs() { # PYTHON PACKAGE VERSION
	[ -x "$1" ] || fail "there is no $1: set the peers up first with scripts/peers/setup.sh (6 GB)"
	local have
	have=$("$1" -c 'import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))' "$2" 2>/dev/null) || have=none
	[ "${have%%+*}" = "$3" ] || fail "$1: expected $2 $3, got $have: repeat scripts/peers/setup.sh"
}
needs "$recbole" recbole 1.2.1
needs "$recbole" torch 2.11.0
needs "$rectools" rectools 0.19.0
needs "$rectools" torch 2.11.0
[ -f "$sequences" ] || fail "there is no $sequences: run scripts/fetch-data.sh"
make build

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

measure() { # FILE PYTHON SCRIPT ARGUMENT…
	local file=$1
	shift
	if ! "$@" >"$work/out" 2>"$work/err"; then
		tail -n 5 "$work/err" >&2
		echo "compare.sh: failed: $*" >&2
		exit 1
	fi
	tail -n 1 "$work/out" | tee -a "$work/$file"
}
peers() {
	local precision
	for precision in float32 bf16-mixed; do
		measure recbole "$recbole" scripts/peers/recbole_steps.py "$sequences" SASRec 256 40 "$threads" "$precision"
		measure recbole "$recbole" scripts/peers/recbole_steps.py "$sequences" SASRec 512 20 "$threads" "$precision"
		measure recbole "$recbole" scripts/peers/recbole_steps.py "$sequences" BERT4Rec 256 20 "$threads" "$precision"
		measure recbole "$recbole" scripts/peers/recbole_steps.py "$sequences" CORE 256 20 "$threads" "$precision"
		measure rectools "$rectools" scripts/peers/rectools_steps.py "$sequences" 256 40 "$threads" "$precision"
		measure rectools "$rectools" scripts/peers/rectools_steps.py "$sequences" 512 20 "$threads" "$precision"
	done
}
echo '== peers'
peers
for precision in float32 bfloat16; do
	echo "== famebench, $precision"
	# RecBole's share of masks, for more of them a sequence would make ours look faster.
	.bin/bench -suite cost -out "$work/$precision" -threads "$threads" -set bert4rec.train.mask_ratio=0.2 \
		-set train.precision=$precision
	# With -set it is not the whole suite, so its outputs have a folder of their own.
	mv "$work/$precision"/custom/cost-*/cost.json "$work/$precision/cost.json"
done
echo '== peers again'
peers

mkdir -p results/tables
python3 scripts/peers/table.py "$work" "$threads" results/speed.json >"$work/speed.md"
mv "$work/speed.md" results/tables/speed.md
cat results/tables/speed.md
