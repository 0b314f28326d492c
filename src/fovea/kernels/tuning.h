#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "fovea/core/scoped.h"
#include "fovea/kernels/kernel.h"

namespace fovea {

/// The fastest kernels on this machine, as measured. While one is set (see set_tuning), the fastest
/// kernel that accepts a problem computes it, instead of the one with the lowest price, and the
/// layout pass compares measured times. A problem is an op with its types and layouts, the number
/// of threads, and everything else that kernels depend on: the instruction set, whether weights are
/// fixed, deterministic(), winograd(). Thread-safe.
class Tuning {
 public:
  struct Fastest {
    std::string kernel;  ///< the name of its rule
    double seconds = 0;  ///< the median of a few runs
  };
  using Measure = std::function<std::optional<Fastest>()>;

  /// `observe` is called with the text of each problem before it is measured.
  explicit Tuning(std::function<void(const std::string& problem)> observe = nullptr);

  /// The fastest kernel of this problem if it is known; else what `measure` returns, which is then
  /// known, or nothing after stop_measuring().
  std::optional<Fastest> find(const Problem& problem, const Measure& measure);

  /// From now on choices depend only on what is known.
  void stop_measuring();
  /// Forgets the problems that were not asked for.
  void forget_unused();

  /// How many problems were measured, and how many are known.
  size_t measured() const;
  size_t size() const;

  /// All that is known, a line per problem: seconds, kernel, problem, separated by tabs.
  std::string text() const;
  /// Adds such lines; what is known already stays. Errors: data, naming the line, in which case
  /// nothing is added.
  void add(std::string_view text);

 private:
  struct Entry {
    Fastest fastest;
    bool used = false;
  };
  mutable std::mutex guard_;
  std::function<void(const std::string&)> observe_;
  std::map<std::string, Entry, std::less<>> entries_;
  size_t measured_ = 0;
  bool measuring_ = true;
};

/// Sets it for all kernels that are chosen from now on; null, the default: by price. Programs that
/// are compiled already keep their kernels.
void set_tuning(std::shared_ptr<Tuning> tuning);
std::shared_ptr<Tuning> tuning();

using TuningScope = Scoped<tuning, set_tuning>;

/// The seconds of one run of a kernel for `problem`, on arbitrary data: the median of a few. It
/// packs weights in each run unless they are fixed. A kernel that is clearly slower than `best`
/// runs only once or twice. Errors: as the kernel; memory.
double measured_seconds(const Kernel& kernel, const Problem& problem, double best);

/// Those of a reorder, if tuning() knows or measures it; else reorder_seconds(from).
double tuned_reorder_seconds(const Type& from, Layout to, int threads);

}  // namespace fovea
