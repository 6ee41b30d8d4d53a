#!/usr/bin/env python3
"""Checks the files of `bench -trec ID` with an evaluator that shares no code with the harness.

Usage: scripts/trec-check.py RESULTS ID

RESULTS is a results folder with runs/ID.json, runs/ID.ranks.tsv.gz and the files of -trec, trec/ID.*.
pytrec_eval, which uses trec_eval's C code, reads the exported files. Its HR (success) and NDCG must agree
with the record to 1e-6 under both seen-item rules, and its MRR with the ranks file, cut at the lists' length.
The exit code is 1 if one does not. Needs, in an environment of its own:

    python3 -m venv VENV && VENV/bin/pip install pytrec_eval-terrier==0.5.11
"""

import gzip
import json
import sys
from pathlib import Path

import pytrec_eval

TOLERANCE = 1e-6
CUTOFFS = (1, 5, 10, 20)

if len(sys.argv) != 3:
    sys.exit(__doc__)
results, run_id = Path(sys.argv[1]), sys.argv[2]
record = json.loads((results / "runs" / f"{run_id}.json").read_text(encoding="utf-8"))["result"]
with open(results / "trec" / f"{run_id}.qrels", encoding="utf-8") as lines:
    qrels = pytrec_eval.parse_qrel(lines)
failures = 0


def check(name, got, want):
    global failures
    ok = abs(got - want) <= TOLERANCE
    failures += not ok
    print(f"{'ok  ' if ok else 'FAIL'} {name:18} evaluator {got:.9f}  record {want:.9f}")


for column, rule in enumerate(("kept", "removed")):
    with open(results / "trec" / f"{run_id}.{rule}.run", encoding="utf-8") as lines:
        run = pytrec_eval.parse_run(lines)
    with gzip.open(results / "runs" / f"{run_id}.ranks.tsv.gz", "rt") as lines:
        ranks = [int(line.split()[column]) for line in lines.readlines()[1:]]
    depth = max(len(items) for items in run.values())
    cutoffs = [k for k in CUTOFFS if k <= depth]
    names = ",".join(map(str, cutoffs))
    measures = {f"success.{names}", f"ndcg_cut.{names}", "recip_rank"}
    users = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
    check(f"{rule} users", len(users), record["users"])

    def mean(measure):
        return sum(user[measure] for user in users.values()) / len(users)

    for k in cutoffs:
        check(f"{rule} HR@{k}", mean(f"success_{k}"), record["test"][rule][f"HR@{k}"])
        check(f"{rule} NDCG@{k}", mean(f"ndcg_cut_{k}"), record["test"][rule][f"NDCG@{k}"])
    check(f"{rule} MRR@{depth}", mean("recip_rank"), sum(1 / r for r in ranks if r <= depth) / len(ranks))

if failures:
    sys.exit(f"{run_id}: {failures} values differ by more than {TOLERANCE}")
