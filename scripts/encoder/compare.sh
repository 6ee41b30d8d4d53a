#!/usr/bin/env bash
# famebench's text encoder next to Hugging Face transformers, in one run on one
# machine with one libtorch version: the 12,101 titles of Amazon Beauty through
# all-MiniLM-L6-v2, at most 128 tokens each. Nothing else should be running.
#
# Usage: [THREADS=N] scripts/encoder/compare.sh VENV
#
# VENV is a folder for a Python environment with transformers on torch 2.11.0; it
# is created if it does not exist. The encoder is the one that scripts/fetch-encoder.sh
# fetched, or FAMEBENCH_ENCODER. Python runs before and after famebench, each time
# with three batch sizes, so that it is compared at its best. Writes results/encoder.json:
# texts per second, seconds of CPU time, and the largest difference between the vectors.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
venv=${1:?usage: scripts/encoder/compare.sh VENV}
threads=${THREADS:-$(nproc)}
export FAMEBENCH_ENCODER=${FAMEBENCH_ENCODER:-${XDG_CACHE_HOME:-$HOME/.cache}/famebench/encoders/all-MiniLM-L6-v2}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ ! -x "$venv/bin/python" ]; then
	python3 -m venv "$venv"
	"$venv/bin/pip" install torch==2.11.0 transformers==5.24.0
fi
make build
# shellcheck source=scripts/env.sh
. scripts/env.sh
go test -c -o "$work/pretrain.test" ./pretrain

python() {
	"$venv/bin/python" scripts/encoder/titles.py "$FAMEBENCH_ENCODER" "$threads" "$work/reference.safetensors" 2>/dev/null |
		tee -a "$work/transformers"
}
echo '== transformers'
python
echo '== famebench'
(cd pretrain && ENCODE_THREADS=$threads ENCODE_REFERENCE=$work/reference.safetensors \
	"$work/pretrain.test" -test.run '^$' -test.bench EncodeTitles -test.benchtime 3x) | tee "$work/famebench"
echo '== transformers again'
python

python3 - "$work/transformers" "$work/famebench" "$threads" >results/encoder.json <<'PY'
import json, re, sys
theirs = [json.loads(line) for line in open(sys.argv[1])]
ours = open(sys.argv[2]).read()
measured = {unit: float(value) for value, unit in re.findall(r"([\d.]+) (texts/s|cpu-s/op|max-diff)", ours)}
cpu = re.search(r"^cpu: (.*)$", ours, re.M)[1]
json.dump(dict(
    cpu=cpu, threads=int(sys.argv[3]), texts="titles of Amazon Beauty", encoder="all-MiniLM-L6-v2", transformers=theirs,
    famebench=dict(texts_per_s=measured["texts/s"], cpu_s=measured["cpu-s/op"]), max_difference=measured["max-diff"],
), sys.stdout, indent=1)
print()
PY
echo 'written: results/encoder.json'
