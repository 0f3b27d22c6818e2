// The floor: blocking write and writev in C.
// bare ACTION TIMES SIZE WARMUP BUFFERS PERIOD TIMEOUT_US FD...
#include <sys/uio.h>

#include "measure.h"

enum { MAX_BUFFERS = 1024 };

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void write_all(int fd, const unsigned char *data, size_t size) {
    while (size) {
        ssize_t n = write(fd, data, size);
        if (n < 0) fail("write");
        data += n;
        size -= n;
    }
}

static void write_gathered(int fd, struct iovec *buffers, size_t count) {
    while (count) {
        ssize_t n = writev(fd, buffers, count < MAX_BUFFERS ? count : MAX_BUFFERS);
        if (n < 0) fail("writev");
        while (count && (size_t)n >= buffers->iov_len) {
            n -= buffers->iov_len;
            buffers++;
            count--;
        }
        if (n) {
            buffers->iov_base = (char *)buffers->iov_base + n;
            buffers->iov_len -= n;
        }
    }
}

int main(int argc, char **argv) {
    const char *action = argv[1];
    size_t times = strtoull(argv[2], NULL, 10), size = strtoull(argv[3], NULL, 10), warmup = strtoull(argv[4], NULL, 10);
    size_t count = strtoull(argv[5], NULL, 10), period = strtoull(argv[6], NULL, 10);
    int streams = argc - 8, *fds = (int *)malloc(streams * sizeof *fds);
    unsigned char *data = pattern(size * count, period);
    for (int i = 0; i < streams; i++) {
        fds[i] = atoi(argv[8 + i]);
        fcntl(fds[i], F_SETFL, fcntl(fds[i], F_GETFL) & ~O_NONBLOCK);
    }
    if (!strcmp(action, "repeat")) {
        for (size_t i = 0; i < warmup; i++) write_all(fds[0], data, size);
        meter_start();
        for (size_t i = 0; i < times; i++)
            for (int k = 0; k < streams; k++) write_all(fds[k], data, size);
    } else if (!strcmp(action, "gather")) {
        struct iovec *buffers = (struct iovec *)malloc(count * sizeof *buffers);
        for (size_t i = 0; i < count; i++) buffers[i] = (struct iovec){data + i * size, size};
        meter_start();
        write_gathered(fds[0], buffers, count);
    } else {
        fprintf(stderr, "bare: no action %s\n", action);
        return 2;
    }
    meter_stop("");
    return 0;
}
