#include "fovea/kernels/converted.h"

#include <algorithm>

#include "fovea/core/array.h"
#include "fovea/ops/reorder.h"
#include "fovea/ops/shape_ops.h"

namespace fovea {
namespace {

constexpr std::string_view widened_suffix = ":widened";

/// One value that is converted: which input or output it is, where its converted copy is, and the
/// kernel that converts it.
struct Conversion {
  size_t index, offset;
  std::unique_ptr<Kernel> kernel;

  void run(const std::byte* from, std::byte* to) const {
    kernel->run({{&from, 1}, {&to, 1}, nullptr, nullptr});
  }
};

Op op_between(const Type& from, const Type& to) {
  if (from.dtype != to.dtype) return Cast{to.dtype};
  return Reorder{};
}

class ConvertedKernel final : public Kernel {
 public:
  ConvertedKernel(std::unique_ptr<Kernel> inner, const Problem& problem, const Problem& other)
      : inner_(std::move(inner)),
        scratch_(align_up(inner_->scratch_bytes())),
        packed_(align_up(inner_->packed_bytes())) {
    const std::vector<int> packs = inner_->packed_inputs();
    const auto add = [&](const Types& from, const Types& to, size_t i, size_t& end,
                         std::vector<Conversion>& list) {
      if (from[i] == to[i]) return;
      const Op op = op_between(from[i], to[i]);
      list.push_back({i, end, choose_kernel({op, {from[i]}, {to[i]}, problem.threads}).kernel});
      end += align_up(std::max(from[i].bytes(), to[i].bytes()));
    };
    for (size_t i = 0; i < problem.in.size(); ++i) {
      const bool packed = packed_ > 0 && std::ranges::count(packs, static_cast<int>(i)) > 0;
      packed ? add(problem.in, other.in, i, packed_, packed_in_)
             : add(problem.in, other.in, i, scratch_, in_);
    }
    for (size_t i = 0; i < problem.out.size(); ++i) add(other.out, problem.out, i, scratch_, out_);
  }

  std::string detail() const override { return inner_->detail(); }
  size_t scratch_bytes() const override { return scratch_; }
  bool uses_openmp() const override { return inner_->uses_openmp(); }
  std::vector<int> packed_inputs() const override { return inner_->packed_inputs(); }
  /// What the inner kernel packs, then the converted inputs that it packs.
  size_t packed_bytes() const override { return packed_; }
  std::string packed_form() const override {
    return packed_in_.empty() ? inner_->packed_form() : std::string();
  }
  void pack(std::span<const std::byte* const> in, std::byte* packed) const override {
    std::vector<const std::byte*> inputs(in.begin(), in.end());
    for (const Conversion& c : packed_in_) {
      c.run(in[c.index], packed + c.offset);
      inputs[c.index] = packed + c.offset;
    }
    inner_->pack(inputs, packed);
  }

  void run(const Args& args) const override {
    std::vector<const std::byte*> in(args.in.begin(), args.in.end());
    std::vector<std::byte*> out(args.out.begin(), args.out.end());
    for (const Conversion& c : packed_in_) in[c.index] = args.packed + c.offset;
    for (const Conversion& c : in_) {
      c.run(args.in[c.index], args.scratch + c.offset);
      in[c.index] = args.scratch + c.offset;
    }
    for (const Conversion& c : out_) out[c.index] = args.scratch + c.offset;
    inner_->run({in, out, args.scratch, args.packed});
    for (const Conversion& c : out_) c.run(out[c.index], args.out[c.index]);
  }

 private:
  std::unique_ptr<Kernel> inner_;
  size_t scratch_, packed_;
  std::vector<Conversion> in_, packed_in_, out_;
};

/// The problem with f32 for every 16-bit float.
Problem with_f32(Problem problem) {
  for (Types* types : {&problem.in, &problem.out}) {
    for (Type& type : *types) type.dtype = accumulate_dtype(type.dtype);
  }
  return problem;
}

/// Whether the op computes outputs of these types; not for one that says its output's dtype itself.
bool computes(const Problem& problem) {
  Types in = problem.in;  // type rules see plain values
  for (Type& type : in) type.layout = Layout::plain;
  const Types out = problem.op.infer(in);
  return std::ranges::equal(out, problem.out, [](const Type& a, const Type& b) {
    return a.dtype == b.dtype && a.shape == b.shape;
  });
}

}  // namespace

std::unique_ptr<Kernel> converted(std::unique_ptr<Kernel> inner, const Problem& problem,
                                  const Problem& other) {
  return std::make_unique<ConvertedKernel>(std::move(inner), problem, other);
}

std::optional<KernelChoice> widened(const Problem& problem) {
  const Problem other = with_f32(problem);
  if ((other.in == problem.in && other.out == problem.out) || !computes(other)) return std::nullopt;
  KernelChoice choice = choose_kernel(other);
  if (choice.name == "reference") return std::nullopt;
  choice.name += widened_suffix;
  choice.kernel = converted(std::move(choice.kernel), problem, other);
  return choice;
}

bool is_widened(const KernelChoice& choice) { return choice.name.ends_with(widened_suffix); }

}  // namespace fovea
