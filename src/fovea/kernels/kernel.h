#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <typeindex>
#include <utility>
#include <variant>
#include <vector>

#include "fovea/graph/op.h"

namespace fovea {

/// What a kernel has to compute: an op on values of fixed types and layouts, with a team of
/// `threads`.
struct Problem {
  Op op;
  Types in, out;
  int threads = 1;
};

/// "conv kernel=3 stride=1 padding=1 f32[...]{blocked16}, f32[...] -> f32[...]{blocked16}": see
/// problem_text.
std::string describe(const Problem& problem);

/// The data of one run. All pointers are 64-byte aligned (State
/// arrays and inputs too), except those of views into larger arrays.
/// No output overlaps an input unless the kernel works in place.
struct Args {
  std::span<const std::byte* const> in;
  std::span<std::byte* const> out;
  std::byte* scratch = nullptr;       ///< scratch_bytes() of it, contents undefined
  const std::byte* packed = nullptr;  ///< what pack() wrote

  template <class T>
  const T* input(size_t i) const {
    return reinterpret_cast<const T*>(in[i]);
  }
  template <class T>
  T* output(size_t i) const {
    return reinterpret_cast<T*>(out[i]);
  }
};

/// Code for one Problem, made once and run many times. Immutable: several threads may run it with
/// different Args.
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual void run(const Args& args) const = 0;
  /// What the rule's name does not tell: which implementation of a library was chosen.
  virtual std::string detail() const { return {}; }
  /// Bytes of scratch memory for one run, in the Program's arena.
  virtual size_t scratch_bytes() const { return 0; }
  /// Whether an output may share the memory of this input, if it is of its type: each element is
  /// read before the output's is written.
  virtual bool in_place(size_t input, size_t output) const {
    (void)input, (void)output;
    return false;
  }
  /// Whether it is a library's, which divides the work among OpenMP's threads itself. Others use
  /// parallel_for.
  virtual bool uses_openmp() const { return false; }
  /// Inputs that the kernel needs in its own format (weights) are packed once, and again when they
  /// change. These give the indices of those inputs, the size of the packed format, and the
  /// packing; run() then reads Args::packed instead.
  virtual std::vector<int> packed_inputs() const { return {}; }
  virtual size_t packed_bytes() const { return 0; }
  /// What tells this format from all others, so that kernels with the same one share what is
  /// packed; empty: it is this kernel's own.
  virtual std::string packed_form() const { return {}; }
  virtual void pack(std::span<const std::byte* const> in, std::byte* packed) const {
    (void)in;
    (void)packed;
  }
};

/// Why a kernel does not accept a problem, in a few words: "only f32".
struct Refusal {
  std::string why;
};

using Offer = std::variant<std::unique_ptr<Kernel>, Refusal>;

/// The layouts of a problem's inputs and outputs, in their order.
struct Layouts {
  std::vector<Layout> in, out;
};

/// One entry of the table: a name ("onednn", "simd", "reference") and a function that makes a
/// kernel or refuses. All rules of an op compete for a problem: the cheapest that accepts it
/// computes it, at equal prices the first one.
struct KernelRule {
  std::string name;
  std::function<Offer(const Problem&)> make;
  /// Seconds that the kernel is expected to take on one nominal core: a rule that is faster or
  /// slower than others for some problems compares itself with nominal_seconds(problem), the price
  /// of rules that have no such function: 0.5 of it for a kernel that takes half the time.
  std::function<double(const Problem&)> price = nullptr;
  /// The layouts in which it can take a problem, best first. The layout pass adds the reorders that
  /// each needs to the rule's price, and takes the cheapest of all rules; `problem` has the inputs'
  /// layouts so far, and plain outputs. Without this function a rule has no say; if none of an op's
  /// rules has one, the op's LayoutRule decides.
  std::function<std::vector<Layouts>(const Problem&)> layouts = nullptr;
};

/// The rules for an op, by the type of its struct; "reference" is not listed: it comes last for
/// every op.
std::span<const KernelRule> kernel_rules(const Op& op);

/// The time of a problem on a core that does 100 GFLOP/s and reads or writes 10 GB/s.
double nominal_seconds(const Problem& problem);
/// The time to write a value in another layout there.
double reorder_seconds(const Type& type);

/// What a rule can take, and its price in these layouts.
struct PricedLayouts {
  Layouts layouts;
  double seconds = 0;
};
std::vector<PricedLayouts> priced_layouts(const KernelRule& rule, const Problem& problem);

/// Those of all rules for the op of a problem, in the order of the rules.
std::vector<PricedLayouts> priced_layouts(const Problem& problem);

/// The problem in these layouts; without them for values that cannot have them.
Problem in_layouts(Problem problem, const Layouts& layouts);

/// Adds a rule before the existing ones for ops of struct T: for kernels from outside. Not
/// thread-safe; call it before compiling anything.
void add_kernel_rule(std::type_index op, KernelRule rule);
template <OpRule T>
void add_kernel_rule(KernelRule rule) {
  add_kernel_rule(typeid(T), std::move(rule));
}

/// The choice for one problem, and how it was made.
struct KernelChoice {
  std::string name;
  std::unique_ptr<Kernel> kernel;
  std::vector<std::pair<std::string, std::string>> refused;  ///< rule name, why
};

/// The cheapest rule that accepts the problem. If none does: for 16-bit floats the kernel of the
/// f32 problem with casts around it, its name followed by ":widened"; else the reference.
KernelChoice choose_kernel(const Problem& problem);

/// The op's own float64 reference as a kernel: any dtype and layout, slow. Never refuses.
std::unique_ptr<Kernel> make_reference_kernel(const Problem& problem);

/// The instruction set that kernels are chosen for, "AVX3_ZEN4", "AVX2", ..., and "+AMX" where its
/// tiles may be used: bits may differ between instruction sets.
std::string instruction_set();

/// The layout in which this machine's convolution kernels are fastest for an N, C, spatial value.
Layout preferred_layout(const Type& type);

}  // namespace fovea
