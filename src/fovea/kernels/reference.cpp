#include <cstring>

#include "fovea/core/error.h"
#include "fovea/kernels/kernel.h"

namespace fovea {
namespace {

/// Memory index of each element of an N, C, spatial value, in plain order.
template <class Body>
void for_each_place(const Type& type, const Body& body) {
  const int64_t n = type.numel();
  if (type.layout == Layout::plain) {
    for (int64_t i = 0; i < n; ++i) body(i, i);
    return;
  }
  const int64_t channels = type.dim(1), plane = type.shape.slice(2).numel();
  const int64_t block = type.layout == Layout::blocked16 ? 16 : channels;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t image = i / (channels * plane), c = i / plane % channels, p = i % plane;
    body(i, ((image * (channels / block) + c / block) * plane + p) * block + c % block);
  }
}

bool direct(const Type& type) { return type.dtype == DType::f64 && type.layout == Layout::plain; }

size_t staging_bytes(const Type& type) {
  return direct(type) ? 0 : align_up(static_cast<size_t>(checked_product(type.numel(), 8)));
}

/// Converts inputs and outputs that are not plain float64; the copies are in scratch memory.
class ReferenceKernel final : public Kernel {
 public:
  explicit ReferenceKernel(Problem problem) : problem_(std::move(problem)) {
    for (const Types* types : {&problem_.in, &problem_.out}) {
      for (const Type& type : *types) scratch_ += staging_bytes(type);
    }
  }

  size_t scratch_bytes() const override { return scratch_; }
  bool in_place(size_t, size_t) const override { return problem_.op.traits().elementwise; }

  void run(const Args& args) const override {
    Views views;
    std::byte* next = args.scratch;
    const auto stage = [&](const Type& type, const std::byte* data) {
      if (direct(type))
        return View{reinterpret_cast<double*>(const_cast<std::byte*>(data)), type.shape};
      const View view{reinterpret_cast<double*>(next), type.shape};
      next += staging_bytes(type);
      return view;
    };
    for (size_t i = 0; i < problem_.in.size(); ++i) {
      const Type& type = problem_.in[i];
      const View view = stage(type, args.in[i]);
      views.in.push_back(view);
      if (direct(type)) continue;
      const Array source(type.dtype, type.shape, const_cast<std::byte*>(args.in[i]), nullptr);
      for_each_place(type, [&](int64_t plain, int64_t place) { view[plain] = source.at(place); });
    }
    for (size_t i = 0; i < problem_.out.size(); ++i)
      views.out.push_back(stage(problem_.out[i], args.out[i]));
    problem_.op.reference(views);
    for (size_t i = 0; i < problem_.out.size(); ++i) {
      const Type& type = problem_.out[i];
      if (direct(type)) continue;
      Array target(type.dtype, type.shape, args.out[i], nullptr);
      for_each_place(type,
                     [&](int64_t plain, int64_t place) { target.set(place, views.out[i][plain]); });
    }
  }

 private:
  Problem problem_;
  size_t scratch_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_reference_kernel(const Problem& problem) {
  return std::make_unique<ReferenceKernel>(problem);
}

}  // namespace fovea
