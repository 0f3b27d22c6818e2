// Asio's own async_write in C++: what serialwrite is modelled on.
// asio TOKEN(co_await|callback|use_future) LINK(socketpair|pty) ACTION TIMES SIZE WARMUP BUFFERS PERIOD TIMEOUT_US FD...
#include <asio.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "measure.h"

using asio::async_write, asio::awaitable, asio::use_awaitable;

struct Job {
    std::string token, link, action;
    size_t times, size, warmup, buffers, period, timeout_us;
    std::vector<int> fds;
};

static void check(std::error_code error) {
    if (error) {
        fprintf(stderr, "asio: %s\n", error.message().c_str());
        exit(1);
    }
}

template <class Stream, class Buffers> awaitable<void> co_repeat(Stream &stream, Buffers data, size_t times) {
    for (size_t i = 0; i < times; i++) co_await async_write(stream, data, use_awaitable);
}

// Each completion handler starts the next write.
template <class Stream, class Buffers> struct Chain {
    Stream &stream;
    Buffers data;
    size_t left;
    void next() {
        if (left--) async_write(stream, data, [this](std::error_code error, size_t) { check(error); next(); });
    }
};

template <class Stream> class Contest {
  public:
    explicit Contest(const Job &job) : job(job), io(job.token == "use_future" ? ASIO_CONCURRENCY_HINT_DEFAULT : 1) {
        for (int fd : job.fds) {
            if constexpr (std::is_same_v<Stream, asio::posix::stream_descriptor>)
                streams.push_back(std::make_unique<Stream>(io, fd));
            else
                streams.push_back(std::make_unique<Stream>(io, asio::local::stream_protocol(), fd));
        }
        data = pattern(job.size * job.buffers, job.period);
    }

    void run() {
        if (job.token == "use_future")
            std::thread([this, work = asio::make_work_guard(io)] { io.run(); }).detach();
        if (job.action == "repeat") {
            if (job.warmup) repeat(asio::const_buffer(data, job.size), job.warmup);
            meter_start();
            repeat(asio::const_buffer(data, job.size), job.times);
            meter_stop("");
        } else if (job.action == "gather") {
            std::vector<asio::const_buffer> buffers;
            for (size_t i = 0; i < job.buffers; i++) buffers.emplace_back(data + i * job.size, job.size);
            meter_start();
            repeat(buffers, 1);
            meter_stop("");
        } else {
            meter_start();
            std::string late;
            for (size_t i = 0; i < job.times; i++) late += (i ? "," : "") + std::to_string(lateness_of_a_timeout());
            meter_stop((",\"late_us\":[" + late + "],\"counts\":[" + counts + "]").c_str());
        }
        fflush(stdout);
        _exit(0);  // what still waits need not be unwound
    }

  private:
    // Buffer sequences are handed over by value, as Asio's documentation has it.
    template <class Buffers> void repeat(const Buffers &buffers, size_t times) {
        if (job.token == "co_await") {
            for (auto &stream : streams) co_spawn(io, co_repeat(*stream, buffers, times), asio::detached);
            drive();
        } else if (job.token == "callback") {
            std::vector<Chain<Stream, Buffers>> chains;
            for (auto &stream : streams) chains.push_back({*stream, buffers, times});
            for (auto &chain : chains) chain.next();
            drive();
        } else {
            for (size_t i = 0; i < times; i++) {
                std::vector<std::future<size_t>> futures;
                for (auto &stream : streams) futures.push_back(async_write(*stream, buffers, asio::use_future));
                for (auto &future : futures) future.get();
            }
        }
    }

    void drive() {
        io.restart();
        io.run();
    }

    double lateness_of_a_timeout() {
        asio::steady_timer timer(io);
        asio::cancellation_signal stop;
        auto timeout = std::chrono::microseconds(job.timeout_us);
        count_t begun = now_ns(), ended = 0;
        async_write(*streams[0], asio::const_buffer(data, job.size),
                    asio::bind_cancellation_slot(stop.slot(), [&](std::error_code, size_t n) {
                        ended = now_ns();
                        counts += (counts.empty() ? "" : ",") + std::to_string(n);
                    }));
        timer.expires_after(timeout);
        timer.async_wait([&](std::error_code) { stop.emit(asio::cancellation_type::terminal); });
        io.restart();
        while (!ended) io.run_one();
        return (double)(ended - begun) / 1e3 - (double)job.timeout_us;
    }

    const Job &job;
    asio::io_context io;
    std::vector<std::unique_ptr<Stream>> streams;
    unsigned char *data;
    std::string counts;
};

int main(int argc, char **argv) {
    auto number = [&](int i) { return strtoull(argv[i], nullptr, 10); };
    Job job{argv[1], argv[2], argv[3], number(4), number(5), number(6), number(7), number(8), number(9), {}};
    for (int i = 10; i < argc; i++) job.fds.push_back(atoi(argv[i]));
    if (job.link == "pty") Contest<asio::posix::stream_descriptor>(job).run();
    else Contest<asio::local::stream_protocol::socket>(job).run();
}
