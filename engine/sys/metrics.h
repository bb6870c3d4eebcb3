/* Counters, gauges and histograms in Prometheus' text format. A family is declared once,
 * statically; a series (one set of label values) is found by hash and bumped atomically, from any
 * thread. The number of series of a family is bounded; past it all go into one with label values
 * "other". */
#ifndef LUWAK_SYS_METRICS_H
#define LUWAK_SYS_METRICS_H

#include "base/buf.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric {
    const char *name; /* luwak_script_calls_total */
    const char *help;
    enum metric_type type;
    const char *labels[4]; /* names, NULL-ended */
    struct metric_impl *impl;
    struct metric *next;
};

/* Label values in the order of `labels`. Histograms take microseconds and export seconds. */
void metric_add(struct metric *m, int64_t n, const char *const *label_values);
void metric_set(struct metric *m, int64_t n, const char *const *label_values);
void metric_observe_us(struct metric *m, uint64_t us, const char *const *label_values);
#define LABELS(...) ((const char *const[]){__VA_ARGS__})

void metrics_write(struct buf *out); /* the whole exposition */
int64_t metric_value(const struct metric *m, const char *const *label_values); /* for tests */
void metrics_free(void); /* forgets all series; only when no other thread counts any more */

#endif
