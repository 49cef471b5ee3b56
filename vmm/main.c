// SPDX-License-Identifier: GPL-2.0-only
/* Runs the machine until something ends it. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../common/counter.h"
#include "machine.h"
#include "state.h"
#include "util.h"

static int start_vcpus(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->vm.cpus; i++) {
		if (vcpu_start(&m->vm.vcpu[i]))
			return -1;
	}
	return 0;
}

static void kick_vcpus(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->vm.cpus; i++)
		vcpu_kick(&m->vm.vcpu[i]);
}

static void join_vcpus(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->vm.cpus; i++)
		vcpu_join(&m->vm.vcpu[i]);
}

static int start_disks(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->disks; i++) {
		if (virtio_blk_start(&m->disk[i]))
			return -1;
	}
	return 0;
}

static void stop_disks(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->disks; i++)
		virtio_blk_stop(&m->disk[i]);
}

static void join_disks(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->disks; i++)
		virtio_blk_join(&m->disk[i]);
}

/* The guest that boots has not set them up yet, and its kernel is loaded now. */
static void reset_disks(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->disks; i++)
		virtio_mmio_reset(&m->disk[i].virtio);
}

static int machine_start(struct machine *m)
{
	vcpu_catch_signals();
	m->began = counter_read() - m->vm.counter_offset;
	return uffd_start(&m->uffd) || start_disks(m) || start_vcpus(m) ||
	       churn_start(&m->churn) || evict_start(&m->evict) ? -1 : 0;
}

/* The order matters: see vcpu_kick(), virtio_blk_stop() and uffd_stop(). */
static void machine_stop(struct machine *m)
{
	evict_stop(&m->evict);
	churn_stop(&m->churn);
	kick_vcpus(m);
	stop_disks(m);
	uffd_stop(&m->uffd);
	join_vcpus(m);
	join_disks(m);
	if (vm_status(&m->vm) != STATUS_SAVED)
		result_end(&m->result);
}

/*
 * As for a reboot, a vCPU that waits for a page in KVM_RUN is waited for, and so
 * is a thread that touches a device's buffers in memory that is not back yet: the
 * pages have their server until then. A guest that has ended meanwhile is not
 * saved.
 */
static void machine_pause_and_save(struct machine *m, const struct options *opt)
{
	unsigned int i;

	evict_stop(&m->evict);
	churn_stop(&m->churn);
	kick_vcpus(m);
	join_vcpus(m);
	uffd_pause(&m->uffd);
	for (i = 0; i < m->vm.cpus; i++) {
		if (m->vm.vcpu[i].end >= 0)
			m->vm.status = m->vm.vcpu[i].end;
	}
	if (m->vm.status == STATUS_SAVED && machine_save(m, opt))
		m->vm.status = STATUS_ERROR;
}

/*
 * After a reset the guest boots again, if it has a command line for that. KVM's
 * VM stays, and so do the cold pages, those under way too: a vCPU that waits for
 * one in KVM_RUN is waited for. Return: whether the guest runs again.
 */
static bool machine_reboot(struct machine *m, const struct options *opt)
{
	bool runs;

	if (vm_status(&m->vm) != STATUS_RESET || m->vm.boot + 1 == opt->append.count)
		return false;
	evict_pause(&m->evict);
	kick_vcpus(m);
	join_vcpus(m);
	reset_disks(m);
	runs = !vm_reset(&m->vm) && !machine_load(m, opt) && !start_vcpus(m);
	evict_resume(&m->evict);
	if (!runs)
		vm_end(&m->vm, STATUS_ERROR);
	return runs;
}

/* Those that machine_wait() takes. */
static sigset_t our_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGNAL_SAVE);
	return set;
}

static int open_signals(void)
{
	sigset_t set = our_signals();

	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* SIGHUP is the machine's reset button. */
static enum status status_of_signal(int signals, const struct options *opt)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) != sizeof(info))
		return STATUS_ERROR;
	if (info.ssi_signo == SIGHUP)
		return STATUS_RESET;
	return info.ssi_signo == SIGNAL_SAVE && opt->save ? STATUS_SAVED : STATUS_STOPPED;
}

/* Until the guest ends, or a signal comes, or the time is over. */
static void machine_wait(struct machine *m, int signals, const struct options *opt)
{
	uint64_t after_ms = opt->save_after_ms ? opt->save_after_ms : opt->stop_after_ms;
	struct pollfd poll_fds[] = {
		{ .fd = m->vm.ended_fd, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};
	int timeout = after_ms ? (int)after_ms : -1;

	if (poll(poll_fds, ARRAY_SIZE(poll_fds), timeout) < 0) {
		say_errno("poll");
		vm_end(&m->vm, STATUS_ERROR);
	}
	if (poll_fds[1].revents)
		vm_end(&m->vm, status_of_signal(signals, opt));
	vm_end(&m->vm, opt->save_after_ms ? STATUS_SAVED : STATUS_STOPPED);
}

static int machine_run(struct machine *m, const struct options *opt)
{
	int signals = open_signals();
	uint64_t waiting;

	if (signals < 0) {
		say_errno("signalfd");
		return STATUS_ERROR;
	}
	if (machine_start(m))
		vm_end(&m->vm, STATUS_ERROR);
	else
		do {
			machine_wait(m, signals, opt);
		} while (machine_reboot(m, opt));
	if (vm_status(&m->vm) == STATUS_SAVED)
		machine_pause_and_save(m, opt);
	machine_stop(m);
	close(signals);
	uffd_read_counts(&m->uffd, &waiting);
	if (vm_status(&m->vm) == STATUS_STOPPED)
		say_note("stopped, %" PRIu64 " faults waiting", waiting);
	if (opt->marks && marks_save(&m->uffd.marks, opt->marks))
		return STATUS_ERROR;
	return vm_status(&m->vm);
}

/*
 * machine_wait() has its signals from a file, SIGNAL_KICK is for the threads
 * that let it in; all threads inherit this mask. A closed pipe is an error of
 * write(), reported like any other.
 */
static void block_signals(void)
{
	sigset_t set = our_signals();

	sigaddset(&set, SIGNAL_KICK);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static int run(struct machine *m, const struct options *opt)
{
	int status = STATUS_ERROR;

	if (output_open(&m->console_out, opt->console))
		return STATUS_ERROR;
	if (output_open(&m->result_out, opt->result))
		goto close_console;
	if (!machine_create(m, opt)) {
		status = machine_run(m, opt);
		machine_destroy(m);
	}
	if (output_close(&m->result_out))
		status = STATUS_ERROR;
close_console:
	if (output_close(&m->console_out))
		status = STATUS_ERROR;
	return status;
}

int main(int argc, char **argv)
{
	static struct machine machine;
	struct options opt;
	int status;

	switch (options_parse(&opt, argc, argv)) {
	case OPTION_HELP:
		return STATUS_OFF;
	case OPTION_WRONG:
		return STATUS_USAGE;
	case OPTION_RUN:
		break;
	}
	block_signals();
	status = run(&machine, &opt);
	if (opt.restore)
		state_close(opt.restore);
	return status;
}
