#include "kernels/harness.h"

#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "fovea/core/parallel.h"
#include "fovea/kernels/converted.h"
#include "fovea/kernels/instruction_set.h"
#include "fovea/kernels/simd/simd.h"

namespace fovea::kernel_test {
namespace {

constexpr size_t margin = 64;
constexpr auto unwritten = std::byte{0xff};  // NaN as a float
constexpr auto guard = std::byte{0xa5};

/// Memory for one value with a margin on both sides that must not be written.
class Guarded {
 public:
  explicit Guarded(size_t bytes) : bytes_(bytes), buffer_(allocate(2 * margin + bytes)) {
    std::fill_n(buffer_.get(), 2 * margin + bytes, guard);
    std::fill_n(data(), bytes, unwritten);
  }
  std::byte* data() const { return buffer_.get() + margin; }
  bool intact() const {
    const auto is_guard = [](std::byte b) { return b == guard; };
    return std::all_of(buffer_.get(), data(), is_guard) &&
           std::all_of(data() + bytes_, data() + bytes_ + margin, is_guard);
  }

 private:
  size_t bytes_;
  std::shared_ptr<std::byte> buffer_;
};

struct Outputs {
  std::vector<Array> arrays;
  bool intact = true;
};

/// An output that is written over an input.
struct Shared {
  size_t output, input;
};

Outputs run(const Kernel& kernel, const Problem& problem, const std::vector<Array>& in,
            std::optional<Shared> shared = std::nullopt) {
  std::vector<Guarded> inputs, outputs;
  std::vector<const std::byte*> in_data;
  std::vector<std::byte*> out_data;
  for (const Array& array : in) {
    inputs.emplace_back(array.bytes());
    std::copy_n(array.raw(), array.bytes(), inputs.back().data());
    in_data.push_back(inputs.back().data());
  }
  for (const Type& type : problem.out) {
    outputs.emplace_back(type.bytes());
    out_data.push_back(outputs.back().data());
  }
  if (shared) out_data[shared->output] = inputs[shared->input].data();
  const Guarded scratch(kernel.scratch_bytes()), packed(kernel.packed_bytes());
  kernel.pack(in_data, packed.data());
  kernel.run({in_data, out_data, scratch.data(), packed.data()});

  Outputs result{{}, scratch.intact() && packed.intact()};
  for (size_t i = 0; i < outputs.size(); ++i) {
    Array array(problem.out[i].dtype, problem.out[i].shape);
    std::copy_n(out_data[i], array.bytes(), array.raw());
    result.arrays.push_back(array);
    result.intact = result.intact && outputs[i].intact();
  }
  for (size_t i = 0; i < in.size(); ++i) {
    const bool written = shared && shared->input == i;
    result.intact = result.intact && inputs[i].intact() &&
                    (written || std::memcmp(in_data[i], in[i].raw(), in[i].bytes()) == 0);
  }
  return result;
}

/// y = x, in any layouts.
struct Copy {
  static constexpr std::string_view name = "copy";
  static constexpr Traits traits{.differentiable = false};
  Types infer(const Types& types) const { return types; }
  void reference(const Views& v) const {
    std::copy_n(v.in[0].data, v.in[0].numel(), v.out[0].data);
  }
};

Offer make(std::string_view rule, const Problem& problem) {
  if (rule == "widened") {
    std::optional<KernelChoice> choice = widened(problem);
    if (!choice) return Refusal{"there is no kernel for f32 to widen"};
    return std::move(choice->kernel);
  }
  for (const KernelRule& candidate : kernel_rules(problem.op)) {
    if (candidate.name == rule) return candidate.make(problem);
  }
  return Refusal{"there is no rule of this name"};
}

std::vector<Array> absolute(const std::vector<Array>& in) {
  std::vector<Array> result;
  for (const Array& array : in) {
    result.push_back(array.clone());
    for (int64_t i = 0; i < array.numel(); ++i) result.back().set(i, std::abs(array.at(i)));
  }
  return result;
}

/// A number in the range of the dtype: infinite if it is too large.
double within_range(double number, DType dtype) {
  if (std::abs(number) < (dtype == DType::f16 ? 65504 : 1e38) || std::isinf(number)) return number;
  const double stored = Array::full(dtype, {}, number).item();
  return std::isinf(stored) ? stored : number;
}

/// The expected values of one output, and the tolerance.
struct Expected {
  Array value;
  std::vector<double> tolerance;

