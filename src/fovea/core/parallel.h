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

/// Calls body(begin, end) over chunks that cover [0, n), on up to threads() threads. Chunks are
/// multiples of `grain` and depend only on n, grain and the team size; inside another parallel_for,
/// or on a thread marked serial, it is a single call. The first exception of a chunk is rethrown on
/// the calling thread once all have finished.
void parallel_for(int64_t n, int64_t grain,
                  const std::function<void(int64_t begin, int64_t end)>& body);

/// While it lives, this thread's team size is `n`: for parallel_for, threads(), and libraries that
/// ask OpenMP. Errors: usage when granted_threads(n) is less, since kernels compiled for a team of
/// n wait for all its members.
class TeamScope {
 public:
  explicit TeamScope(int n);
  ~TeamScope();
  TeamScope(const TeamScope&) = delete;
  TeamScope& operator=(const TeamScope&) = delete;

 private:
  int previous_, previous_openmp_, previous_dynamic_;
};

/// Runs `work` once on each thread of the team, at the same time.
void on_each_thread(const std::function<void()>& work);

/// While it lives, parallel_for on this thread runs serially: for threads that already belong to a
/// team (loaders).
class SerialScope {
 public:
  SerialScope();
  ~SerialScope();
  SerialScope(const SerialScope&) = delete;
  SerialScope& operator=(const SerialScope&) = delete;

 private:
  bool previous_;
};

}  // namespace fovea
