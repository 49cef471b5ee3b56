# SPDX-License-Identifier: GPL-2.0-only
# `make help` lists the targets. The work is done by the packages lab, bench and tests.
#
# Behind ## stand: how long a target takes where nothing is built, and where all is, both on
# two CPUs; and what it does. This is the place where these times are told.

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/arm64-apf
LAB := python3 -m lab
UNIT := make -s --no-print-directory -C tests/unit

export KERNEL_SOURCE BUSYBOX DEBIAN_IMAGE T V J SEED LEVELS CPUS
SIMULATE := $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FROM),--from $(FROM)) $(if $(SEED),--seed $(SEED)) $(if $(J),--jobs $(J))

.PHONY: help
help:		## | | this text
	@echo "                          cold      warm"
	@awk -F ' *(:.*## *|[|]) *' '/^[a-z-]+:.*## / { printf "  make %-18s %-9s %-9s %s\n", $$1, $$2, $$3, $$4 }' Makefile
	@echo
	@echo "Cold: with an empty cache but the packages installed (see deps), on two CPUs."
	@echo "Warm: with everything built. ?: not measured."
	@echo
	@echo "Variables:"
	@echo "  KERNEL_SOURCE=<tree|tarball>  build from this source of Linux, not from Debian's"
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
deps:		## 2 min | | install the packages needed, or name the missing tools
	@lab/deps.sh

.PHONY: kernel
kernel: deps	## 16 min | 1 s | build the kernels: lab, paranoid (host and guest), nodriver (without our code)
	@$(LAB) setup kernel

.PHONY: vmm
vmm: deps	## 1 min | 1 s | build the VMM, apfvm
	@$(LAB) setup vmm

.PHONY: load
load: deps	## 1 min | 1 s | build what the guest runs: its init, the workload, the cases
	@$(LAB) setup load

.PHONY: guests
guests: deps	## 2 min | 5 s | build what only the tests run: bare guests, KVM selftest
	@$(LAB) setup guests

.PHONY: images
images: deps	## 8 min | 1 s | make the initramfs images, and what is in them
	@$(LAB) setup images

.PHONY: debian
debian: deps	## 1 min | 1 s | make the disk image of arm64 programs: QEMU, redis, ...
	@$(LAB) setup debian

.PHONY: programs
programs: deps	## 5 min | 1 s | make the disk image of programs that judge themselves
	@$(LAB) setup programs

.PHONY: demo
demo: deps	## 9 min | 1 min | the demonstration: table, pictures, out/demo.json
	@$(LAB) setup demo
	@python3 -m bench demo

.PHONY: bench
bench: deps	## 30 min | 15 min | measure a choice: out/report.html, out/bench.json
	@$(LAB) setup bench
	@python3 -m bench measure

.PHONY: bench-full
bench-full: deps	## 2 h | 1 h 45 | measure everything
	@$(LAB) setup bench-full
	@python3 -m bench measure --full

.PHONY: report
report:		## | 15 s | make the report of the recorded run: out/report.html, docs/report/summary.md
	@python3 -m bench report

.PHONY: pictures
pictures: deps	## 9 min | 1 min | run the demonstration and make the pictures in docs/img
	@$(LAB) setup demo
	@python3 -m bench demo --pictures docs/img

.PHONY: test
test: deps	## 40 min | 28 min | run all tests (T=<regex>: some of them)
	@$(LAB) setup --plan test
	@python3 -m tests.tap +source="$(LAB) kernel --source-only" \
		static="python3 -m tests.static" \
		unit="$(UNIT)" \
		models="models/run" \
		+setup="$(LAB) setup --quiet test" \
		kernel="python3 -m tests.static --built" \
		system="python3 -m tests.system"

.PHONY: test-paranoid
test-paranoid: deps	## 2 h 30 | 2 h | run the system tests on kernels that check themselves
	@$(LAB) setup test-paranoid
	@python3 -m tests.tap paranoid="env KERNEL_FLAVOUR=paranoid python3 -m tests.system" \
		kcsan="env KERNEL_FLAVOUR=kcsan python3 -m tests.system"

.PHONY: test-guests
test-guests: deps	## ? | ? | run the tests with each of Debian's kernels, and others, as a guest
	@$(LAB) deps lintian debootstrap
	@$(LAB) setup --plan test-guests
	@python3 -m tests.tap +setup="$(LAB) setup --quiet test-guests" \
		static="python3 -m tests.static stock deb" guests="python3 -m tests.system --guests"

.PHONY: test-long
test-long: deps	## ? | ? | run the long system tests: 10,000 threads that end, other page sizes, ...
	@$(LAB) setup test-long
	@python3 -m tests.tap long="python3 -m tests.system --long"

.PHONY: test-differential
test-differential: deps	## ? | ? | run programs of others while memory goes missing, compare the levels
	@$(LAB) setup test-differential
	@python3 -m tests.differential

.PHONY: soak
soak: deps	## 45 min | 30 min | run the chains and loops for MINUTES=30
	@$(LAB) setup soak
	@python3 -m tests.soak

.PHONY: test-all
test-all: deps	## ? | ? | run all test targets one after the other, with one table
	@python3 -m tests.all test test-long test-guests test-paranoid soak test-differential simulate

.PHONY: simulate
simulate: deps	## ? | ? | run seeds: each decides a run in virtual time (SEEDS=n, or new ones each day)
	@$(LAB) setup simulate
	@python3 -m tests.simulate $(SIMULATE)

.PHONY: shell
shell: deps	## 8 min | 5 s | a shell in the host under QEMU, with apfvm at hand
	@$(LAB) setup shell
	@$(LAB) boot --shell --out out/shell

.PHONY: deb
deb:		## | 1 s | make the Debian packages: the driver for dkms, the header for VMMs
	@$(LAB) deb

.PHONY: graft
graft:		## | 1 s | put our code into the kernel tree KERNEL=<tree>
	@$(if $(KERNEL),,echo "make graft: give KERNEL=<tree>" >&2; exit 1)
	@$(LAB) graft apply "$(KERNEL)"

.PHONY: ungraft
ungraft:	## | 1 s | take our code out of KERNEL=<tree> again
	@$(if $(KERNEL),,echo "make ungraft: give KERNEL=<tree>" >&2; exit 1)
	@$(LAB) graft remove "$(KERNEL)"

.PHONY: clean
clean:		## | | remove out/ and the programs built, keep kernels and ccache
	rm -rf out $(CACHE)/bin $(CACHE)/initramfs/base.*

.PHONY: distclean
distclean:	## | | remove out/ and all of the cache
	rm -rf out $(CACHE)
