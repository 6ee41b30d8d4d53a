#!/usr/bin/env bash
# Runs a small suite with two workers on a Slurm of two nodes on this machine. One worker is
# killed, one reaches its time limit, and a node goes down under it. Then compares records and
# tables with those of a local run: same results, no run twice, none lost.
#
#   scripts/slurm-check.sh [RUNS]   RUNS: 8 (default) or more
#
# Takes two to three minutes and needs .bin/bench (make build). Fails if Slurm cannot be installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
runs=${1:-8}
work=$(mktemp -d)
root=()
[ "$(id -u)" = 0 ] || root=(sudo)

say() { printf 'slurm-check: %3d s: %s\n' "$SECONDS" "$*"; }
die() {
	say "$*" >&2
	{ squeue --array; tail -n 20 "$work"/cluster/state/slurm/*.log; } >&2 2>/dev/null || true
	exit 1
}
finish() {
	scripts/slurm-local.sh stop "$work/slurm"
	"${root[@]}" rm -rf "$work"
}
trap finish EXIT

# await SECONDS WHAT COMMAND...: waits until the command succeeds.
await() {
	local until=$((SECONDS + $1)) what=$2
	shift 2
	until "$@"; do
		[ $SECONDS -lt $until ] || die "timed out: $what"
		sleep .3
	done
	say "$what"
}

config() {
	cat >"$work/experiments.toml" <<-END
		[models.sasrec]
		hidden = 32
		[train]
		patience = 1000
		checkpoint_every = 1
		[datasets.beauty-8core]
		name = "amazon-beauty"
		k_core = 8
		[suites.check]
		models = ["popularity", "markov", "sasrec"]
		datasets = ["beauty-8core"]
		seeds = [$(seq -s , 1 $((runs - 2)))]
		[suites.check.train]
		epochs = $1
	END
}

bench=(.bin/bench -config "$work/experiments.toml" -suite check -threads 1)
submit() { "${bench[@]}" -out "$work/cluster" -engine slurm -workers 2 -slurm "--time=30" 2>&1; }
status() { "${bench[@]}" -out "$work/cluster" -status -json; }

# holder TASK: process that works on a run as this task of the array.
holder() { status | sed -n "s/.*by process \([0-9]*\) on [^,]*, job ${array}_$1 .*/\1/p"; }
works() { [ -n "$(holder "$1")" ]; }
# both: both workers have a run. victim is worker 0, the parent of its process. It is read at once:
# that process may end with its run, and without a number /proc//stat has other fields.
victim=
both() {
	local pid
	pid=$(holder 0)
	[ -n "$pid" ] && works 1 && victim=$(cut -d ' ' -f 4 "/proc/$pid/stat" 2>/dev/null)
}
logged() { grep -qs "$2" "$work/cluster/state/slurm/${array}_$1.log"; }
field() { scontrol show job "${array}_1" | sed -n "s/.*\b$1=\([^ ]*\).*/\1/p"; }
restarted() { [ "$(field Restarts)" -ge "$1" ]; }
empty() { [ -z "$(squeue --noheader --array)" ]; }

# One run must be long enough for something to happen meanwhile, on a machine of any speed.
config 5
"${bench[@]}" -models sasrec -seeds 0 -out "$work/pace" >/dev/null 2>"$work/pace.log"
seconds=$(sed -n 's/.*"train_seconds": \([0-9.]*\).*/\1/p' "$work"/pace/runs/*-sasrec-*[0-9a-f].json)
epochs=$(awk -v s="$seconds" -v runs="$runs" 'BEGIN { e = int(5 * (runs > 8 ? 4 : 8) / s); print e < 5 ? 5 : e }')
config "$epochs"
say "5 epochs take $seconds s, so each of $runs runs has $epochs"

started=$(scripts/slurm-local.sh start "$work/slurm") || die 'Slurm does not start (see above)'
eval "$started"
say 'Slurm is up'
out=$(submit) || die "$out"
array=$(printf '%s\n' "$out" | sed -n 's/.* as job \([0-9]*\); logs.*/\1/p')
[ -n "$array" ] || die "nothing was submitted: $out"
[[ $(submit) == *'nothing to submit'* ]] || die 'the second call submitted a second copy'

await 120 'both workers have a run' both
scontrol update "JobId=${array}_1" TimeLimit=2 # less than two minutes are left of it
kill -9 "$victim"
await 120 'worker 0 was killed' logged 0 'killed by signal 9'
await 120 'worker 1 has reached its time limit' logged 1 'the time limit is near: the job is queued again'
"${root[@]}" env "SLURM_CONF=$SLURM_CONF" scontrol update "JobId=${array}_1" TimeLimit=30
await 120 'worker 1 is back' eval 'restarted 1 && works 1'
node=$(field NodeList)
"${root[@]}" env "SLURM_CONF=$SLURM_CONF" scontrol update "NodeName=$node" State=DOWN Reason=check
await 120 "$node is down and the job of worker 1 is queued again" restarted 2
[[ $(submit) == *'submitted 1 worker '* ]] || die 'the third call did not add the missing worker'
"${root[@]}" env "SLURM_CONF=$SLURM_CONF" scontrol update "NodeName=$node" State=RESUME 2>/dev/null || true # it may have come back by itself

# Meanwhile the same runs here.
"${bench[@]}" -out "$work/local" >/dev/null 2>"$work/local.log" || die "$(cat "$work/local.log")"
say 'the local run is done'
await $((30 * runs)) 'all jobs have ended' empty

results() { (cd "$work/$1/runs" && grep -h '"id"\|"result_sha256"' ./*[0-9a-f].json); }
[ "$(results local | grep -c '"id"')" = "$runs" ] || die "expected $runs local records"
diff <(results local) <(results cluster) || die 'the records differ'
diff -r "$work/local/tables" "$work/cluster/tables" || die 'the tables differ'
finished=$(cat "$work"/cluster/state/slurm/*_*.log | grep -o '[^ ]*: done in' | sort)
if [ "$(printf '%s\n' "$finished" | wc -l)" != "$runs" ] || [ -n "$(printf '%s\n' "$finished" | uniq -d)" ]; then
	die "expected each of $runs runs to be done once, got: $finished"
fi
say "$runs runs: records and tables as in a local run, each run done once"
