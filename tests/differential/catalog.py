# SPDX-License-Identifier: GPL-2.0-only
"""The programs: what is run, and for how long at most. All of them were written by others.

Names are SOURCE/PROGRAM. Which sub-verdicts a program has is not told here: they are compared
by their names.
"""

import dataclasses

KSELFTEST = "/opt/kselftest"
PYTESTS = "python3 /run/job/pytests.py"


@dataclasses.dataclass(frozen=True)
class Program:
    """command: for sh, in an empty folder of its own.

    timeout: in seconds of the guest's time, which a busy PC does not make longer. copy: the
    program writes beside itself, so it is a copy of its folder that runs. cost: roughly how long it
    runs, in seconds of the guest's time. aarch32: an AArch32 task.
    """

    name: str
    command: str
    timeout: int = 120
    copy: str = ""
    cost: float = 1


# Folder below KSELFTEST -> programs in it, with their arguments.
KERNEL = {
    "acct": ["acct_syscall"],
    "arm64/abi": ["hwcap", "ptrace", "syscall-abi", "tpidr2"],
    "arm64/bti": ["btitest", "nobtitest"],
    "arm64/fp": ["fp-ptrace", "rdvl-sme", "rdvl-sve", "sve-probe-vls", "sve-ptrace", "vec-syscfg",
                 "za-fork", "za-ptrace", "zt-ptrace"],
    "arm64/pauth": ["pac"],
    "arm64/tags": ["tags_test"],
    "arm64/mte": ["check_buffer_fill", "check_child_memory", "check_gcr_el1_cswitch",
                  "check_ksm_options", "check_mmap_options", "check_prctl",
                  "check_tags_inclusion", "check_user_mem"],
    "arm64/signal": [
        "fake_sigreturn_bad_magic", "fake_sigreturn_bad_size",
        "fake_sigreturn_bad_size_for_magic0", "fake_sigreturn_duplicated_fpsimd",
        "fake_sigreturn_misaligned_sp", "fake_sigreturn_missing_fpsimd",
        "fake_sigreturn_sve_change_vl", "fpmr_siginfo", "mangle_pstate_invalid_compat_toggle",
        "mangle_pstate_invalid_daif_bits", "mangle_pstate_invalid_mode_el1h",
        "mangle_pstate_invalid_mode_el1t", "mangle_pstate_invalid_mode_el2h",
        "mangle_pstate_invalid_mode_el2t", "mangle_pstate_invalid_mode_el3h",
        "mangle_pstate_invalid_mode_el3t", "poe_siginfo", "sve_regs", "sve_vl",
        "tpidr2_siginfo"],
    "breakpoints": ["breakpoint_test_arm64"],
    "cachestat": ["test_cachestat"],
    "capabilities": ["test_execve"],
    "cgroup": ["test_core", "test_cpu", "test_freezer", "test_kill", "test_pids"],
    "clone3": ["clone3", "clone3_cap_checkpoint_restore", "clone3_clear_sighand", "clone3_set_tid"],
    "core": ["close_range_test", "unshare_test"],
    "exec": ["execveat", "non-regular", "null-argv", "recursion-depth", "load_address.0x1000",
             "load_address.0x200000", "load_address.static.0x1000"],
    "fchmodat2": ["fchmodat2_test"],
    "filelock": ["ofdlocks"],
    "filesystems": ["devpts_pts"],     # dnotify_test never ends
    # The two left out spin, with a CPU for each of their threads in mind, until their time is up.
    "filesystems/epoll": ["epoll_wakeup_test -T epoll59 -T epoll60"],
    "filesystems/eventfd": ["eventfd_test"],
    "filesystems/statmount": ["statmount_test", "statmount_test_ns"],
    "futex/functional": [
        "futex_requeue", "futex_requeue_pi", "futex_requeue_pi -b", "futex_requeue_pi -b -l",
        "futex_requeue_pi -b -o", "futex_requeue_pi -t 2000000",
        "futex_requeue_pi_mismatched_ops", "futex_requeue_pi_signal_restart", "futex_wait",
        "futex_wait_private_mapped_file", "futex_wait_timeout", "futex_wait_uninitialized_heap",
        "futex_wait_wouldblock", "futex_waitv"],
    "ipc": ["msgque"],
    "kcmp": ["kcmp_test"],
    "membarrier": ["membarrier_test_single_thread", "membarrier_test_multi_thread"],
    "memfd": ["memfd_test", "memfd_test hugetlbfs", "run_fuse_test.sh"],
    "mincore": ["mincore_selftest"],
    "mm": ["compaction_test", "cow", "droppable", "gup_longterm", "gup_test", "gup_test -a",
           "gup_test -ct -F 0x1 0 19 0x1000", "hugepage-mmap", "hugepage-mremap", "hugepage-shm",
           "hugetlb-madvise", "hugetlb_dio", "hugetlb_fault_after_madv", "hugetlb_madv_vs_map",
           "ksm_functional_tests", "ksm_tests -M -p 10", "ksm_tests -U", "ksm_tests -Z -p 10 -z 0",
           "ksm_tests -Z -p 10 -z 1", "madv_populate", "map_fixed_noreplace", "map_hugetlb",
           "map_populate", "mdwe_test", "memfd_secret", "migration", "mkdirty",
           "mlock-random-test", "mlock2-tests", "mrelease_test", "mremap_dontunmap", "mremap_test",
           "mseal_test", "on-fault-limit", "pagemap_ioctl", "seal_elf", "split_huge_page_test",
           "thuge-gen", "transhuge-stress -d 2", "uffd-stress anon 8 4", "uffd-stress shmem 8 4",
           "uffd-stress hugetlb 8 4", "uffd-unit-tests", "va_high_addr_switch"],
    "mount_setattr": ["mount_setattr_test"],
    "move_mount_set_group": ["move_mount_set_group_test"],
    "mqueue": ["mq_open_tests /test1", "mq_perf_tests -c 0 /test1"],
    "nsfs": ["owner", "pidns"],
    "openat2": ["openat2_test", "rename_attack_test", "resolve_test"],
    "perf_events": ["mmap", "remove_on_exec", "sigtrap_threads", "watermark_signal"],
    "pid_namespace": ["regression_enomem"],
    "pidfd": ["pidfd_fdinfo_test", "pidfd_getfd_test", "pidfd_open_test", "pidfd_poll_test",
              "pidfd_setns_test", "pidfd_test", "pidfd_wait"],
    "proc": ["fd-001-lookup", "fd-002-posix-eq", "fd-003-kthread", "proc-2-is-kthread",
             "proc-fsconfig-hidepid", "proc-loadavg-001", "proc-multiple-procfs",
             "proc-self-isnt-kthread", "proc-self-map-files-001", "proc-self-map-files-002",
             "proc-self-syscall", "proc-self-wchan", "proc-subset-pid", "proc-tid0",
             "proc-uptime-001", "proc-uptime-002", "read", "self", "setns-dcache", "setns-sysvipc",
             "thread-self"],
    "ptrace": ["get_set_sud", "get_syscall_info", "peeksiginfo", "vmaccess"],
    "rlimits": ["rlimits-per-userns"],
    "rseq": ["basic_percpu_ops_mm_cid_test", "basic_percpu_ops_test", "basic_test",
             *(f"param_test -T {kind} -t 4 -r 200 -D 1000 -v" for kind in "slbmi"),
             *(f"param_test_mm_cid -T {kind} -t 4 -r 200" for kind in "sl"),
             *(f"param_test_compare_twice -T {kind} -t 4 -r 200" for kind in "sl")],
    "sched": ["cs_prctl_test"],
    "seccomp": ["seccomp_bpf"],
    "sigaltstack": ["sas"],
    "splice": ["default_file_splice_read.sh", "short_splice_read.sh"],
    "sync": ["sync_test"],
    "syscall_user_dispatch": ["sud_test"],
    "timens": ["clock_nanosleep", "exec", "futex", "procfs", "timens", "timer", "timerfd",
               "vfork_exec"],
    "timers": ["inconsistency-check -t 1", "mqueue-lat", "nanosleep", "nsleep-lat", "posix_timers",
               "set-timer-lat", "threadtest -t 2 -n 8"],
    "tmpfs": ["bug-link-o-tmpfile"],
    "user_events": ["abi_test", "dyn_test", "ftrace_test", "perf_test"],
    "vDSO": ["vdso_test_abi", "vdso_test_clock_getres", "vdso_test_correctness",
             "vdso_test_getcpu", "vdso_test_getrandom", "vdso_test_gettimeofday"],
}
# Those that look for files or libraries of theirs in the folder that they are in, or write to it.
COPIED = ("exec", "memfd", "rseq", "splice", "arm64/pauth", "arm64/fp", "filesystems")
# Seconds that one takes at least: these are for where there is time.
LONG = {"uffd-unit-tests": 20, "cow": 30, "migration": 20, "seccomp_bpf": 30, "posix_timers": 15,
        "mq_perf_tests": 30, "proc-uptime-001": 3, "proc-uptime-002": 3, "nsleep-lat": 10,
        "set-timer-lat": 10, "mqueue-lat": 5, "gup_longterm": 10, "epoll_wakeup_test": 20}

