#pragma once

#include <cstdint>
#include <functional>

namespace fovea {

/// How many threads this process may keep busy: the smallest of its affinity mask, its control
/// groups' quotas (rounded up) and OMP_THREAD_LIMIT, at least 1.
int available_threads();

/// Requests a team size for parallel_for and the kernels, available_threads() by default; they get
/// what granted_threads() allows. Set it before any work starts; a Program keeps the size it was
/// compiled with. Errors: usage when n < 1 or n > 1024.
void set_threads(int n);
int threads();

/// The team size that the calling thread actually gets when it asks for `n`, at least 1. Less than
/// n when OpenMP is limited (OMP_THREAD_LIMIT, OMP_MAX_ACTIVE_LEVELS), inside a parallel region of
/// the caller, and when the system starts no more threads (a limit on processes). Found by trying,
/// once per thread and size: OpenMP ends the program when it cannot start a thread. OMP_DYNAMIC
/// does not apply to these teams.
int granted_threads(int n);

/// Calls body(begin, end) over chunks that cover [0, n), on up to threads() threads, each of which
/// takes one after another: a thread that loses its core to another program delays the others by
/// one chunk. Chunks are multiples of `grain` and depend only on n, grain and the team size; inside
/// another parallel_for, or on a thread marked serial, it is a single call. The first exception of
/// a chunk is rethrown on the calling thread once all have finished.
void parallel_for(int64_t n, int64_t grain,
                  const std::function<void(int64_t begin, int64_t end)>& body);

/// The same for chunks that the caller cuts: calls body(chunk, slot) for each of [0, count).
/// Concurrent calls have different slots, below threads(): each may have scratch memory of its own.
void parallel_chunks(int64_t count, const std::function<void(int64_t chunk, int slot)>& body);

/// While it lives, this thread's team size is `n`: for parallel_for, threads(), and libraries that
/// ask OpenMP. Errors: usage when granted_threads(n) is less, since kernels compiled for a team of
/// n wait for all its members. With `openmp`, parallel_for runs on OpenMP's threads, because such a
/// library uses them too: they spin between two of its kernels, and would take the cores from ours.
class TeamScope {
 public:
  explicit TeamScope(int n, bool openmp = false);
  ~TeamScope();
  TeamScope(const TeamScope&) = delete;
  TeamScope& operator=(const TeamScope&) = delete;

 private:
  int previous_, previous_openmp_, previous_dynamic_;
  bool previous_on_openmp_;
};

/// Runs `work` on the calling thread, or once on each of OpenMP's if they are the team. The threads
/// of parallel_for take over the caller's floating-point mode by themselves.
void on_each_thread(const std::function<void()>& work);

/// While it lives, parallel_for on this thread runs serially, and so do libraries that ask OpenMP:
/// for threads that already belong to a team (loaders).
class SerialScope {
 public:
  SerialScope();
  ~SerialScope();
  SerialScope(const SerialScope&) = delete;
  SerialScope& operator=(const SerialScope&) = delete;

 private:
  bool previous_;
  int previous_openmp_;
};

}  // namespace fovea
