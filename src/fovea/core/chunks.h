#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>

namespace fovea {

/// Pieces of work, [0, count), that the threads of a team take one after another: each begins with
/// a part of its own, so that the same thread finds the same data in its cache, and then takes what
/// the others have not begun. A thread that comes late, or never, delays nobody.
class Chunks {
 public:
  using Body = std::function<void(int64_t chunk, int slot)>;

  /// For at most `team` threads. `body` must live as long.
  Chunks(int64_t count, int team, const Body& body);

  /// Runs chunks until none is left, those of part `slot` first: to be called by each thread that
  /// takes part, with its own number below team(), the same in all work of a team. Meanwhile the
  /// thread is serial, and its floating-point mode is that of the thread that made these chunks.
  void work(int slot);

  int team() const { return team_; }
  /// Whether the threads that take part stay on CPUs of their own.
  bool spread() const { return spread_; }
  /// Rethrows the first exception of a chunk, if any, once all threads are back.
  void rethrow() const;

 private:
  struct alignas(64) Part {
    std::atomic<int64_t> next;
    int64_t end;
  };
  void run(int64_t chunk, int slot);

  int team_;
  bool spread_;
  const Body& body_;
  std::unique_ptr<Part[]> parts_;
  unsigned float_mode_;
  std::mutex guard_;
  std::exception_ptr failure_;
};

/// Has the process's own threads help the calling one with these chunks, and returns when all are
/// done. Threads are started when they are first needed; if the system starts no more, the calling
/// thread does the work. A thread that finds no work spins for some microseconds before it sleeps.
void run_in_pool(Chunks& chunks);

}  // namespace fovea
