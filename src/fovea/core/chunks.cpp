#include "fovea/core/chunks.h"

#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <list>
#include <system_error>
#include <thread>
#include <vector>

#include "fovea/core/parallel.h"
#include "fovea/core/spread.h"

namespace fovea {
namespace {

/// Waits for a condition for a time that is short against a time slice of the system, and long
/// against the gap between two kernels. Returns whether it holds.
template <class Condition>
bool spin(const Condition& holds) {
  constexpr std::chrono::microseconds longest(50);
  const auto end = std::chrono::steady_clock::now() + longest;
  do {
    for (int i = 0; i < 32; ++i) {
      if (holds()) return true;
      _mm_pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return holds();
}

/// Locks a mutex that another thread has for a moment only: to be put to sleep and woken up would
/// take longer than most kernels.
void acquire(std::unique_lock<std::mutex>& lock) {
  if (!spin([&] { return lock.try_lock(); })) lock.lock();
}

/// The threads that help; they belong to the process and end with it.
class Pool {
 public:
  void run(Chunks& chunks) {
    std::unique_lock lock(guard_, std::defer_lock);
    acquire(lock);
    const auto job = jobs_.emplace(jobs_.end(), chunks);
    seats_ += job->seats;
    start_threads();
    ++posted_;
    lock.unlock();
    wake_.notify_all();
    chunks.work(0);
    acquire(lock);
    seats_ -= job->seats;
    job->seats = 0;
    if (job->helpers > 0) {
      lock.unlock();
      const bool back = spin([&] { return job->helpers == 0; });
      acquire(lock);
      if (!back) back_.wait(lock, [&] { return job->helpers == 0; });
    }
    jobs_.erase(job);
  }

 private:
  struct Job {
    explicit Job(Chunks& c) : chunks(c), seats(c.team() - 1), taken(static_cast<size_t>(seats)) {}
    /// The seat of a thread that last had seat `last`: the same if it is free, so that threads stay
    /// on their CPUs. Counted from 1.
    int take_seat(int last) {
      auto seat = static_cast<size_t>(last - 1);
      if (last < 1 || seat >= taken.size() || taken[seat])
        seat = static_cast<size_t>(std::ranges::find(taken, false) - taken.begin());
      taken[seat] = true;
      --seats;
      return static_cast<int>(seat) + 1;
    }
    Chunks& chunks;
    int seats;  ///< for threads that may still come
    std::vector<bool> taken;
    std::atomic<int> helpers{0};
  };

  /// As many as there are seats and helpers in all jobs.
  void start_threads() {
    while (threads_ < helping_ + seats_) {
      try {
        std::thread([this] { serve(); }).detach();
      } catch (const std::system_error&) {
        return;
      }
      ++threads_;
    }
  }

  [[noreturn]] void serve() {
    int seat = 0;  // the last one
    std::unique_lock lock(guard_);
    while (true) {
      const auto job = std::ranges::find_if(jobs_, [](const Job& j) { return j.seats > 0; });
      if (job == jobs_.end()) {
        wait(lock);
        continue;
      }
      seat = job->take_seat(seat);
      --seats_, ++job->helpers, ++helping_;
      lock.unlock();
      if (job->chunks.spread()) stay_on_cpu_of(seat);
      job->chunks.work(seat);
      acquire(lock);
      --helping_;
      if (--job->helpers == 0) back_.notify_all();
    }
  }

  /// Until another job is posted.
  void wait(std::unique_lock<std::mutex>& lock) {
    const uint64_t seen = posted_;
    lock.unlock();
    spin([&] { return posted_ != seen; });
    acquire(lock);
    wake_.wait(lock, [&] { return posted_ != seen; });
  }

  std::mutex guard_;
  std::condition_variable wake_, back_;
  std::list<Job> jobs_;
  std::atomic<uint64_t> posted_{0};
  int threads_ = 0, helping_ = 0, seats_ = 0;
};

}  // namespace

Chunks::Chunks(int64_t count, int team, const Body& body)
    : team_(team),
      spread_(team_is_spread()),
      body_(body),
      parts_(std::make_unique<Part[]>(static_cast<size_t>(team))),
      float_mode_(_mm_getcsr()) {
  for (int i = 0; i < team; ++i) {
    parts_[static_cast<size_t>(i)].next = count * i / team;
    parts_[static_cast<size_t>(i)].end = count * (i + 1) / team;
  }
}

void Chunks::work(int slot) {
  const SerialScope serial;
  const unsigned before = _mm_getcsr();
  _mm_setcsr(float_mode_);
  for (int i = 0; i < team_; ++i) {
    Part& part = parts_[static_cast<size_t>((slot + i) % team_)];
    while (part.next < part.end) {
      if (const int64_t chunk = part.next++; chunk < part.end) run(chunk, slot);
    }
  }
  _mm_setcsr(before);
}

void Chunks::run(int64_t chunk, int slot) {
  try {
    body_(chunk, slot);
  } catch (...) {
    const std::lock_guard lock(guard_);
    if (!failure_) failure_ = std::current_exception();
  }
}

void Chunks::rethrow() const {
  if (failure_) std::rethrow_exception(failure_);
}

void run_in_pool(Chunks& chunks) {
  static Pool& pool = *new Pool;  // its threads may outlive static objects
  pool.run(chunks);
}

}  // namespace fovea
