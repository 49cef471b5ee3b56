# SPDX-License-Identifier: GPL-2.0-only
# `make help` lists the targets. The work is done by the programs in lab/.

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/arm64-apf
CROSS := CROSS_COMPILE=aarch64-linux-gnu- KHDR=$(CACHE)/headers/include O=$(CACHE)/bin
UNIT := make -s --no-print-directory -C tests/unit

export KERNEL_SOURCE BUSYBOX DEBIAN_IMAGE T V J SEED LEVELS CPUS
SIMULATE := $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FROM),--from $(FROM)) $(if $(SEED),--seed $(SEED)) $(if $(J),--jobs $(J))

.PHONY: help
help:		## this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "Variables:"
	@echo "  KERNEL_SOURCE=<tree|tarball>  build from this Linux 6.12, not from Debian's"
	@echo "  KERNEL=<tree>                 what graft and ungraft work on"
	@echo "  BUSYBOX=<file>                static arm64 busybox, not Debian's"
	@echo "  DEBIAN_IMAGE=<file>           made elsewhere by make debian, not made here"
	@echo "  T=<regex>                     run only the tests, or runs of the benchmark, whose name matches"
	@echo "  J=<number>                    QEMUs at a time: system tests (the CPUs, at most 4), bench"
	@echo "  V=1                           show every line of the builds"
	@echo "  MINUTES=<n>                   how long make soak goes on"
	@echo "  SEEDS=<n> FROM=<k>            make simulate: n seeds, from k on (1); none: those of today"
	@echo "  SEED=<k>                      make simulate: this one alone, and whether it does the same"
	@echo "  SEED=<n> LEVELS=<list> CPUS=<list>  of make test-differential, see docs/differential.md"
	@echo
	@echo "Everything built lies in $(CACHE), results in out/."

.PHONY: deps
deps:		## install the packages needed, or name the missing tools
	@lab/deps

.PHONY: kernel
kernel: deps	## build the kernels: lab, paranoid (host and guest), nodriver (without our code)
	@lab/kernel

.PHONY: vmm
vmm: kernel	## build the VMM, apfvm
	@mkdir -p $(CACHE)/bin
	@+$(MAKE) -s --no-print-directory -C vmm $(CROSS) KSRC=$(CACHE)/src/linux-6.12

.PHONY: load
load: kernel	## build what the guest runs: its init, the workload, the cases
	@mkdir -p $(CACHE)/bin
	@+$(MAKE) -s --no-print-directory -C bench $(CROSS)
	@+$(MAKE) -s --no-print-directory -C tests/guests/cases $(CROSS)

.PHONY: guests
guests: kernel vmm	## build what only the tests run: bare guests, KVM selftest
	@mkdir -p $(CACHE)/bin
	@+$(MAKE) -s --no-print-directory -C tests/guests $(CROSS)
	@+$(MAKE) -s --no-print-directory -C tests/host $(CROSS)
	@+$(MAKE) -s --no-print-directory -C selftests $(CROSS) KSRC=$(CACHE)/src/linux-6.12

.PHONY: images
images: kernel vmm load guests	## make the initramfs images
	@lab/images

.PHONY: debian
debian: deps	## make the disk image of arm64 programs: QEMU, redis, ...
	@lab/debian

.PHONY: programs
programs: kernel	## make the disk image of programs that judge themselves
	@lab/programs

.PHONY: demo
demo: images	## the demonstration: table, pictures, out/demo.json
	@python3 -m bench demo

.PHONY: bench
bench: images	## measure a choice (15 min): out/report.html, out/bench.json
	@python3 -m bench measure

.PHONY: bench-full
bench-full: images	## measure everything (an hour and a half)
	@python3 -m bench measure --full

.PHONY: report
report:		## make the report of the recorded run: out/report.html, docs/report/summary.md
	@python3 -m bench report

.PHONY: pictures
pictures: images	## run the demonstration and make the pictures in docs/img
	@python3 -m bench demo --pictures docs/img

.PHONY: test
test: deps	## run all tests (T=<regex>: some of them)
	@python3 -m tests.tap +source="lab/kernel --source-only" \
		static="python3 -m tests.static" \
		unit="$(UNIT)" \
		models="models/run" \
		+build="make -s --no-print-directory images debian programs" \
		+stock="lab/stock" \
		kernel="python3 -m tests.static --built" \
		system="python3 -m tests.system"

.PHONY: test-paranoid
test-paranoid: images	## run the system tests on kernels that check themselves (long)
	@lab/kernel kcsan
	@python3 -m tests.tap paranoid="env KERNEL_FLAVOUR=paranoid python3 -m tests.system" \
		kcsan="env KERNEL_FLAVOUR=kcsan python3 -m tests.system"

.PHONY: test-guests
test-guests: images debian	## run the tests with each of Debian's kernels, and others, as a guest (long)
	@lab/deps lintian debootstrap
	@python3 -m tests.tap +kernel="lab/kernel lockdep voluntary rt" +stock="lab/stock all" +installed="lab/installed" \
		static="python3 -m tests.static stock deb" guests="python3 -m tests.system --guests"

.PHONY: test-long
test-long: images	## run the long system tests: 10,000 threads that end, other page sizes, ... (long)
	@lab/kernel lab16k lab64k
	@python3 -m tests.tap long="python3 -m tests.system --long"

.PHONY: test-differential
test-differential: images	## run programs of others while memory goes missing, compare the levels (long)
	@lab/kernel programs
	@lab/programs
	@python3 -m tests.differential

.PHONY: soak
soak: images	## run the chains and loops for MINUTES=30
	@python3 -m tests.soak

.PHONY: test-all
test-all: deps	## run all test targets one after the other, with one table (many hours)
	@python3 -m tests.all test test-long test-guests test-paranoid soak test-differential simulate

.PHONY: simulate
simulate: images	## run seeds: each decides a run in virtual time (SEEDS=n, or new ones each day)
	@python3 -m tests.simulate $(SIMULATE)

.PHONY: shell
shell: images	## a shell in the host under QEMU, with apfvm at hand
	@lab/boot --shell --out out/shell

.PHONY: deb
deb:		## make the Debian packages: the driver for dkms, the header for VMMs
	@lab/deb

.PHONY: graft
graft:		## put our code into the 6.12 tree KERNEL=<tree>
	@$(if $(KERNEL),,echo "make graft: give KERNEL=<tree>" >&2; exit 1)
	@lab/graft apply "$(KERNEL)"

.PHONY: ungraft
ungraft:	## take our code out of KERNEL=<tree> again
	@$(if $(KERNEL),,echo "make ungraft: give KERNEL=<tree>" >&2; exit 1)
	@lab/graft remove "$(KERNEL)"

.PHONY: clean
clean:		## remove out/ and the programs built, keep kernels and ccache
	rm -rf out $(CACHE)/bin $(CACHE)/initramfs/base.*

.PHONY: distclean
distclean:	## remove out/ and all of the cache
	rm -rf out $(CACHE)
