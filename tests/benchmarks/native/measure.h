// What a native contestant measures of itself, in the words of ../meter.py; and the bytes of ../pattern.py.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

typedef unsigned long long count_t;

static inline count_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

// `period` pseudo-random bytes, over and over.
static inline unsigned char *pattern(size_t size, size_t period) {
    unsigned char *bytes = (unsigned char *)malloc(size);
    unsigned x = 12345;
    for (size_t i = 0; i < size && i < period; i++) {
        x = (x * 1103515245u + 12345u) & 0x7fffffffu;
        bytes[i] = x >> 16;
    }
    for (size_t i = period; i < size; i++) bytes[i] = bytes[i - period];
    return bytes;
}

static inline long status_kib(const char *field) {
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long value = -1;
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, field, strlen(field))) value = atol(line + strlen(field));
    if (file) fclose(file);
    return value;
}

static inline double seconds(struct timeval a, struct timeval b) {
    return (a.tv_sec - b.tv_sec) + (a.tv_usec - b.tv_usec) / 1e6;
}

static struct rusage used_before;
static long resident_before;
static count_t started;

static inline void meter_start(void) {
    int fd = open("/proc/self/clear_refs", O_WRONLY);  // "5" resets the peak of the resident set
    if (fd >= 0) {
        if (write(fd, "5", 1) < 0) perror("clear_refs");
        close(fd);
    }
    resident_before = status_kib("VmRSS:");
    getrusage(RUSAGE_SELF, &used_before);
    started = now_ns();
}

// One line of JSON; then wait for the harness to say that the far end has everything.
static inline void meter_stop(const char *more) {
    count_t ended = now_ns();
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("{\"started_ns\":%llu,\"ended_ns\":%llu,\"user\":%.6f,\"system\":%.6f,\"preempted\":%ld,\"rss_kib\":%ld%s}\n",
           started, ended, seconds(used.ru_utime, used_before.ru_utime), seconds(used.ru_stime, used_before.ru_stime),
           used.ru_nivcsw - used_before.ru_nivcsw, status_kib("VmHWM:") - resident_before, more);
    fflush(stdout);
    getchar();
}
