// SPDX-License-Identifier: GPL-2.0-only
/* Puts the parts together, waits for the end, takes them apart. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "churn.h"
#include "counter.h"
#include "output.h"
#include "result.h"
#include "stats.h"
#include "uffd.h"
#include "util.h"
#include "virtio_console.h"
#include "vm.h"

struct machine {
	struct vm vm;
	struct uffd uffd;
	struct churn churn;
	struct stats stats;
	struct result result;
	struct virtio_console console[2];
	struct output console_out;
	struct output result_out;
};

static void console_output(void *opaque, const void *data, size_t size)
{
	output_write(opaque, data, size);
}

static void result_output(void *opaque, const void *data, size_t size)
{
	result_write(opaque, data, size);
}

static void print_stats(struct machine *m, const char *name, FILE *to)
{
	struct uffd_counts counts;
	uint64_t waiting, changes, dirty;

	dirty = churn_read_dirty(&m->churn, &changes);
	counts = uffd_read_counts(&m->uffd, &waiting);
	fprintf(to, "{\"stats\":\"%s\",\"cntvct\":%" PRIu64 ",\"vcpus\":", name,
		counter_read());
	if (stats_print(&m->stats, to))
		vm_end(&m->vm, STATUS_ERROR);
	fprintf(to, ",\"uffd\":{\"requests\":%" PRIu64 ",\"repeated\":%" PRIu64
		",\"served\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"waiting\":%" PRIu64
		"},\"cold\":{\"changes\":%" PRIu64 ",\"dirty\":%" PRIu64 "}}\n",
		counts.requests, counts.repeated, counts.served, counts.failed,
		waiting, changes, dirty);
}

static void on_stats(void *opaque, const char *name, struct output *out)
{
	struct machine *m = opaque;
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	if (to) {
		print_stats(m, name, to);
		fclose(to);
	}
	if (!text) {
		say_error("no memory for statistics '%s'", name);
		vm_end(&m->vm, STATUS_ERROR);
		return;
	}
	output_write(out, text, size);
	free(text);
}

/* In this order they become hvc0 and hvc1. */
static int create_consoles(struct machine *m)
{
	result_init(&m->result, &m->result_out, on_stats, m);
	if (virtio_console_create(&m->console[0], &m->vm, 0, console_output,
				  &m->console_out))
		return -1;
	if (virtio_console_create(&m->console[1], &m->vm, 1, result_output,
				  &m->result)) {
		virtio_console_destroy(&m->console[0]);
		return -1;
	}
	return 0;
}

static void destroy_consoles(struct machine *m)
{
	virtio_console_destroy(&m->console[1]);
	virtio_console_destroy(&m->console[0]);
}

static int load(struct machine *m, const struct options *opt)
{
	struct image image;

	if (image_load(&image, &m->vm.memory, opt->kernel, opt->initrd))
		return -1;
	return vm_prepare_boot(&m->vm, &image, opt);
}

static int machine_create(struct machine *m, const struct options *opt)
{
	if (vm_create(&m->vm, opt))
		return -1;
	if (create_consoles(m))
		goto destroy_vm;
	if (load(m, opt))
		goto destroy_consoles;
	if (stats_create(&m->stats, &m->vm))
		goto destroy_consoles;
	if (uffd_create(&m->uffd, &m->vm, opt))
		goto destroy_stats;
	if (churn_create(&m->churn, &m->uffd, opt))
		goto destroy_uffd;
	return 0;
destroy_uffd:
	uffd_destroy(&m->uffd);
destroy_stats:
	stats_destroy(&m->stats);
destroy_consoles:
	destroy_consoles(m);
destroy_vm:
	vm_destroy(&m->vm);
	return -1;
}

static void machine_destroy(struct machine *m)
{
	churn_destroy(&m->churn);
	uffd_destroy(&m->uffd);
	stats_destroy(&m->stats);
	destroy_consoles(m);
	vm_destroy(&m->vm);
}

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

static int machine_start(struct machine *m)
{
	vcpu_catch_signals();
	return uffd_start(&m->uffd) || start_vcpus(m) || churn_start(&m->churn) ? -1 : 0;
}

/* The order matters: see vcpu_kick() and uffd_stop(). */
static void machine_stop(struct machine *m)
{
	churn_stop(&m->churn);
	kick_vcpus(m);
	uffd_stop(&m->uffd);
	join_vcpus(m);
	result_end(&m->result);
}

/*
 * After a reset the guest boots again, if it has a command line for that. KVM's
 * VM stays, and so do the cold pages, those under way too: a vCPU that waits for
 * one in KVM_RUN is waited for. Return: whether the guest runs again.
 */
static bool machine_reboot(struct machine *m, const struct options *opt)
{
	if (vm_status(&m->vm) != STATUS_RESET || m->vm.boot + 1 == opt->boots)
		return false;
	kick_vcpus(m);
	join_vcpus(m);
	if (!vm_reset(&m->vm) && !load(m, opt) && !start_vcpus(m))
		return true;
	vm_end(&m->vm, STATUS_ERROR);
	return false;
}

/* Those that machine_wait() takes. */
static sigset_t our_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	return set;
}

static int open_signals(void)
{
	sigset_t set = our_signals();

	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* SIGHUP is the machine's reset button. */
static enum status status_of_signal(int signals)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGHUP)
		return STATUS_RESET;
	return STATUS_STOPPED;
}

/* Until the guest ends, or a signal comes, or the time is over. */
static void machine_wait(struct machine *m, int signals, uint64_t stop_after_ms)
{
	struct pollfd poll_fds[] = {
		{ .fd = m->vm.ended_fd, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};
	int timeout = stop_after_ms ? (int)stop_after_ms : -1;

	if (poll(poll_fds, ARRAY_SIZE(poll_fds), timeout) < 0) {
		say_errno("poll");
		vm_end(&m->vm, STATUS_ERROR);
	}
	if (poll_fds[1].revents)
		vm_end(&m->vm, status_of_signal(signals));
	vm_end(&m->vm, STATUS_STOPPED);
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
			machine_wait(m, signals, opt->stop_after_ms);
		} while (machine_reboot(m, opt));
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

	switch (options_parse(&opt, argc, argv)) {
	case OPTIONS_HELP:
		return STATUS_OFF;
	case OPTIONS_WRONG:
		return STATUS_USAGE;
	case OPTIONS_RUN:
		break;
	}
	block_signals();
	return run(&machine, &opt);
}
