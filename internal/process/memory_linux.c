// Memory that runs out kills Go's runtime: it prints a trace and exits with code 2, which
// means "nothing ran" here, and nothing in the process can catch it. Where a limit makes
// that likely (ulimit -v or -d, or a kernel that promises no more memory than it has), a
// small process watches: it is forked before Go's runtime starts, when there is one thread
// and little memory in use, and turns such a death into one line and exit code 1.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// The standard error of a watched process. What Go's runtime writes to descriptor 2 goes to
// the watcher.
int bench_stderr = 2;

// Whether standard output was closed when the process began. Go's runtime opens /dev/null
// in its place, and what is written would be lost without an error.
int bench_stdout_closed = 0;

static pid_t watched;

static void forward(int sig) { kill(watched, sig); }

static int limited(int resource) {
	struct rlimit r;
	return getrlimit(resource, &r) == 0 && r.rlim_cur != RLIM_INFINITY;
}

static int strict_overcommit(void) {
	char mode = 0;
	int fd = open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC);
	if (fd < 0) return 0;
	ssize_t n = read(fd, &mode, 1);
	close(fd);
	return n == 1 && mode == '2';
}

// The words are those of outOfMemory in package run.
static int out_of_memory(const char *text) {
	static const char *words[] = {
		"out of memory", "cannot allocate memory", "can't allocate memory", "std::bad_alloc", "pthread_create failed",
		"no memory for", "could not create a primitive", "failed to reserve", "failed to create new OS thread", "newosproc", "failed to map segment",
	};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcasestr(text, words[i])) return 1;
	return 0;
}

static void print(const char *text, size_t n) {
	while (n > 0) {
		ssize_t k = write(2, text, n);
		if (k < 0 && errno == EINTR) continue;
		if (k <= 0) return;
		text += k;
		n -= k;
	}
}

// watch follows the process to its end and ends as it did.
static void watch(int pipe) {
	static char text[1 << 16]; // a crash says why in its first lines
	size_t n = 0;
	char rest[4096];
	for (;;) {
		size_t room = sizeof text - 1 - n;
		ssize_t k = room > 0 ? read(pipe, text + n, room) : read(pipe, rest, sizeof rest);
		if (k < 0 && errno == EINTR) continue;
		if (k <= 0) break;
		if (room > 0) n += k;
	}
	int status;
	while (waitpid(watched, &status, 0) < 0 && errno == EINTR) {}
	text[n] = 0;
	int crashed = WIFSIGNALED(status) || WEXITSTATUS(status) == 2;
	if (crashed && out_of_memory(text)) {
		static const char line[] = "bench: out of memory: the limit of this shell (ulimit -v, -d) or of the machine is too small; raise it, or use fewer -jobs or less data\n";
		print(line, sizeof line - 1);
		_exit(1);
	}
	print(text, n);
	if (WIFSIGNALED(status)) {
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
		_exit(128 + WTERMSIG(status));
	}
	_exit(WEXITSTATUS(status));
}

__attribute__((constructor)) static void watch_memory(int argc, char **argv) {
	bench_stdout_closed = fcntl(1, F_GETFD) < 0 && errno == EBADF;
	if (argc > 1 && strcmp(argv[1], "run-child") == 0) return; // its parent watches
	if (!limited(RLIMIT_AS) && !limited(RLIMIT_DATA) && !strict_overcommit()) return;
	int ends[2], keep = fcntl(2, F_DUPFD_CLOEXEC, 3);
	if (keep < 0 || pipe2(ends, O_CLOEXEC) != 0) return;
	pid_t self = getpid();
	watched = fork();
	if (watched < 0) return; // without a watcher, as on other systems
	if (watched > 0) {
		struct sigaction a = {.sa_handler = forward};
		const int signals[] = {SIGINT, SIGTERM, SIGHUP};
		for (int i = 0; i < 3; i++) {
			struct sigaction old;
			if (sigaction(signals[i], NULL, &old) == 0 && (signals[i] == SIGINT || old.sa_handler != SIG_IGN)) sigaction(signals[i], &a, NULL);
		}
		close(ends[1]);
		watch(ends[0]);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != self) _exit(1);
	dup2(ends[1], 2);
	close(ends[0]);
	close(ends[1]);
	bench_stderr = keep;
}
