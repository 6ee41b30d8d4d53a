#!/bin/bash
#SBATCH --job-name={{.Job}}
#SBATCH --array=0-{{.Last}}
#SBATCH --output="{{.Dir}}/%A_%a.log"
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
{{with .Options}}#SBATCH {{.}}
{{end}}# A worker of the suite {{.Suite}}. It takes the next run that nobody holds until none is left. Two
# minutes before the time limit Slurm sends USR1: the worker keeps a checkpoint, and its job is
# queued again. TERM, which scancel sends, ends it for good.
say() { printf 'bench: %s on %s: %s\n' "$(date +%FT%T)" "${SLURMD_NODENAME:-?}" "$*" >&2; }

if [ ! -e {{quote .Script}} ]; then
	say {{quote (printf "no file %s here: expected a results folder that all nodes share (-out)" .Script)}}
	exit 2
fi
if [ ! -x {{quote .Binary}} ]; then
	say {{quote (printf "no program %s here: expected a folder that all nodes share" .Binary)}}
	exit 2
fi
limit=
trap 'limit=near; kill -TERM "$worker" 2>/dev/null' USR1
trap 'kill -TERM "$worker" 2>/dev/null' TERM
{{command .Worker}}{{if .Threads}} -threads {{.Threads}}{{else}} -threads "${SLURM_CPUS_PER_TASK:-${SLURM_CPUS_ON_NODE:-1}}"{{end}} &
worker=$!
while wait "$worker"; kill -0 "$worker" 2>/dev/null; do :; done # a signal ends wait early
wait "$worker"
code=$?
if [ "$limit" = near ] && [ $code = 130 ]; then
	say 'the time limit is near: the job is queued again'
	scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" && exit 0
	say 'it cannot be queued again (see above): call the command that submitted it again'
fi
[ $code -lt 129 ] || [ $code = 130 ] || say "the worker was killed by signal $((code - 128)); other workers take over its run"
exit $code