  std::optional<std::string> differs(const Array& got, NonFinite rule) const {
    for (int64_t i = 0; i < value.numel(); ++i) {
      const double g = got.at(i), t = tolerance[static_cast<size_t>(i)];
      const double w = within_range(value.at(i), got.dtype());
      if (g == w || (std::isnan(g) && std::isnan(w))) continue;
      if (std::isfinite(g) && std::isfinite(w) && std::abs(g - w) <= t) continue;
      if (!std::isfinite(g) && !std::isfinite(w) && rule != NonFinite::same) continue;
      if (!std::isfinite(g) && rule == NonFinite::spreads) continue;
      return "element " + std::to_string(i) + " is " + std::to_string(g) + ", expected " +
             std::to_string(w) + " within " + std::to_string(t / 0x1p-23) + " eps, is off by " +
             std::to_string(std::abs(g - w) / 0x1p-23);
    }
    return std::nullopt;
  }
};

/// What storing a float in a 16-bit type may change: this share of it, or of the smallest normal
/// number.
struct Rounding {
  double relative, smallest;
};
Rounding rounding_to(DType dtype) {
  if (dtype == DType::bf16) return {0x1p-8, 0x1p-126};
  if (dtype == DType::f16) return {0x1p-11, 0x1p-14};
  return {0, 0};
}

std::vector<Expected> expectations(const Problem& problem, const std::vector<Array>& in,
                                   const Bound& bound) {
  std::vector<Expected> result;
  const std::vector<Array> values = reference_outputs(problem, in);
  std::vector<Array> scales = values;
  if (bound.scale == Scale::absolute) scales = reference_outputs(problem, absolute(in));
  for (size_t o = 0; o < values.size(); ++o) {
    Expected e{values[o], {}};
    double largest = 1e-30;
    for (int64_t i = 0; i < values[o].numel(); ++i) {
      const double scale = std::abs(scales[o].at(i));
      if (std::isfinite(scale)) largest = std::max(largest, scale);
      const double at_least = bound.scale == Scale::unit ? 1.0 : 0x1p-126;  // below, fewer bits
      e.tolerance.push_back(bound.eps * 0x1p-23 * std::max(scale, at_least));
    }
    if (bound.scale == Scale::output)
      std::fill(e.tolerance.begin(), e.tolerance.end(), bound.eps * 0x1p-23 * largest);
    const Rounding rounding = rounding_to(problem.out[o].dtype);
    for (size_t i = 0; bound.eps != 0 && i < e.tolerance.size(); ++i) {
      double& t = e.tolerance[i];
      const double value = std::abs(values[o].at(static_cast<int64_t>(i)));
      if (rounding.relative != 0) t += rounding.relative * std::max(value + t, rounding.smallest);
    }
    result.push_back(std::move(e));
  }
  return result;
}

/// Which inputs a number can be planted in: floats; not one of those that go together, as max
/// pooling's gradient finds the maximum again by comparing x with y.
bool can_hold_nonfinite(const Problem& problem, size_t input) {
  if (problem.op.name() == "max_pool_backward" && input < 2) return false;
  return is_float(problem.in[input].dtype);
}

struct Planted {
  std::vector<Array> in;
  std::string text;  ///< "in0[17]=nan"
};

/// The inputs with NaN or an infinity at one or two places of one of them, which and where chosen
/// by the problem; nothing where there is nothing to compute with.
std::optional<Planted> with_nonfinite(const Problem& problem, const std::vector<Array>& in) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  Random random(2, describe(problem));
  std::vector<size_t> candidates;
  for (size_t i = 0; i < in.size(); ++i) {
    if (in[i].numel() == 0) return std::nullopt;
    if (can_hold_nonfinite(problem, i)) candidates.push_back(i);
  }
  if (candidates.empty()) return std::nullopt;
  Planted result{in, {}};
  const size_t input = pick(random, candidates);
  Array& array = result.in[input];
  array = array.clone();
  const double number = pick<double>(random, {std::nan(""), inf, -inf});
  for (int64_t count = pick(random, 1, 2); count > 0; --count) {
    const int64_t at = pick(random, 0, array.numel() - 1);
    array.set(at, number);
    result.text +=
        ", in" + std::to_string(input) + "[" + std::to_string(at) + "]=" + std::to_string(number);
  }
  return result;
}

bool all_finite(const std::vector<Array>& arrays) {
  return std::ranges::all_of(arrays, [](const Array& array) {
    for (int64_t i = 0; i < array.numel(); ++i) {
      if (!std::isfinite(array.at(i))) return false;
    }
    return true;
  });
}

bool has_halves(const Problem& problem) {
  const auto is_half = [](const Type& type) { return rounding_to(type.dtype).relative != 0; };
  return std::ranges::any_of(problem.in, is_half) || std::ranges::any_of(problem.out, is_half);
}

bool same_bytes(const std::vector<Array>& a, const std::vector<Array>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::memcmp(a[i].raw(), b[i].raw(), a[i].bytes()) != 0) return false;
  }
  return true;
}