# Workers each, that check what they have done.
STRESS = """
access affinity af-alg aio alarm atomic bad-altstack bigheap brk bsearch cache cap chattr chdir
chmod chown clock clone close context copy-file crypt cyclic daemon dekker dentry dir dirdeep
dirmany dup env epoll eventfd exec exit-group fallocate fault fcntl fiemap fifo filename flock
fork fp fp-error fstat full funccall funcret futex get getdent getrandom goto handle hash hdd
heapsort hrtimers hsearch inotify io io-uring iomix itimer judy kcmp kill lease link list lockbus
lockf lockofd longjmp lsearch madvise malloc matrix matrix-3d mcontend membarrier memcpy memfd
memrate memthrash mergesort mincore misaligned mknod mlock mlockmany mmap mmapaddr mmapfixed
mmapfork mmapmany mprotect mq mremap msg msync msyncmany munmap mutex nanosleep nop null open
pagemove peterson pidfd pipe pipeherd poll prctl prefetch procfs pthread ptrace pty qsort
radixsort randlist readahead remap rename resched resources revio ring-pipe rmap rseq schedpolicy
seal seccomp seek sem sem-sysv sendfile session set shellsort shm shm-sysv sigabrt sigchld sigfd
sigfpe sigio signal signest sigpending sigpipe sigq sigrt sigsegv sigsuspend sigtrap skiplist
sleep sock sockabuse sockfd sockmany sockpair spawn splice stack stackmmap str stream switch
symlink sync-file sysbadaddr sysinfo tee timer timerfd tlb-shootdown touch tree tsearch udp
unshare userfaultfd utime vdso vecfp vecmath vecshuf vecwide vfork vforkmany vm vm-addr vm-rw
vm-segv vm-splice wait waitcpu wcs xattr yield zero zlib zombie
""".split()

