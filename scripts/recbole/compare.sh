#!/usr/bin/env bash
# famebench's speed and RecBole's, in one run on one machine with one libtorch
# version: the models that both have, and DuoRec next to RecBole's SASRec. Nothing
# else should be running. Takes about ten minutes.
#
# Usage: scripts/recbole/compare.sh VENV
#
# VENV is a folder for a Python environment with RecBole 1.2.1 on torch 2.11.0; it
# is created if it does not exist (3 GB). RecBole runs before and after famebench, so
# that a change of the machine's speed in between is noticed.
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

recbole() { # MODEL BATCH STEPS
	"$venv/bin/python" scripts/recbole/steps.py "$sequences" "$1" "$2" "$3" "$threads" 2>/dev/null | tail -n 1 | tee -a "$work/recbole"
}
recbole_all() {
	recbole SASRec 256 40
	recbole SASRec 512 20
	recbole BERT4Rec 256 20
	recbole CORE 256 20
}
echo '== RecBole'
recbole_all
echo '== famebench'
# RecBole's share of masks, for more of them a sequence would make ours look faster.
.bin/bench -suite cost -out "$work/results" -threads "$threads" -set bert4rec.train.mask_ratio=0.2
echo '== RecBole again'
recbole_all

mkdir -p results/tables
# With -set it is not the whole suite, so its outputs have a folder of their own.
python3 - "$work/recbole" "$work"/results/custom/cost-*/cost.json "$threads" >results/tables/speed.md <<'PY'
import json, platform, sys
theirs = [json.loads(line) for line in open(sys.argv[1])]
ours = json.load(open(sys.argv[2]))
cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
json.dump(dict(cpu=cpu, threads=int(sys.argv[3]), recbole=theirs, famebench=ours), open("results/speed.json", "w"), indent=1)
span = lambda v: f"{min(v):,.0f}–{max(v):,.0f}" if len(v) > 1 else f"{v[0]:,.0f}"
print("| on Beauty | RecBole 1.2.1 | famebench | ratio |\n| --- | ---: | ---: | ---: |")
def row(what, r, f):
    low, high = f / max(r), f / min(r)
    ratio = f"{low:.0f}–{high:.0f}" if f"{low:.0f}" != f"{high:.0f}" else f"{low:.0f}"
    print(f"| {what} | {span(r)} | {f:,.0f} | {ratio} × |")
def recbole(model, batch, key):
    return [r[key] for r in theirs if r["model"] == model and r["batch"] == batch]
def cost(model, batch):
    return next(c for c in ours if c["model"] == model and c["batch_targets"] == batch)
for batch in (256, 512):
    row(f"SASRec training, {batch} per step: targets/s", recbole("SASRec", batch, "targets_per_s"), cost("sasrec", batch)["targets_per_s"])
row("BERT4Rec training, 256 per step: masked positions/s", recbole("BERT4Rec", 256, "targets_per_s"), cost("bert4rec", 256)["targets_per_s"])
row("CORE training, 256 per step: targets/s", recbole("CORE", 256, "targets_per_s"), cost("core", 256)["targets_per_s"])
row("DuoRec training, 256 per step, compared with RecBole's SASRec: targets/s", recbole("SASRec", 256, "targets_per_s"), cost("duorec", 256)["targets_per_s"])
row("SASRec full ranking: users/s", recbole("SASRec", 256, "eval_users_per_s") + recbole("SASRec", 512, "eval_users_per_s"),
    max(c["eval_users_per_s"] for c in ours if c["model"] == "sasrec"))
for name, key in (("SASRec", "sasrec"), ("BERT4Rec", "bert4rec"), ("CORE", "core")):
    print(f"| {name}, 256 per step: peak memory, MB | {span(recbole(name, 256, 'peak_rss_mb'))} | {cost(key, 256)['peak_rss_mb']:,.0f} | |")
samples = [r for r in theirs if r["model"] == "BERT4Rec"]
print(f"""
{cpu}, {sys.argv[3]} threads, d 64, 2 layers, cross-entropy over all items; RecBole before and after famebench.
RecBole's batch is in prefixes: its BERT4Rec scores {sum(r['targets_per_s'] for r in samples) / sum(r['samples_per_s'] for r in samples):.2f} masked positions in each of {span([r['samples_per_s'] for r in samples])}
prefixes/s. DuoRec encodes three views of every prefix. A step of FAME (4 heads, 4 experts) takes {max(cost("sasrec", b)["targets_per_s"] / cost("fame", b)["targets_per_s"] for b in (256, 512)):.2f} times as long
as one of SASRec.""")
PY
cat results/tables/speed.md
