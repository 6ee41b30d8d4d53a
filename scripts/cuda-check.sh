#!/usr/bin/env bash
# All that must hold on a GPU, in under four minutes on a machine that has one: oracle
# cases on CUDA, CPU against CUDA, resume, and the speed in both precisions.
#
# Usage: scripts/cuda-check.sh [build]
#
# "build" compiles what the checks run, to .bin/cuda. It needs no GPU and takes minutes, so
# do it first, on any machine of the same kind; without it the check compiles if it has to.
# LIBTORCH names a CUDA build of libtorch 2.11, such as the torch folder of a Python torch;
# without it, python3's own torch is used. DEVICE is cuda unless it is set.
# Prints one line for each check, and ends with 1 if one failed and 2 if there is no GPU.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin=.bin/cuda
packages='baselines models pretrain'

fail() {
	echo "cuda-check.sh: $*" >&2
	exit 2
}

build() {
	command -v go >/dev/null || fail 'Go is needed to compile the checks; or run "scripts/cuda-check.sh build" elsewhere and copy .bin/cuda'
	# shellcheck source=scripts/env.sh
	. scripts/env.sh || fail 'run "make setup" first'
	mkdir -p "$bin"
	local package
	for package in $packages; do
		go test -c -o "$bin/$(basename "$package").test" "./$package"
	done
	go build -o "$bin/bench" ./bench
}

case ${1:-} in
build)
	build
	exit ;;
'') ;;
*) fail "usage: scripts/cuda-check.sh [build]" ;;
esac

if ! command -v nvidia-smi >/dev/null || ! nvidia-smi -L | grep -q .; then
	fail 'no GPU: nvidia-smi lists none'
fi
command -v python3 >/dev/null || fail 'python3 is needed to compare records'
if [ -z "${LIBTORCH:-}" ]; then
	LIBTORCH=$(python3 -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])' 2>/dev/null) ||
		fail 'no CUDA build of libtorch: set LIBTORCH, or install torch 2.11 for python3'
fi
export LIBTORCH
[ -f "$LIBTORCH/lib/libtorch_cuda.so" ] || fail "$LIBTORCH/lib has no libtorch_cuda.so: set LIBTORCH to a CUDA build of libtorch 2.11"
# The binaries look for the library that they were built with; this one comes first.
nvidia=$(find "$LIBTORCH/../nvidia" -maxdepth 3 -type d -name lib 2>/dev/null | tr '\n' ':' || true)
export LD_LIBRARY_PATH=$LIBTORCH/lib:$nvidia${LD_LIBRARY_PATH:-}

if [ ! -x "$bin/bench" ]; then
	echo '== build'
	build
else # built elsewhere, or before
	echo "== $bin is of $(date -r "$bin/bench" '+%Y-%m-%d %H:%M'): to check newer code, run \"scripts/cuda-check.sh build\" first"
fi
device=${DEVICE:-cuda}
began=$SECONDS
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

report() { # STATUS TEXT
	printf '%-6s %4ds  %s\n' "$1" $((SECONDS - began)) "$2"
	[ "$1" = ok ] || failed=1
}

# tests runs the tests of a package that have a case on CUDA, in a process that computes nothing on
# the CPU before: libtorch looks for CUDA once, when it is used first.
tests() { # PACKAGE
	local name log
	name=$(basename "$1")
	log=$work/$name.log
	if ! (cd "$1" && "$OLDPWD/$bin/$name.test" -test.v -test.run 'TestOracle/^CUDA$' -test.timeout 90s) >"$log" 2>&1; then
		grep -A3 -e '--- FAIL' "$log" | head -n 20
		tail -n 3 "$log"
		report FAILED "oracle cases on CUDA: $1"
	elif grep -B2 -e '--- SKIP.*CUDA' "$log"; then
		report FAILED "oracle cases on CUDA: $1 skips them"
	elif ! grep -q -e '--- PASS.*CUDA' "$log"; then
		report FAILED "oracle cases on CUDA: $1 has none"
	else
		report ok "oracle cases on CUDA: $1, $(grep -c -e '--- PASS.*CUDA' "$log") tests"
	fi
}

