#!/usr/bin/env bash
# famebench's speed beside RecBole's, in one run on one machine with one libtorch
# version. Nothing else should be running. Takes about ten minutes.
#
# Usage: scripts/recbole/compare.sh VENV
#
# VENV is a folder for a Python environment with RecBole 1.2.1 on torch 2.11.0; it
# is made if it is not there (3 GB). RecBole runs before and after famebench, so
# that a machine that slows down or speeds up in between shows.
# Writes results/speed.json and results/tables/speed.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
venv=${1:?usage: scripts/recbole/compare.sh VENV}
threads=$(nproc)
sequences=$(ls datasets/data/amazon-beauty/sequences.txt.gz)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ ! -x "$venv/bin/python" ]; then
	python3 -m venv "$venv"
	"$venv/bin/pip" install torch==2.11.0 'numpy<2' scipy pandas tqdm colorlog colorama pyyaml \
		tensorboard texttable psutil ray==2.9.0 thop tabulate plotly scikit-learn
	"$venv/bin/pip" install recbole==1.2.1 --no-deps
fi
make build

recbole() { # BATCH STEPS
	"$venv/bin/python" scripts/recbole/steps.py "$sequences" "$1" "$2" "$threads" 2>/dev/null | tail -n 1 | tee -a "$work/recbole"
}
echo '== RecBole'
recbole 256 40
recbole 512 20
echo '== famebench'
.bin/bench -suite cost -out "$work/results" -threads "$threads"
echo '== RecBole again'
recbole 256 40
recbole 512 20

mkdir -p results/tables
python3 - "$work/recbole" "$work/results/cost.json" "$threads" >results/tables/speed.md <<'PY'
import json, platform, sys
theirs = [json.loads(line) for line in open(sys.argv[1])]
ours = json.load(open(sys.argv[2]))
cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
json.dump(dict(cpu=cpu, threads=int(sys.argv[3]), recbole=theirs, famebench=ours), open("results/speed.json", "w"), indent=1)
span = lambda v: f"{min(v):,.0f}–{max(v):,.0f}" if len(v) > 1 else f"{v[0]:,.0f}"
print("| SASRec on Beauty | RecBole 1.2.1 | famebench | ratio |\n| --- | ---: | ---: | ---: |")
def row(what, r, f):
    print(f"| {what} | {span(r)} | {f:,.0f} | {f / max(r):.0f}–{f / min(r):.0f} × |")
for batch in sorted({c["batch_targets"] for c in ours}):
    row(f"training, targets/s, {batch:,} a step",
        [r["targets_per_s"] for r in theirs if r["batch_targets"] == batch],
        next(c["targets_per_s"] for c in ours if c["batch_targets"] == batch))
row("full ranking, users/s", [r["eval_users_per_s"] for r in theirs], max(c["eval_users_per_s"] for c in ours))
print(f"| peak memory, MB | {span([r['peak_rss_mb'] for r in theirs])} | {max(c['peak_rss_mb'] for c in ours):,.0f} | |")
print(f"\n{cpu}, {sys.argv[3]} threads, d 64, 2 layers, cross-entropy over all items; RecBole before and after famebench.")
PY
cat results/tables/speed.md
