// SPDX-License-Identifier: GPL-2.0-only
/*
 * silent COUNT: COUNT VMs of one vCPU each in one process. Their memory belongs to one
 * userfaultfd, and a page comes only when standard input says so. A line on standard
 * output says that the VMs are there, and one more that a command was carried out:
 *
 *   touch	each guest touches its next page
 *   serve	those pages come; each guest has read what its page should hold
 *   close	the vCPUs leave KVM_RUN, and the VMs are closed; the process lives on
 *   exec	sleep(1) in the place of this program. Every second VM stays open
 *
 * At the end of standard input the process ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine.h"
#include "silent_code.h"

#define CODE_IPA	UINT64_C(0x80000000)
#define DATA_IPA	UINT64_C(0x80100000)

#define VMS_MAX		1024
#define PAGES		8
#define PAGE_SIZE	4096
#define STACK_SIZE	(256 * 1024)
#define PATIENCE_S	60

/* In the guest; x0: a page, x1: an address where nobody is, x2: the size of a page. */
__asm__(".pushsection .rodata\n"
	".balign 4\n"
	".globl silent_code, silent_code_end\n"
	"silent_code:\n"
	"	msr	daifclr, #2\n"
	"1:	ldr	w3, [x0]\n"
	"	str	w3, [x1]\n"
	"	add	x0, x0, x2\n"
	"	b	1b\n"
	"silent_code_end:\n"
	".popsection");

struct silent_vm {
	int vm;
	int vcpu;
	int gic;
	struct kvm_run *run;
	pthread_t thread;
	unsigned int number;
};

static struct silent_vm vms[VMS_MAX];
static unsigned int count;
static int kvm, uffd;
static size_t run_size;
static char *code, *data;

/* Guarded by the lock: which page each guest may touch, and how many have read theirs. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned int turn, done;
static bool closing, closed;

static uint32_t content(unsigned int number, unsigned int page)
{
	return number * PAGES + page + 1;
}

static void add_vcpu(struct silent_vm *vm)
{
	vm->vcpu = ioctl(vm->vm, KVM_CREATE_VCPU, 0);
	check(vm->vcpu >= 0);
	vm->run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu, 0);
	check(vm->run != MAP_FAILED);
	init_vcpu_of(vm->vm, vm->vcpu);
	check(!set_reg(vm->vcpu, CORE_REG(regs.pc), CODE_IPA));
	check(!set_reg(vm->vcpu, CORE_REG(regs.regs[0]), DATA_IPA));
	check(!set_reg(vm->vcpu, CORE_REG(regs.regs[1]), NOBODY_IPA));
	check(!set_reg(vm->vcpu, CORE_REG(regs.regs[2]), PAGE_SIZE));
}

static void create_vm(struct silent_vm *vm)
{
	vm->vm = ioctl(kvm, KVM_CREATE_VM, 0);
	check(vm->vm >= 0);
	add_vcpu(vm);
	vm->gic = create_gic(vm->vm);
	set_slot(vm->vm, 0, CODE_IPA, code, PAGE_SIZE);
	set_slot(vm->vm, 1, DATA_IPA, data + (size_t)vm->number * PAGES * PAGE_SIZE,
		 PAGES * PAGE_SIZE);
}

/* The page of the turn has come, as a store to where nobody is says. */
static void check_page(const struct silent_vm *vm, unsigned int page)
{
	uint32_t value;

	memcpy(&value, vm->run->mmio.data, sizeof(value));
	check(vm->run->exit_reason == KVM_EXIT_MMIO);
	check(vm->run->mmio.phys_addr == NOBODY_IPA);
	check(value == content(vm->number, page));
}

/* Until it is another turn than the @last. Return: false if the VM is to be closed. */
static bool await_turn(unsigned int last)
{
	bool go_on;

	pthread_mutex_lock(&lock);
	while (turn == last && !closing)
		pthread_cond_wait(&changed, &lock);
	go_on = !closing;
	pthread_mutex_unlock(&lock);
	return go_on;
}

/* Until an exit that no signal has caused. Return: false if the VM is to be closed. */
static bool run_guest_of(const struct silent_vm *vm)
{
	while (ioctl(vm->vcpu, KVM_RUN, 0)) {
		check(errno == EINTR);
		if (vm->run->immediate_exit)
			return false;
	}
	return true;
}