PYTHON = """
test_array test_asyncgen test_asynchat test_asyncio.test_base_events
test_asyncio.test_buffered_proto test_asyncio.test_events test_asyncio.test_futures
test_asyncio.test_locks test_asyncio.test_pep492 test_asyncio.test_queues
test_asyncio.test_runners test_asyncio.test_selector_events test_asyncio.test_sendfile
test_asyncio.test_server test_asyncio.test_sock_lowlevel test_asyncio.test_streams
test_asyncio.test_subprocess test_asyncio.test_taskgroups test_asyncio.test_tasks
test_asyncio.test_threads test_asyncio.test_timeouts test_asyncio.test_unix_events
test_asyncio.test_waitfor test_asyncore test_atexit test_bisect test_bufio test_bz2 test_context
test_contextlib test_copy test_coroutines test_ctypes test_dbm_dumb test_deque test_dict
test_eintr test_epoll test_exceptions test_faulthandler test_fcntl test_file test_file_eintr
test_fileio test_float test_fork1 test_ftplib test_gc test_generators test_glob test_gzip
test_hashlib test_heapq test_hmac test_httplib test_httpservers test_io test_ioctl test_iter
test_itertools test_json test_list test_logging test_lzma test_mailbox test_marshal test_math
test_memoryio test_memoryview test_mmap test_multiprocessing_main_handling test_openpty test_os
test_pathlib test_pipes test_poll test_popen test_poplib test_posix test_pty test_pwd test_queue
test_random test_re test_resource test_sched test_select test_selectors test_set test_shelve
test_shutil test_signal test_smtplib test_socket test_socketserver test_sort test_sqlite3
test_statistics test_struct test_subprocess test_sys test_syslog test_tarfile test_telnetlib
test_tempfile test_thread test_threadedtempfile test_threading test_threading_local
test_threadsignals test_time test_timeout test_tuple test_unicode test_uuid test_wait3 test_wait4
test_weakref test_weakset test_wsgiref test_xmlrpc test_zipfile test_zlib test_concurrent_futures
test_multiprocessing_fork test_multiprocessing_forkserver test_multiprocessing_spawn
""".split()
PYTHON_LONG = {"test_concurrent_futures": 60, "test_multiprocessing_fork": 60, "test_io": 40,
               "test_multiprocessing_forkserver": 80, "test_multiprocessing_spawn": 100,
               "test_subprocess": 20, "test_socket": 20, "test_threading": 15, "test_signal": 20,
               "test_logging": 20, "test_unicode": 20, "test_statistics": 20, "test_tarfile": 20,
               "test_zipfile": 20, "test_gc": 10, "test_selectors": 20, "test_os": 15,
               "test_asyncio.test_tasks": 20, "test_asyncio.test_events": 20, "test_re": 10,
               "test_memoryview": 10, "test_math": 10, "test_lzma": 10, "test_bz2": 10}

