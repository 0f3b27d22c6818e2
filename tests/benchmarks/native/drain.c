// The far end: reads everything, compares every byte with the pattern, and says when the last one came.
// It never sleeps on a socket: whoever wrote would pay for waking it up, the slower a contestant the more often.
// On a pty it does: there a reader that never sleeps gets in the writer's way, inside the kernel.
// drain EXPECTED_PER_STREAM PERIOD FD...
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "measure.h"

enum { CHUNK = 1 << 20, EVENTS = 256 };

static unsigned char *expected_bytes, *chunk;
static count_t expected, period, reads, total, last_ns;
static int wrong;

// Takes one read's bytes in; returns what the stream has got so far.
static count_t take(count_t got, ssize_t n) {
    if (memcmp(chunk, expected_bytes + got % period, n)) wrong = 1;
    reads++;
    total += n;
    return got + n;
}

static void drain_one(int fd) {
    count_t got = 0;
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, isatty(fd) ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
    while (got < expected) {
        ssize_t n = read(fd, chunk, CHUNK);
        if (n < 0 && errno == EAGAIN) sched_yield();
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (n <= 0) return;
        got = take(got, n);
    }
}

static void drain_many(int count, const int *fds) {
    struct epoll_event events[EVENTS];
    count_t *got = (count_t *)calloc(count, sizeof *got);
    int poller = epoll_create1(0), left = count;
    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        fcntl(fds[i], F_SETFL, fcntl(fds[i], F_GETFL) | O_NONBLOCK);
        epoll_ctl(poller, EPOLL_CTL_ADD, fds[i], &event);
    }
    while (left) {
        int ready = epoll_wait(poller, events, EVENTS, isatty(fds[0]) ? -1 : 0);
        if (!ready) sched_yield();
        for (int k = 0; k < ready; k++) {
            int i = events[k].data.u32;
            ssize_t n = read(fds[i], chunk, CHUNK);
            if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
            if (n > 0) got[i] = take(got[i], n);
            if (n <= 0 || got[i] >= expected) {
                epoll_ctl(poller, EPOLL_CTL_DEL, fds[i], NULL);
                left--;
            }
        }
    }
}

int main(int argc, char **argv) {
    int count = argc - 3, *fds = (int *)malloc(count * sizeof *fds);
    expected = strtoull(argv[1], NULL, 10);
    period = strtoull(argv[2], NULL, 10);
    for (int i = 0; i < count; i++) fds[i] = atoi(argv[3 + i]);
    expected_bytes = pattern(period + CHUNK, period);
    chunk = (unsigned char *)calloc(1, CHUNK);
    puts("ready");
    fflush(stdout);
    if (count == 1) drain_one(fds[0]);
    else drain_many(count, fds);
    last_ns = now_ns();
    printf("{\"bytes\":%llu,\"delivered\":%s,\"last_ns\":%llu,\"reads\":%llu}\n", total,
           !wrong && total == expected * count ? "true" : "false", last_ns, reads);
    return 0;
}