static void *run_vcpu(void *arg)
{
	struct silent_vm *vm = arg;
	unsigned int page;

	for (page = 0; await_turn(page) && run_guest_of(vm); page++) {
		check_page(vm, page);
		pthread_mutex_lock(&lock);
		done++;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void start_thread(struct silent_vm *vm)
{
	pthread_attr_t attr;

	check(!pthread_attr_init(&attr));
	check(!pthread_attr_setstacksize(&attr, STACK_SIZE));
	check(!pthread_create(&vm->thread, &attr, run_vcpu, vm));
	pthread_attr_destroy(&attr);
}

static void open_memory(void)
{
	size_t size = (size_t)count * PAGES * PAGE_SIZE;
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg;

	code = mmap(NULL, PAGE_SIZE + size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	check(code != MAP_FAILED);
	check(!madvise(code, PAGE_SIZE + size, MADV_NOHUGEPAGE));
	memcpy(code, silent_code, silent_code_end - silent_code);
	data = code + PAGE_SIZE;

	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	check(uffd >= 0);
	check(!ioctl(uffd, UFFDIO_API, &api));
	reg = (struct uffdio_register) {
		.range = { .start = (uintptr_t)data, .len = size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	check(!ioctl(uffd, UFFDIO_REGISTER, &reg));
}

static void touch(void)
{
	check(turn < PAGES && !closed);
	pthread_mutex_lock(&lock);
	turn++;
	done = 0;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void serve(void)
{
	static uint32_t page[PAGE_SIZE / sizeof(uint32_t)] __attribute__((aligned(PAGE_SIZE)));
	unsigned int n;

	for (n = 0; n < count; n++) {
		struct uffdio_copy copy = {
			.dst = (uintptr_t)data + ((size_t)n * PAGES + turn - 1) * PAGE_SIZE,
			.src = (uintptr_t)page,
			.len = PAGE_SIZE,
		};

		page[0] = content(n, turn - 1);
		check(!ioctl(uffd, UFFDIO_COPY, &copy));
	}

	alarm(PATIENCE_S);
	pthread_mutex_lock(&lock);
	while (done < count && !closed)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	alarm(0);
}

static void close_vm(struct silent_vm *vm)
{
	check(!pthread_join(vm->thread, NULL));
	munmap(vm->run, run_size);
	close(vm->gic);
	close(vm->vcpu);
	close(vm->vm);
}

static void close_all(void)
{
	unsigned int n;

	pthread_mutex_lock(&lock);
	closing = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);

	for (n = 0; n < count; n++) {
		vms[n].run->immediate_exit = 1;
		pthread_kill(vms[n].thread, SIGUSR1);
	}
	alarm(PATIENCE_S);
	for (n = 0; n < count; n++)
		close_vm(&vms[n]);
	alarm(0);
	closed = true;
}

static void exec_sleep(void)
{
	unsigned int n;

	for (n = 0; n < count; n += 2)
		check(!fcntl(vms[n].vm, F_SETFD, 0));
	execl("/bin/sleep", "sleep", "1000", NULL);
	check(!"exec");
}

static void carry_out(const char *word)
{
	if (!strcmp(word, "touch"))
		touch();
	else if (!strcmp(word, "serve"))
		serve();
	else if (!strcmp(word, "close"))
		close_all();
	else if (!strcmp(word, "exec"))
		exec_sleep();
	else
		check(!"a command");
}

static void answer(const char *word)
{
	puts(word);
	fflush(stdout);
}

static void nothing(int number)
{
	(void)number;
}

static void get_ready(void)
{
	const struct rlimit files = { .rlim_cur = 4 * VMS_MAX, .rlim_max = 4 * VMS_MAX };
	const struct sigaction action = { .sa_handler = nothing };
	unsigned int n;

	check(!setrlimit(RLIMIT_NOFILE, &files));
	check(!sigaction(SIGUSR1, &action, NULL));
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	check(kvm >= 0);
	run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	open_memory();
	for (n = 0; n < count; n++) {
		vms[n].number = n;
		create_vm(&vms[n]);
		start_thread(&vms[n]);
	}
}

int main(int argc, char **argv)
{
	char word[32];

	check(argc == 2);
	count = strtoul(argv[1], NULL, 10);
	check(count && count <= VMS_MAX);
	get_ready();
	answer("ready");
	while (scanf("%31s", word) == 1) {
		carry_out(word);
		answer(word);
	}
	return 0;
}