DATA = "head -c 2000000 /dev/urandom >a && cat /usr/bin/openssl >>a"
OTHERS = {
    "zstd/round-trip": f"{DATA} && zstd -q -3 -T4 a -o b && zstd -q -d b -o c && cmp a c && zstd -qt b",
    "zstd/benchmark": "head -c 500000 /usr/bin/perl >a && zstd -b1 -e3 -i0 -T2 a",
    "xz/round-trip": "head -c 1000000 /usr/bin/perl >a && xz -1 -T2 -k a && xz -t a.xz && "
                     "xz -dc a.xz | cmp - a",
    "gzip/round-trip": f"{DATA} && gzip -1 -k a && gzip -t a.gz && gzip -dc a.gz | cmp - a",
    "bzip2/round-trip": "head -c 400000 /usr/bin/perl >a && bzip2 -1 -k a && bzip2 -t a.bz2 && "
                        "bzip2 -dc a.bz2 | cmp - a",
    "openssl/aes": f"{DATA} && openssl enc -aes-256-ctr -pbkdf2 -iter 1000 -k x -in a -out b && "
                   "openssl enc -d -aes-256-ctr -pbkdf2 -iter 1000 -k x -in b | cmp - a",
    "openssl/sign": "openssl genpkey -algorithm ed25519 -out k && "
                    "openssl pkey -in k -pubout -out p && head -c 500000 /usr/bin/perl >a && "
                    "openssl pkeyutl -sign -inkey k -rawin -in a -out s && "
                    "openssl pkeyutl -verify -pubin -inkey p -rawin -in a -sigfile s",
    "openssl/speed": "openssl speed -seconds 1 -multi 2 -bytes 8192 sha256",
    "openssl/fips": "openssl list -digest-algorithms && openssl dgst -sha512 /usr/bin/openssl",
    "sqlite/transactions": """
sqlite3 db "create table t(id integer primary key, v int, b blob)" && for i in 1 2 3 4; do
(for n in 1 2 3; do echo "pragma busy_timeout=60000;begin immediate;insert into t(v,b)
select $n, randomblob(300) from (with recursive c(i) as (select 1 union all select i+1 from c where
i<50) select i from c);commit;"; done | sqlite3 -bail db >/dev/null || echo "not ok writer $i") & done;
wait; test "$(sqlite3 db 'select count(*), sum(v) from t')" = "600|1200" &&
test "$(sqlite3 db 'pragma integrity_check')" = ok""",
    "sqlite/wal": """
sqlite3 db "pragma journal_mode=wal;create table t(a int unique, b text)" && for i in 1 2 3; do
(for n in 1 2 3 4 5 6; do echo "pragma busy_timeout=60000;insert into t select 1000*$i+100*$n+x,
hex(x) from (with recursive c(x) as (select 0 union all select x+1 from c where x<99)
select x from c);"; done | sqlite3 -bail db >/dev/null) & done; wait;
test "$(sqlite3 db 'select count(*) from t')" = 1800 &&
test "$(sqlite3 db 'pragma integrity_check')" = ok""",
    "perl/fork": r"""perl -e 'use strict; my $bad=0; for my $i (1..40) { pipe(my $r, my $w);
my $p=fork; if (!$p) { close $r; print $w $i x 5000; close $w; exit $i } close $w; local $/;
my $t=<$r>; waitpid $p,0; $bad++ if $? >> 8 != $i or $t ne $i x 5000 } exit($bad ? 1 : 0)'""",
    "perl/threads": r"""perl -e 'use threads; use threads::shared; my $n :shared = 0;
for my $round (1..4) { my @t = map { threads->create(sub { for (1..200) { lock $n; $n++ } }) } 1..6;
$_->join for @t } exit($n == 4800 ? 0 : 1)'""",
    "perl/sort": r"""perl -e 'srand 1; my @a = map { rand } 1..60000; my @b = sort { $a <=> $b } @a;
for (1..$#b) { exit 1 if $b[$_] < $b[$_-1] } my %h; $h{$_}++ for @a; exit(keys %h == @a ? 0 : 1)'""",
    "coreutils/sort": "seq 1 60000 | shuf >a && sort -n --parallel=4 -S 1M a >b && seq 1 60000 | cmp - b",
    "coreutils/sums": f"{DATA} && split -b 100k a p. && cat p.* | cmp - a && "
                      "sha256sum p.* >s && sha256sum -c --quiet s && b2sum a >s && b2sum -c --quiet s",
    "coreutils/copies": "for i in 1 2 3; do cp -a /usr/lib/python3.11/json c$i && "
                        "diff -r /usr/lib/python3.11/json c$i || exit 1; done; rm -r c1 c2 c3",
    "memtester/2m": "memtester 2M 1",
    "rt-tests/pi_stress": "pi_stress --duration=2 --groups=$(nproc) --inversions=100 --quiet",
    "rt-tests/pip_stress": "pip_stress",
    "rt-tests/ptsematest": "ptsematest -t 2 -l 100 -q",
    "rt-tests/svsematest": "svsematest -t 2 -l 100 -q",
    "rt-tests/sigwaittest": "sigwaittest -t 2 -l 100 -q",
    "rt-tests/signaltest": "signaltest -t 4 -l 200 -q",
    "rt-tests/pmqtest": "pmqtest -t 2 -l 100 -q",
    "rt-tests/cyclictest": "cyclictest -t 4 -i 2000 -l 200 -q",
    "rt-tests/hackbench-process": "hackbench -g 2 -f 5 -l 50",
    "rt-tests/hackbench-threads": "hackbench -T -g 2 -f 5 -l 50",
    "rt-tests/hackbench-pipes": "hackbench -p -g 2 -f 5 -l 50",
    "rt-tests/ssdd": "ssdd -f 4 -i 200",
}


