// SPDX-License-Identifier: GPL-2.0-only
/* What apfvm's command line takes, and what --help says of it. */
#include <string.h>

#include "options.h"
#include "util.h"

#define MEM_MAX_MIB	65536
#define BANDWIDTH_MAX	1000000

#define INTO	((struct options *)NULL)

static const char *const apf_words[] = { "default", "off", "on", NULL };
static const char *const backing_words[] = { "anon", "shmem", "hugetlb", NULL };
/* In the order of enum churn_how, as the others in that of theirs. */
static const char *const churn_words[] = {
	"none", "delete", "move", "ro", "log", "collapse", NULL
};

/* HOW=MS, where the row has the bounds of MS. */
static int take_churn(const struct option_row *row, void *into, const char *text,
		      struct reason *why)
{
	struct option_row every = *row;
	struct options *opt = into;
	size_t size = strcspn(text, "=");
	unsigned int i;

	every.value = "MS";
	for (i = CHURN_DELETE; churn_words[i]; i++) {
		if (text[size] && strlen(churn_words[i]) == size &&
		    !strncmp(churn_words[i], text, size)) {
			opt->churn.how = (enum churn_how)i;
			return option_number(&every, into, text + size + 1, why);
		}
	}
	return option_reject_value(row, text, why,
				   "is not HOW=MS, HOW being delete, move, ro, log or collapse");
}

/* A name may have a comma in it, but for one that ends in ",rw". @text is cut there. */
static int take_disk(const struct option_row *row, void *into, const char *text,
		     struct reason *why)
{
	static const char suffix[] = ",rw";
	size_t size = strlen(text), cut = sizeof(suffix) - 1;
	bool writable = size > cut && !strcmp(text + size - cut, suffix);
	struct options *opt = into;

	if (opt->disks == DISKS_MAX)
		return option_reject(why, "--%s: given more than %d times", row->name, DISKS_MAX);
	/* getopt's argument is argv's, which may be written to. */
	if (writable)
		((char *)text)[size - cut] = '\0';
	opt->disk[opt->disks++] = (struct disk_options) { .name = text, .writable = writable };
	return 0;
}

static int take_evict(const struct option_row *row, void *into, const char *text,
		      struct reason *why)
{
	struct options *opt = into;
	char in_spec[160];

	if (evict_options_parse(&opt->evict, text, in_spec, sizeof(in_spec)))
		return option_reject(why, "--%s: %s", row->name, in_spec);
	return 0;
}

/* Of two saved VMs it would not be clear which one goes on. */
static int take_restore(const struct option_row *row, void *into, const char *text,
			struct reason *why)
{
	struct options *opt = into;

	if (opt->restore_name)
		return option_reject(why, "--%s: given more than once", row->name);
	opt->restore_name = text;
	return 0;
}

