# SPDX-License-Identifier: GPL-2.0-only
# Words of make's command line. KCSAN looks at our files alone: the kernel has races of
# its own (the tick, the page cache), of which panic_on_warn makes the end of the machine.
# A race of ours with code that is not looked at shows as a value that changes under a
# watched access ("unknown origin"). Names are those of the Makefile that builds them.
KCSAN_SANITIZE=n

KCSAN_SANITIZE_apf.o=y
KCSAN_SANITIZE_apf-attempt.o=y
KCSAN_SANITIZE_apf-deliver.o=y
KCSAN_SANITIZE_apf-complete.o=y
KCSAN_SANITIZE_apf-vm.o=y
KCSAN_SANITIZE_apf-regs.o=y
KCSAN_SANITIZE_apf-block.o=y
KCSAN_SANITIZE_apf-work.o=y
KCSAN_SANITIZE_apf-pool.o=y
KCSAN_SANITIZE_apf-stale.o=y
KCSAN_SANITIZE_apf-knobs.o=y
KCSAN_SANITIZE_vgic/vgic-apf.o=y

# Also arch/arm64/mm/fault.c and arch/arm64/kernel/setup.c, which have the same names.
KCSAN_SANITIZE_discover.o=y
KCSAN_SANITIZE_fault.o=y
KCSAN_SANITIZE_kernel.o=y
KCSAN_SANITIZE_setup.o=y
KCSAN_SANITIZE_contexts.o=y

# The model of weak memory must see the barriers in what ours call. mm/ and kernel/sched/
# ask for that themselves.
KCSAN_INSTRUMENT_BARRIERS_spinlock.o=y
KCSAN_INSTRUMENT_BARRIERS_mutex.o=y
KCSAN_INSTRUMENT_BARRIERS_rwsem.o=y
KCSAN_INSTRUMENT_BARRIERS_workqueue.o=y
KCSAN_INSTRUMENT_BARRIERS_task_work.o=y
KCSAN_INSTRUMENT_BARRIERS_tree.o=y
KCSAN_INSTRUMENT_BARRIERS_srcutree.o=y
KCSAN_INSTRUMENT_BARRIERS_../../../virt/kvm/kvm_main.o=y
