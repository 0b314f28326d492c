#include "fovea/kernels/parts.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "fovea/core/parallel.h"
#include "fovea/kernels/deterministic.h"

namespace fovea {
namespace {

std::atomic<bool> independent_of_threads{false};

/// The number of threads that a problem is divided for.
int64_t team_of(const Problem& problem) {
  constexpr int64_t fixed = 4;  // 32 parts keep up to 16 threads busy
  return deterministic() ? fixed : problem.threads;
}

/// What is worth a thread's time, in floating-point operations: some tens of microseconds.
constexpr double worthwhile = 8e6;

/// How many of `size` items a part has: so few that there are several parts for each thread. A
/// divisor of the size, except for sums: all parts use the same packed weights, which only kernels
/// of the same problem are sure to agree on.
int64_t part_size(const Problem& problem, const Division& division, int64_t size) {
  constexpr int64_t parts_per_thread = 8, sum_bytes = 16 << 20;
  const int64_t threads = team_of(problem);
  const double flops = problem.op.flops(problem.in, problem.out);
  if (flops < worthwhile) return size;
  int64_t parts = std::min(static_cast<int64_t>(flops / worthwhile), parts_per_thread * threads);
  parts = std::min(parts, size / division.smallest);
  if (division.sum)
    parts = std::min(parts, sum_bytes / static_cast<int64_t>(problem.out[0].bytes()));
  parts = std::max(parts, threads);
  const int64_t items = (size + parts - 1) / parts;
  if (division.sum) return items;
  int64_t above = size + 1, below = 1;  // the divisors next to it
  for (int64_t i = 1; i * i <= size; ++i) {
    if (size % i != 0) continue;
    for (const int64_t divisor : {i, size / i}) {
      if (divisor >= items) above = std::min(above, divisor);
      if (divisor <= items) below = std::max(below, divisor);
    }
  }
  return above <= size / threads ? above : below;
}

class PartsKernel final : public Kernel {
 public:
  /// `last` is null if the last part is as large as the others.
  PartsKernel(std::unique_ptr<Kernel> each, std::unique_ptr<Kernel> last, const Problem& all,
              const Problem& part, const Division& division, int64_t parts)
      : each_(std::move(each)), last_(std::move(last)), parts_(parts), sum_(division.sum) {
    for (size_t i = 0; i < part.in.size(); ++i)
      in_step_.push_back(division.in[i] ? part.in[i].bytes() : 0);
    for (const Type& type : part.out) out_bytes_.push_back(type.bytes());
    slot_bytes_ =
        align_up(std::max(each_->scratch_bytes(), last_ != nullptr ? last_->scratch_bytes() : 0));
    scratch_ = slot_bytes_ * static_cast<size_t>(std::min<int64_t>(parts, all.threads));
    sums_ = scratch_;
    for (const size_t bytes : out_bytes_) {
      if (sum_) scratch_ += align_up(bytes) * static_cast<size_t>(parts);
    }
  }

  std::string detail() const override { return each_->detail(); }
  size_t scratch_bytes() const override { return scratch_; }
  std::vector<int> packed_inputs() const override { return each_->packed_inputs(); }
  size_t packed_bytes() const override { return each_->packed_bytes(); }
  std::string packed_form() const override { return each_->packed_form(); }
  void pack(std::span<const std::byte* const> in, std::byte* packed) const override {
    each_->pack(in, packed);
  }

  void run(const Args& args) const override {
    parallel_chunks(parts_, [&](int64_t part, int slot) {
      std::vector<const std::byte*> in(args.in.begin(), args.in.end());
      std::vector<std::byte*> out(args.out.begin(), args.out.end());
      for (size_t i = 0; i < in.size(); ++i) in[i] += static_cast<size_t>(part) * in_step_[i];
      for (size_t i = 0; i < out.size(); ++i) {
        out[i] = sum_ ? partial(args, i, part) : out[i] + static_cast<size_t>(part) * out_bytes_[i];
      }
      std::byte* scratch = args.scratch + static_cast<size_t>(slot) * slot_bytes_;
      const bool last = last_ != nullptr && part == parts_ - 1;
      (last ? *last_ : *each_).run({in, out, scratch, args.packed});
    });
    for (size_t i = 0; sum_ && i < out_bytes_.size(); ++i) add_up(args, i);
  }

 private:
  /// The memory for a part's output `i`, of a sum.
  std::byte* partial(const Args& args, size_t i, int64_t part) const {
    std::byte* first = args.scratch + sums_;
    for (size_t k = 0; k < i; ++k) first += align_up(out_bytes_[k]) * static_cast<size_t>(parts_);
    return first + align_up(out_bytes_[i]) * static_cast<size_t>(part);
  }

  void add_up(const Args& args, size_t i) const {
    const auto count = static_cast<int64_t>(out_bytes_[i] / sizeof(float));
    float* sum = args.output<float>(i);
    parallel_for(count, 1 << 14, [&](int64_t begin, int64_t end) {
      const auto bytes = static_cast<size_t>(end - begin) * sizeof(float);
      const auto* first = reinterpret_cast<const float*>(partial(args, i, 0));
      std::memcpy(sum + begin, first + begin, bytes);
      for (int64_t part = 1; part < parts_; ++part) {
        const auto* next = reinterpret_cast<const float*>(partial(args, i, part));
        for (int64_t k = begin; k < end; ++k) sum[k] += next[k];
      }
    });
  }

  std::unique_ptr<Kernel> each_, last_;
  int64_t parts_;
  bool sum_;
  std::vector<size_t> in_step_, out_bytes_;
  size_t slot_bytes_ = 0, scratch_ = 0, sums_ = 0;
};

}  // namespace

void set_deterministic(bool on) { independent_of_threads = on; }
bool deterministic() { return independent_of_threads; }

Offer in_parts(const Problem& problem, const Division& division,
               const std::function<Offer(const Problem&)>& make) {
  const size_t first =
      static_cast<size_t>(std::ranges::find(division.in, true) - division.in.begin());
  const bool divisible = first < division.in.size();
  const int64_t size = divisible ? problem.in[first].dim(0) : 1;
  const int64_t items = divisible && size > 0 ? part_size(problem, division, size) : size;
  // A library divides the work among all threads, which would change its sums.
  const bool few =
      size < 2 * problem.threads && problem.op.flops(problem.in, problem.out) >= worthwhile;
  const bool undivided = problem.threads == 1 || !divisible || few;
  if (size == 0 || (undivided && !deterministic())) return make(problem);

  const TeamScope alone(1);
  const auto part_of = [&](int64_t count) {
    Problem part = problem;
    part.threads = 1;
    for (size_t i = 0; i < part.in.size(); ++i) {
      if (division.in[i]) part.in[i].shape.set(0, count);
    }
    for (Type& type : part.out) {
      if (!division.sum) type.shape.set(0, count);
    }
    return part;
  };
  const Problem part = part_of(items);
  const int64_t parts = (size + items - 1) / items, rest = size - (parts - 1) * items;
  Offer each = make(part);
  if (std::holds_alternative<Refusal>(each)) return each;
  Offer last = rest == items ? Offer(std::unique_ptr<Kernel>()) : make(part_of(rest));
  if (std::holds_alternative<Refusal>(last)) return last;
  return std::make_unique<PartsKernel>(std::get<0>(std::move(each)), std::get<0>(std::move(last)),
                                       problem, part, division, parts);
}

}  // namespace fovea