# Of each kind some short ones, for `make test`.
QUICK = (
    "kselftest/rseq/basic_test", "kselftest/membarrier/membarrier_test_multi_thread",
    "kselftest/sigaltstack/sas", "kselftest/pidfd/pidfd_wait",
    "kselftest/arm64/abi/syscall-abi", "stress-ng/pthread", "stress-ng/futex", "stress-ng/fork",
    "stress-ng/sigq", "stress-ng/pipe", "cpython/test_thread", "perl/fork",
    "perl/threads", "sqlite/transactions", "zstd/round-trip", "coreutils/sort")


def kernel_programs():
    for folder, lines in KERNEL.items():
        for line in lines:
            program, _, arguments = line.partition(" ")
            path = f"{KSELFTEST}/{folder}/{program}"
            name = f"kselftest/{folder}/{line.replace(' ', '_').replace('/', '')}" if arguments else \
                f"kselftest/{folder}/{program}"
            copied = folder in COPIED
            command = f"./{program} {arguments}" if copied else f"{path} {arguments}"
            yield Program(name, command.strip(), 60 + 4 * LONG.get(program, 0),
                          path if copied else "", LONG.get(program, 1))


def stress_programs():
    for name in STRESS:
        yield Program(f"stress-ng/{name}", f"stress-ng --verify --{name} 2 --{name}-ops 300 -t 1 "
                      "--oomable --temp-path /tmp --no-rand-seed", 40, cost=1.5)


def python_programs():
    for name in PYTHON:
        seconds = PYTHON_LONG.get(name, 4)
        yield Program(f"cpython/{name}", f"{PYTESTS} {name}", 120 + 8 * seconds, cost=seconds)


def programs():
    """All of them, those of a source beside each other."""
    yield from kernel_programs()
    yield from stress_programs()
    yield from python_programs()
    for name, command in OTHERS.items():
        yield Program(name, command)
