#pragma once

#include <cstdint>
#include <functional>

namespace fovea {

/// How many CPUs this process may use: the smaller of its affinity mask and its cgroup quota
/// (rounded up), at least 1.
int available_threads();

/// The team size of parallel_for and of the kernels. Defaults to available_threads(). Set it before
/// any work starts; a Program keeps the size it was compiled with. Errors: usage when n < 1 or n >
/// 1024.
void set_threads(int n);
int threads();

/// Calls body(begin, end) over chunks that cover [0, n), on up to threads() threads. Chunks are
/// multiples of `grain` and depend only on n, grain and the team size; inside another parallel_for,
/// or on a thread marked serial, it is one call. The first exception of a chunk is thrown again on
/// the calling thread once all have ended.
void parallel_for(int64_t n, int64_t grain,
                  const std::function<void(int64_t begin, int64_t end)>& body);

/// While it lives, the team of this thread is `n`: of parallel_for, of threads(), and of libraries
/// that ask OpenMP.
class TeamScope {
 public:
  explicit TeamScope(int n);
  ~TeamScope();
  TeamScope(const TeamScope&) = delete;
  TeamScope& operator=(const TeamScope&) = delete;

 private:
  int previous_, previous_openmp_;
};

/// Runs `work` once on each thread of the team, at the same time.
void on_each_thread(const std::function<void()>& work);

/// While it lives, parallel_for on this thread runs serially: for threads that are themselves one
/// of a team (loaders).
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
