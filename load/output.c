// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a run reports: one JSON line on standard output, and with --log the
 * times of every touch and every wakeup.
 */
#include <stdio.h>
#include <stdlib.h>

#include "apfload.h"

/* Keeps a line of the log well below the 4 KiB that a console takes at once. */
#define LOG_PER_LINE	64

static int by_size(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Sorted gaps between wakeups, the first one counted from the start. */
static u64 *sorted_gaps(const struct load *load)
{
	const struct bystander *b = &load->bystander;
	u64 *gap = malloc((b->stored + 1) * sizeof(*gap));
	u64 i, last = load->t0;

	if (!gap)
		return NULL;
	for (i = 0; i < b->stored; i++) {
		gap[i] = b->stamps[i] - last;
		last = b->stamps[i];
	}
	/* Not one wakeup: the whole run is the gap. */
	if (!b->stored)
		gap[0] = b->worst;
	qsort(gap, b->stored, sizeof(*gap), by_size);
	return gap;
}

static u64 percentile(const u64 *gap, u64 n, unsigned int percent)
{
	u64 rank = (n * percent + 99) / 100;

	return gap[rank ? rank - 1 : 0];
}

static void print_bystander(const struct load *load, double wall_ms)
{
	const struct bystander *b = &load->bystander;
	u64 *gap;

	if (!load->cfg.bystander) {
		printf("\"bystander\":null");
		return;
	}
	gap = sorted_gaps(load);
	if (!gap)
		return;
	printf("\"bystander\":{\"wakeups\":%llu,", b->wakeups);
	printf("\"worst_gap_ms\":%.4f,", counter_ms(b->worst));
	printf("\"p99_gap_ms\":%.4f,", counter_ms(percentile(gap, b->stored, 99)));
	printf("\"p50_gap_ms\":%.4f,", counter_ms(percentile(gap, b->stored, 50)));
	printf("\"rate_per_s\":%.1f}", (double)b->wakeups * 1000.0 / wall_ms);
	free(gap);
}

static u64 noise_count(const struct noise *n, unsigned int cpus)
{
	u64 count = 0;
	unsigned int i;

	for (i = 0; n && i < cpus; i++)
		count += n[i].count;
	return count;
}

void output_summary(const struct load *load)
{
	const struct load_config *cfg = &load->cfg;
	u64 t1 = atomic_load(&load->t1);
	u64 touches = 0, verified = 0, bad = 0, work = 0, fp_bad = 0;
	double wall_ms = counter_ms(t1 - load->t0);
	unsigned int i;

	for (i = 0; i < cfg->tasks; i++) {
		touches += load->task[i].touches;
		verified += load->task[i].verified;
		bad += load->task[i].bad;
		work += load->task[i].work;
		fp_bad += load->task[i].fp_bad;
	}
	printf("{\"label\":\"%s\",\"wall_ms\":%.4f,", cfg->label, wall_ms);
	printf("\"t0\":%llu,\"t1\":%llu,\"counter_hz\":%llu,", load->t0, t1, counter_hz());
	printf("\"tasks\":%u,\"faults\":%llu,", cfg->tasks, touches);
	printf("\"pages_verified\":%llu,\"pages_bad\":%llu,", verified, bad);
	printf("\"work_done\":%llu,", work);
	printf("\"timer_noise\":%llu,", noise_count(load->timers, load->cpus));
	printf("\"ipi_noise\":%llu,", noise_count(load->ring, load->cpus));
	if (cfg->fp)
		printf("\"fp_bytes\":%u,\"fp_bad\":%llu,", load->fp_bytes, fp_bad);
	print_bystander(load, wall_ms);
	printf("}\n");
}

static void log_task(FILE *f, const struct task *t)
{
	u64 i, first;

	for (first = 0; first < t->touches; first += LOG_PER_LINE) {
		fprintf(f, "{\"task\":%u,\"touches\":[", t->id);
		for (i = first; i < t->touches && i < first + LOG_PER_LINE; i++)
			fprintf(f, "%s[%llu,%llu]", i > first ? "," : "",
				t->log[i].before, t->log[i].after);
		fprintf(f, "]}\n");
	}
}

static void log_bystander(FILE *f, const struct bystander *b)
{
	u64 i, first;

	for (first = 0; first < b->stored; first += LOG_PER_LINE) {
		fprintf(f, "{\"wakeups\":[");
		for (i = first; i < b->stored && i < first + LOG_PER_LINE; i++)
			fprintf(f, "%s%llu", i > first ? "," : "", b->stamps[i]);
		fprintf(f, "]}\n");
	}
}

int output_log(const struct load *load)
{
	FILE *f = fopen(load->cfg.log, "w");
	unsigned int i;

	if (!f)
		return -1;
	for (i = 0; i < load->cfg.tasks; i++)
		log_task(f, &load->task[i]);
	log_bystander(f, &load->bystander);
	if (ferror(f)) {
		fclose(f);
		return -1;
	}
	return fclose(f);
}