static const struct option_row rows[] = {
	{ "kernel", OPTION_TEXT, OPTION_AT(INTO->kernel), .value = "IMAGE",
	  .help = "uncompressed arm64 kernel Image" },
	{ "initrd", OPTION_TEXT, OPTION_AT(INTO->initrd), .value = "FILE",
	  .help = "initial RAM disk" },
	{ "append", OPTION_TEXTS, OPTION_AT(INTO->append), .max = BOOTS_MAX, .value = "STR",
	  .preset = "console=hvc0 panic=-1",
	  .help = "kernel command line. If it is given more than once, each boot has the next\n"
		  "one: the guest boots again after a reset" },
	{ "mem", OPTION_NUMBER, OPTION_AT(INTO->mem_mib), 16, MEM_MAX_MIB, "MIB",
	  "ordinary memory, an even number", "256" },
	{ "cold", OPTION_NUMBER, OPTION_AT(INTO->cold_mib), 0, MEM_MAX_MIB, "MIB",
	  "cold memory, behind the ordinary memory", "0" },
	{ "cold-file", OPTION_TEXT, OPTION_AT(INTO->cold_file), .value = "FILE",
	  .help = "cold memory is FILE, mapped privately, like a snapshot. No policy applies,\n"
		  "and pages beyond the end of FILE cannot be had" },
	{ "pages-socket", OPTION_TEXT, OPTION_AT(INTO->pages_socket), .value = "PATH",
	  .help = "apfpages, another process, serves the cold memory" },
	{ "cold-backing", OPTION_WORD, OPTION_AT(INTO->backing), .words = backing_words,
	  .preset = "anon",
	  .help = "what cold memory is made of; hugetlb has pages of 2 MiB" },
	{ "churn", OPTION_OWN, OPTION_AT(INTO->churn.every_ms), 1, 60000, "HOW=MS",
	  .take = take_churn,
	  .help = "every MS, while pages are under way, the cold memory's memslot is deleted\n"
		  "and comes back (delete), is elsewhere for a while (move), turns read-only\n"
		  "and back (ro), or its dirty log goes on and off (log), or the host makes\n"
		  "huge pages of what is there (collapse). Bounds of MS:" },
	{ "dirty-log", OPTION_FLAG, OPTION_AT(INTO->dirty_log),
	  .help = "KVM logs which pages of the cold memory are written to" },
	{ "mergeable", OPTION_FLAG, OPTION_AT(INTO->mergeable),
	  .help = "the host may merge all pages of the guest (KSM)" },
	{ "cold-ro", OPTION_FLAG, OPTION_AT(INTO->cold_ro),
	  .help = "the guest may only read the cold memory; its writes there have no effect" },
	{ "cpus", OPTION_NUMBER, OPTION_AT(INTO->cpus), 1, CPUS_MAX, "N", "vCPUs", "1" },
	{ "pageout", OPTION_FLAG, OPTION_AT(INTO->pageout),
	  .help = "the guest may page out its ordinary memory, by a device" },
	{ "pin", OPTION_FLAG, OPTION_AT(INTO->pin),
	  .help = "vCPU n runs on the host's CPU n and nowhere else" },
	{ "seed", OPTION_NUMBER, OPTION_AT(INTO->seed), 0, UINT64_MAX, "N",
	  "seed of what the cold pages hold", "1" },
	{ "policy", OPTION_TEXTS, OPTION_AT(INTO->policy), .max = POLICY_MAX - 1,
	  .value = "RANGE:SPEC",
	  .help = "how missing pages are answered; where ranges overlap, the later policy\n"
		  "wins. Pages without a policy come at once" },
	{ "apf", OPTION_WORD, OPTION_AT(INTO->apf), .words = apf_words, .preset = "default",
	  .help = "whether the guest is offered announcements (levels announce and kernel).\n"
		  "default: as the host's parameter kvm-arm.apf says" },
	{ "apf-intid", OPTION_NUMBER, OPTION_AT(INTO->apf_intid), 16, 31, "N",
	  "the PPI that tells the guest of an announcement; KVM's own default is 16" },
	{ "apf-answer", OPTION_TEXT, OPTION_AT(INTO->apf_answer), .value = "V:N[:E]",
	  .help = "apfvm answers APF's hypercall in place of KVM: version V, INTID N, and\n"
		  "status E of ENABLE (0), whether that is true or not" },
	{ "sve", OPTION_FLAG, OPTION_AT(INTO->sve),
	  .help = "vCPUs have SVE if the machine has it" },
	{ "no-gic", OPTION_FLAG, OPTION_AT(INTO->no_gic),
	  .help = "no interrupt controller and so no interrupts: not for Linux" },
	{ "disk", OPTION_OWN, .value = "FILE[,rw]", .take = take_disk,
	  .help = "a disk, read-only or writable (rw). Its serial is the first 20 characters\n"
		  "of the file's name; the guest finds it by that. At most 2 disks" },
	{ "console", OPTION_TEXT, OPTION_AT(INTO->console), .value = "FILE|-", .preset = "-",
	  .help = "where the output of the guest's hvc0 goes; - is standard output" },
	{ "result", OPTION_TEXT, OPTION_AT(INTO->result), .value = "FILE",
	  .help = "where the output of the guest's hvc1 goes; if not given, nowhere" },
	{ "evict", OPTION_OWN, .value = "SPEC", .take = take_evict,
	  .help = "take pages of all of guest memory away, again and again" },
	{ "marks", OPTION_TEXT, OPTION_AT(INTO->marks), .value = "FILE",
	  .help = "when each page was asked for and answered, as lines of JSON" },
	{ "stop-after", OPTION_NUMBER, OPTION_AT(INTO->stop_after_ms), 1, INT32_MAX, "MS",
	  "stop the VM after that time" },
	{ "save", OPTION_TEXT, OPTION_AT(INTO->save), .value = "FILE",
	  .help = "on SIGUSR2, save the VM to FILE; FILE.json says what is in it and what was\n"
		  "under way" },
	{ "save-after", OPTION_NUMBER, OPTION_AT(INTO->save_after_ms), 1, INT32_MAX, "MS",
	  "save the VM after that time" },
	{ "restore", OPTION_OWN, .value = "FILE", .take = take_restore,
	  .help = "go on with a saved VM, whose memory comes back page by page when it is\n"
		  "touched. Size, vCPUs and seed are those of FILE" },
	{ "mapped", OPTION_FLAG, OPTION_AT(INTO->mapped),
	  .help = "map the memory of --restore FILE privately; no policy, no cold memory" },
	{ "huge", OPTION_FLAG, OPTION_AT(INTO->huge),
	  .help = "the memory of --restore FILE is of pages of 2 MiB (hugetlb); no cold memory" },
	{ "prefetch", OPTION_TEXT, OPTION_AT(INTO->prefetch), .value = "FILE",
	  .help = "with --restore: pages that were asked for in a run whose --marks are in FILE\n"
		  "come in that order, each as late as its policy says and 64 at a time, while\n"
		  "the guest runs. A page that the guest waits for goes first" },
	{ "bandwidth", OPTION_NUMBER, OPTION_AT(INTO->bandwidth), 1, BANDWIDTH_MAX, "MBIT",
	  "missing pages come one after the other, at so many 10^6 bits per second; if not\n"
	  "given, their size takes no time" },
};