/// Whether the kernel gives the same in place of each input that it says may be overwritten.
bool same_in_place(const Kernel& kernel, const Problem& problem, const std::vector<Array>& in,
                   const Outputs& expected) {
  for (size_t o = 0; o < problem.out.size(); ++o) {
    for (size_t i = 0; i < in.size(); ++i) {
      if (!kernel.in_place(i, o) || problem.in[i] != problem.out[o]) continue;
      const Outputs got = run(kernel, problem, in, Shared{o, i});
      if (!got.intact || !same_bytes(got.arrays, expected.arrays)) return false;
    }
  }
  return true;
}

}  // namespace

Problem make_problem(const Op& op, Types in, Layout layout) {
  Types out = op.infer(in);  // type rules see plain values
  for (Types* types : {&in, &out}) {
    for (Type& type : *types) {
      if (type.rank() >= 3 && type.rank() <= 5) type.layout = layout;
    }
  }
  return {op, in, out};
}

std::vector<Array> random_inputs(const Problem& problem, Random& random) {
  std::vector<Array> result;
  for (const Type& type : problem.in) {
    Array array(type.dtype, type.shape);
    for (int64_t i = 0; i < array.numel(); ++i)
      array.set(i, is_float(type.dtype) ? random.normal() : static_cast<double>(random.below(10)));
    result.push_back(array);
  }
  return result;
}

std::vector<Array> reference_outputs(const Problem& problem, const std::vector<Array>& in) {
  Problem exact = problem;
  for (Type& type : exact.out) {
    if (is_float(type.dtype)) type.dtype = DType::f64;
  }
  return run(*make_reference_kernel(exact), exact, in).arrays;
}

std::vector<Array> outputs_of(const Problem& problem, const std::vector<Array>& in) {
  const KernelChoice choice = choose_kernel(problem);
  EXPECT_TRUE(choice.name.starts_with("simd")) << choice.name;
  return outputs_of(*choice.kernel, problem, in);
}

std::vector<Array> outputs_of(const Kernel& kernel, const Problem& problem,
                              const std::vector<Array>& in) {
  const TeamScope team(problem.threads);
  const auto scratch = allocate(kernel.scratch_bytes());
  const auto packed = allocate(kernel.packed_bytes());
  std::vector<Array> out;
  for (const Type& type : problem.out) out.emplace_back(type.dtype, type.shape);
  std::vector<const std::byte*> from;
  std::vector<std::byte*> to;
  for (const Array& array : in) from.push_back(array.raw());
  for (Array& array : out) to.push_back(array.raw());
  kernel.pack(from, packed.get());
  kernel.run({from, to, scratch.get(), packed.get()});
  return out;
}

Array with_layout(const Array& data, const Type& type, Layout layout) {
  Type to = type;
  to.layout = layout;
  const Problem problem{Copy{}, {type}, {to}};
  return run(*make_reference_kernel(problem), problem, {data}).arrays[0];
}

testing::AssertionResult check(std::string_view rule, const Problem& problem,
                               const std::vector<Array>& in, const Bound& bound) {
  return check(rule, problem, in, bound, {1, 2, 3}, true);
}

