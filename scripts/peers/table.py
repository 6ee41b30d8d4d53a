"""The table of compare.sh, on standard output, and its numbers as JSON.

Usage: table.py FOLDER THREADS OUT.json
FOLDER has recbole and rectools, with one JSON object per line, and float32/cost.json and
bfloat16/cost.json.
"""

import json
import platform
import sys

folder, threads, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
recbole, rectools = ([json.loads(line) for line in open(f"{folder}/{name}")] for name in ("recbole", "rectools"))
ours = [dict(cost, precision=p) for p in ("float32", "bfloat16") for cost in json.load(open(f"{folder}/{p}/cost.json"))]
cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
           platform.machine())
with open(out, "w") as f:
    json.dump(dict(cpu=cpu, threads=threads, recbole=recbole, rectools=rectools, famebench=ours), f, indent=1)


def span(values):
    low, high = f"{min(values):,.0f}", f"{max(values):,.0f}"
    return low if low == high else f"{low}–{high}"


def peer(rows, model, batch, key):
    """The values in the precision in which the peer is faster, or smaller where key is a size."""
    of = lambda p: [r[key] for r in rows if (r["model"], r["batch"], r["precision"]) == (model, batch, p)]
    better = min if key == "peak_rss_mb" else max
    return better(of("float32"), of("bf16-mixed"), key=lambda values: sum(values) / len(values))


def own(model, batch, key, precision):
    return next(c[key] for c in ours if (c["model"], c["batch_targets"], c["precision"]) == (model, batch, precision))


def ratio(ours, theirs):
    return span([ours / max(theirs), ours / min(theirs)]) + " ×"


def row(what, batch, key, model, name):
    a = peer(recbole, name, batch, key)
    b = peer(rectools, name, batch, key) if model == "sasrec" else None
    f32, b16 = own(model, batch, key, "float32"), own(model, batch, key, "bfloat16")
    cells = [what, span(a), span(b) if b else "–", f"{f32:,.0f}", f"{b16:,.0f}"]
    if key == "peak_rss_mb":
        cells += ["", ""]
    else:
        cells += [f"{ratio(f32, a)}, {ratio(b16, a)}", f"{ratio(f32, b)}, {ratio(b16, b)}" if b else "–"]
    print("| " + " | ".join(cells) + " |")


print("| on Beauty | RecBole 1.2.1 | RecTools 0.19 | famebench float32 | bfloat16 | ratio to RecBole | ratio to RecTools |")
print("| --- |" + " ---: |" * 6)
for batch in (256, 512):
    row(f"SASRec training, {batch} per step: targets/s", batch, "targets_per_s", "sasrec", "SASRec")
row("BERT4Rec training, 256 per step: masked positions/s", 256, "targets_per_s", "bert4rec", "BERT4Rec")
row("CORE training, 256 per step: targets/s", 256, "targets_per_s", "core", "CORE")
row("DuoRec training, 256 per step, compared with RecBole's SASRec: targets/s", 256, "targets_per_s", "duorec", "SASRec")
row("SASRec full ranking: users/s", 512, "eval_users_per_s", "sasrec", "SASRec")
for name in ("SASRec", "BERT4Rec", "CORE"):
    row(f"{name}, 256 per step: peak memory, MB", 256, "peak_rss_mb", name.lower(), name)
print()
print("| in the same run | targets/s | loss, GFLOP/s | of the time | product, GFLOP/s | loss of product |")
print("| --- |" + " ---: |" * 5)
for c in ours:
    print(f"| {c['model']}, {c['batch_targets']} per step, {c['precision']} | {c['targets_per_s']:,.0f} "
          f"| {c['loss_gflops']:,.0f} | {c['loss_share']:.0%} | {c['product_gflops']:,.0f} "
          f"| {c['loss_gflops'] / c['product_gflops']:.0%} |")

masks = [r for r in recbole if r["model"] == "BERT4Rec"]
share = sum(r["targets_per_s"] for r in masks) / sum(r["samples_per_s"] for r in masks)
fame = {b: own("sasrec", b, "targets_per_s", "float32") / own("fame", b, "targets_per_s", "float32") for b in (256, 512)}
print(f"""
{cpu}, {threads} threads, d 64, 2 layers, cross-entropy over all items. The peers ran before and after famebench, in
float32 and in bf16-mixed; the table has the better of the two. Two ratios: of famebench in float32 and in bfloat16.
RecBole's batch is in prefixes: its BERT4Rec scores {share:.2f} masked positions in each of
{span([r['samples_per_s'] for r in masks])} prefixes/s. RecTools' is in whole users, of about as many targets. DuoRec encodes three views of
every prefix. In float32, a step of FAME (4 heads, 4 experts) takes {fame[256]:.2f} times as long as one of SASRec with 256 targets,
and {fame[512]:.2f} times with 512.""")
