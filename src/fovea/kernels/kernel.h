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

/// What a kernel is asked to do: an op on values of fixed types and layouts, with a team of
/// `threads`.
struct Problem {
  Op op;
  Types in, out;
  int threads = 1;
};

/// "conv kernel=3 stride=1 padding=1 f32[...]{blocked16}, f32[...] -> f32[...]{blocked16}": see
/// problem_text.
std::string describe(const Problem& problem);

/// The data of one run. All pointers are 64-byte aligned except those of views into larger arrays
/// (State arrays and inputs are aligned too). No output overlaps an input, unless the kernel works
/// in place.
struct Args {
  std::span<const std::byte* const> in;
  std::span<std::byte* const> out;
  std::byte* scratch = nullptr;       ///< of scratch_bytes(), contents undefined
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

/// Code for one Problem, made once and run often. Immutable: several threads may run one with
/// different Args.
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual void run(const Args& args) const = 0;
  /// What the rule's name does not say: which implementation of a library was taken.
  virtual std::string detail() const { return {}; }
  /// Scratch memory of one run, in the Program's arena.
  virtual size_t scratch_bytes() const { return 0; }
  /// Whether an output may be the memory of an input of its type: each element is read before that
  /// of the output is written.
  virtual bool in_place() const { return false; }
  /// Inputs that the kernel wants in a form of its own (weights) are packed once, and again when
  /// they change: which inputs those are, how large the packed form is, and the packing. run() then
  /// reads Args::packed instead.
  virtual std::vector<int> packed_inputs() const { return {}; }
  virtual size_t packed_bytes() const { return 0; }
  virtual void pack(std::span<const std::byte* const> in, std::byte* packed) const {
    (void)in;
    (void)packed;
  }
};

/// Why a kernel does not take a problem, in a few words: "only f32".
struct Refusal {
  std::string why;
};

using Offer = std::variant<std::unique_ptr<Kernel>, Refusal>;

/// One entry of the table: a name ("onednn:direct", "simd", "reference") and how to make a kernel
/// or say why not.
struct KernelRule {
  std::string name;
  std::function<Offer(const Problem&)> make;
};

/// The rules for an op, by the type of its struct, best first; "reference" is not listed: it comes
/// last for every op.
std::span<const KernelRule> kernel_rules(const Op& op);

/// Adds a rule in front of those there are for ops of struct T: for kernels from outside. Not
/// thread-safe; before anything is compiled.
void add_kernel_rule(std::type_index op, KernelRule rule);
template <OpRule T>
void add_kernel_rule(KernelRule rule) {
  add_kernel_rule(typeid(T), std::move(rule));
}

/// The choice for one problem, and how it came about.
struct KernelChoice {
  std::string name;
  std::unique_ptr<Kernel> kernel;
  std::vector<std::pair<std::string, std::string>> refused;  ///< rule name, why
};

/// The first rule that accepts; the reference when none does.
KernelChoice choose_kernel(const Problem& problem);

/// The op's own float64 reference as a kernel: any dtype and layout, slow. Never refuses.
std::unique_ptr<Kernel> make_reference_kernel(const Problem& problem);

/// The instruction set that kernels are picked for, "AVX3_ZEN4", "AVX2", ...: bits may differ
/// between two of them.
std::string instruction_set();

/// The layout in which this machine's convolution kernels are fastest for an N, C, spatial value.
Layout preferred_layout(const Type& type);

}  // namespace fovea