namespace {

testing::AssertionResult check_once(std::string_view rule, const Problem& problem,
                                    const std::vector<Array>& in, const Bound& bound,
                                    const std::vector<int>& teams, bool same_bits,
                                    const std::string& planted = {}) {
  const std::vector<Expected> expected = expectations(problem, in, bound);
  NonFinite nonfinite = bound.nonfinite;
  if (nonfinite == NonFinite::spreads && all_finite(in)) nonfinite = NonFinite::either;
  testing::AssertionResult result = testing::AssertionSuccess();
  const auto attempt = [&](std::string_view set) {
    std::vector<Array> first;
    for (int team : teams) {
      if (!result) return;
      set_threads(team);
      Problem sized = problem;
      sized.threads = team;
      const Offer offer = make(rule, sized);
      const auto fail = [&](const std::string& what) {
        const auto* kernel = std::get_if<std::unique_ptr<Kernel>>(&offer);
        result = testing::AssertionFailure()
                 << describe(problem) << "\n  " << rule << " "
                 << (kernel == nullptr ? "" : (*kernel)->detail()) << ", " << set << ", " << team
                 << " threads" << planted << ": " << what;
      };
      if (const auto* refused = std::get_if<Refusal>(&offer)) {
        if (refused->why == simd::simd_floats() && has_halves(problem)) return;  // under SSE4
        return fail("refused, " + refused->why);
      }
      const Outputs got = run(*std::get<0>(offer), sized, in);
      if (!got.intact) return fail("wrote outside its outputs, or to an input");
      if (!same_bits && !same_bytes(got.arrays, run(*std::get<0>(offer), sized, in).arrays))
        return fail("other bits when run again");
      if (first.empty() && !same_in_place(*std::get<0>(offer), sized, in, got))
        return fail("other results in place of an input");
      if (!first.empty() && same_bytes(first, got.arrays)) continue;
      if (!first.empty() && same_bits)
        return fail("other bits than with " + std::to_string(teams[0]));
      for (size_t o = 0; o < expected.size(); ++o) {
        if (const auto difference = expected[o].differs(got.arrays[o], nonfinite))
          return fail("output " + std::to_string(o) + ", " + *difference);
      }
      first = got.arrays;
    }
  };
  if (rule.starts_with("simd")) {
    for_each_instruction_set(attempt);
  } else {
    attempt("this machine's best");
  }
  set_threads(available_threads());
  return result;
}

}  // namespace

testing::AssertionResult check(std::string_view rule, const Problem& problem,
                               const std::vector<Array>& in, const Bound& bound,
                               const std::vector<int>& teams, bool same_bits) {
  testing::AssertionResult result = check_once(rule, problem, in, bound, teams, same_bits);
  const std::optional<Planted> planted = with_nonfinite(problem, in);
  if (!result || !planted) return result;
  return check_once(rule, problem, planted->in, bound, {2}, true, planted->text);
}

testing::AssertionResult check_nonfinite(std::string_view rule, const Problem& problem,
                                         const std::vector<Array>& in) {
  const std::optional<Planted> planted = with_nonfinite(problem, in);
  if (!planted) return testing::AssertionSuccess();
  const Bound any{.eps = HUGE_VAL, .scale = Scale::unit, .nonfinite = NonFinite::spreads};
  return check_once(rule, problem, planted->in, any, {2}, true, planted->text);
}

std::optional<std::string> refusal(std::string_view rule, const Problem& problem) {
  const Offer offer = make(rule, problem);
  if (const auto* refused = std::get_if<Refusal>(&offer)) return refused->why;
  return std::nullopt;
}

void for_each_instruction_set(const std::function<void(std::string_view name)>& body) {
  limit_instruction_set();  // before the limits below
  const int64_t supported = hwy::SupportedTargets();
  for (int64_t target : {HWY_SSE4, HWY_AVX2, HWY_AVX3}) {
    if ((supported & target) == 0) continue;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    body(hwy::TargetName(target));
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

int64_t pick(Random& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random.below(static_cast<uint64_t>(high - low + 1)));
}

Type random_image(Random& random, Layout layout, int axes, bool filled, DType dtype) {
  if (axes == 0) axes = static_cast<int>(pick(random, 1, 3));
  Shape shape{pick(random, filled ? 1 : 0, 4), pick(random, 1, 37)};
  if (layout == Layout::blocked16) shape.set(1, 16 * pick(random, 1, 3));
  const int64_t longest = axes == 1 ? 40 : axes == 2 ? 13 : 5;
  const bool single = random.below(8) == 0;
  for (int a = 0; a < axes; ++a) shape = shape.concat({single ? 1 : pick(random, 1, longest)});
  if (random.below(8) == 0) {  // a plane of several chunks
    shape.set(1, layout == Layout::blocked16 ? 16 : pick(random, 1, 3));
    shape.set(2, axes == 1 ? 2100 : axes == 2 ? 110 : 60);
  }
  return {dtype, shape};
}

}  // namespace fovea::kernel_test