static const char intro[] =
"usage: apfvm --kernel IMAGE [OPTION]...\n"
"       apfvm --restore FILE [OPTION]...\n"
"Run an arm64 Linux guest, the last part of whose memory is cold: each of its\n"
"pages comes when the guest first touches it, as late as a policy says.\n"
"\n";

static const char notes[] =
"\n"
"RANGE is 'all', or START-END in pages of the cold memory, END not included, or\n"
"in bytes with a suffix K, M or G. Or it is 'ram', the ordinary memory, which\n"
"needs --restore, --evict or --pageout. SPEC is a comma-separated list of:\n";

static const char evict_intro[] =
"\n"
"SPEC of --evict is a comma-separated list of:\n";

static const char end_notes[] =
"\n"
"A page that was taken comes back when the guest touches it, by the policy of the\n"
"page. The guest begins and ends this by a line '@evict on' or '@evict off' to hvc1.\n"
"\n"
"When the guest writes a line '@stats NAME' to hvc1, the result has KVM's statistics\n"
"of that moment in its place, as one line of JSON. The last line of every result is\n"
"such a line with the name 'end'.\n"
"\n"
"Exit status: 0 guest powered off, 1 error, 2 bad usage, 3 guest reset,\n"
"4 the guest touched a page that cannot be had, 5 stopped by SIGTERM, SIGINT\n"
"or --stop-after, 6 saved. SIGHUP resets the guest.\n";

const struct option_table options_table = {
	.intro = intro, .rows = rows, .count = ARRAY_SIZE(rows), .notes = notes,
};

void options_print_help(FILE *to)
{
	option_print_help(&options_table, to);
	option_print_spec(&policy_words, to);
	fputs(evict_intro, to);
	option_print_spec(&evict_words, to);
	fputs(end_notes, to);
}