# train makes one short run of SASRec on Beauty without dropout, so that devices differ by
# rounding only.
train() { # OUT DEVICE FLAG…
	local out=$1 on=$2
	shift 2
	"$bin/bench" -suite quick -models sasrec -seeds 0 -out "$out" -device "$on" -set train.epochs=2 -set train.eval_every=2 \
		-set train.checkpoint_every=0.2 -set sasrec.dropout=0 -set sasrec.attn_dropout=0 "$@" >"$out.log" 2>&1
}

near() { # compares the losses of two records, and their metrics
	python3 - "$1"/runs/*.json "$2"/runs/*.json <<'PY'
import json, sys
a, b = (json.load(open(path))["result"] for path in sys.argv[1:])
losses = [abs(x["loss"] - y["loss"]) / x["loss"] for x, y in zip(a["curve"], b["curve"])]
ndcg = [r["test"]["removed"]["NDCG@10"] for r in (a, b)]
print(f"relative difference of the losses {max(losses):.1e}, NDCG@10 {ndcg[0]:.4f} and {ndcg[1]:.4f}")
sys.exit(not (len(a["curve"]) == len(b["curve"]) == 2 and max(losses) < 1e-3 and abs(ndcg[0] - ndcg[1]) < 2e-3))
PY
}

same() { # whether two records have the same result
	python3 -c 'import json, sys; a, b = (json.load(open(p))["result_sha256"] for p in sys.argv[1:]); sys.exit(a != b)' \
		"$1"/runs/*.json "$2"/runs/*.json
}

for package in $packages; do
	tests "$package"
done

if train "$work/cpu" cpu && train "$work/gpu" "$device"; then
	if text=$(near "$work/cpu" "$work/gpu" 2>&1); then report ok "CPU against CUDA: $text"; else report FAILED "CPU against CUDA: $text"; fi
else
	tail -n 5 "$work"/*.log
	report FAILED 'CPU against CUDA: a run failed'
fi

# Resume: stop a run once it has written a checkpoint, and go on.
train "$work/resumed" "$device" &
run=$!
for _ in $(seq 300); do
	compgen -G "$work/resumed/state/*.checkpoint" >/dev/null && break
	kill -0 "$run" 2>/dev/null || break
	sleep .1
done
pkill -INT -P "$run" || true # $run is a shell, which ignores the signal in the background
wait "$run" && stopped=0 || stopped=$?
if [ "$stopped" != 130 ]; then
	report FAILED "resume: the run ended with $stopped before it could be stopped, expected 130"
elif ! train "$work/resumed" "$device"; then
	tail -n 5 "$work/resumed.log"
	report FAILED 'resume: the second run failed'
elif same "$work/gpu" "$work/resumed"; then
	report ok 'resume: the same record as of an undisturbed run'
else
	report FAILED 'resume: the record differs from that of an undisturbed run'
fi

# Pre-training runs on the CPU, then the model on the GPU. The encoder is a tiny one with random weights.
if "$bin/bench" -suite quick -models fame-plus -seeds 0 -out "$work/texts" -device "$device" -set train.epochs=1 \
	-set pretrain.encoder="$PWD/internal/oracle/testdata/text_tiny_bert/model" -set pretrain.epochs=1 >"$work/texts.log" 2>&1; then
	report ok 'FAME+, pre-trained on the CPU'
else
	tail -n 5 "$work/texts.log"
	report FAILED 'FAME+, pre-trained on the CPU'
fi

for precision in float32 bfloat16; do
	out=$work/cost-$precision
	if timeout 60 "$bin/bench" -suite cost -models sasrec,fame -device "$device" -out "$out" -set train.precision=$precision >"$out.log" 2>&1; then
		report ok "speed, $precision"
		cat "$out.log"
	else
		tail -n 5 "$out.log"
		report FAILED "speed, $precision"
	fi
done
exit $failed
