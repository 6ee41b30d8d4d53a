#!/usr/bin/env bash
# A Slurm of two nodes with one processor each on this machine's loopback, for tests.
#
#   scripts/slurm-local.sh start DIR   starts it and prints the variable to export
#   scripts/slurm-local.sh stop DIR    ends what start began
#
# Installs Debian's or Ubuntu's packages if they are missing. Uses sudo if it is not root.
# Configuration, state and logs are in DIR.
set -euo pipefail

say() { printf 'slurm-local: %s\n' "$*" >&2; }
die() {
	say "$*"
	exit 1
}

if [ $# != 2 ] || { [ "$1" != start ] && [ "$1" != stop ]; }; then
	sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
	exit 2
fi
root=()
[ "$(id -u)" = 0 ] || root=(sudo)
mkdir -p "$2"
dir=$(cd "$2" && pwd)

# stop ends jobs first: a slurmstepd outlives the daemons, and when its job ends it reports that
# to the next slurmctld on the port, which takes it for the end of its own job of that number.
stop() {
	local f pid
	if [ -e "$dir/slurmctld.pid" ]; then
		export SLURM_CONF=$dir/slurm.conf
		scancel --quiet --partition=p || true
		for _ in $(seq 100); do
			[ -n "$(squeue --noheader 2>/dev/null)" ] || break
			sleep .2
		done
	fi
	for f in slurmd-n1 slurmd-n2 slurmctld munged; do
		pid=$("${root[@]}" cat "$dir/$f.pid" 2>/dev/null) || continue
		"${root[@]}" kill "$pid" 2>/dev/null || true
		for _ in $(seq 50); do
			"${root[@]}" kill -0 "$pid" 2>/dev/null || break
			sleep .1
		done
		"${root[@]}" rm -f "$dir/$f.pid"
	done
}

install() {
	local missing=()
	for f in slurmctld slurmd sbatch munged; do
		command -v "$f" >/dev/null || [ -x "/usr/sbin/$f" ] || missing+=("$f")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	say "installing Slurm (missing: ${missing[*]})"
	{
		"${root[@]}" apt-get update &&
			"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends slurm-wlm slurmctld slurmd munge
	} >"$dir/install.log" 2>&1 || die "Slurm cannot be installed, see $dir/install.log"
}

# configure makes time limits, and requeued and cancelled jobs, take seconds where Slurm usually
# takes minutes.
configure() {
	local host=$1 version
	cat >"$dir/slurm.conf" <<-END
		ClusterName=bench
		SlurmctldHost=$host(127.0.0.1)
		SlurmUser=root
		SlurmdUser=root
		AuthType=auth/munge
		AuthInfo=cred_expire=5
		StateSaveLocation=$dir/state
		SlurmdSpoolDir=$dir/spool-%n
		SlurmctldPidFile=$dir/slurmctld.pid
		SlurmdPidFile=$dir/slurmd-%n.pid
		SlurmctldLogFile=$dir/slurmctld.log
		SlurmdLogFile=$dir/slurmd-%n.log
		ProctrackType=proctrack/pgid
		TaskPlugin=task/none
		ReturnToService=2
		KillWait=5
		SelectType=select/cons_tres
		SelectTypeParameters=CR_Core
		SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
		SlurmctldPort=6817
		NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=17001 CPUs=1 State=UNKNOWN
		NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=17002 CPUs=1 State=UNKNOWN
		PartitionName=p Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
	END
	version=$(slurmd -V)
	case ${version##* } in
	22.*) ;;                                                     # needs no control groups, and does not know this line
	*) printf 'CgroupPlugin=disabled\n' >"$dir/cgroup.conf" ;; # a container has none to write to
	esac
	mkdir -p "$dir/state"
}

start_munge() {
	! munge -n </dev/null >/dev/null 2>&1 || return 0
	[ -e /etc/munge/munge.key ] || die "the package munge has left no key in /etc/munge"
	"${root[@]}" mkdir -p /run/munge
	"${root[@]}" chown munge:munge /run/munge
	"${root[@]}" su munge -s /bin/sh -c munged || die "munged does not start"
	"${root[@]}" cp /run/munge/munged.pid "$dir/munged.pid"
}

PATH=$PATH:/usr/sbin
if [ "$1" = stop ]; then
	stop
	exit
fi
install
configure "$(hostname -s)"
start_munge
export SLURM_CONF=$dir/slurm.conf
"${root[@]}" slurmctld -f "$SLURM_CONF"
for n in n1 n2; do "${root[@]}" slurmd -f "$SLURM_CONF" -N "$n"; done
for _ in $(seq 30); do
	if [ "$(sinfo -h -t idle -o %D 2>/dev/null)" = 2 ]; then
		echo "export SLURM_CONF=$SLURM_CONF"
		exit
	fi
	sleep 1
done
die "the nodes are not idle after 30 s; the logs are in $dir"
