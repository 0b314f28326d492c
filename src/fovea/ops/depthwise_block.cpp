#include "fovea/ops/depthwise_block.h"

#include "fovea/ops/rules.h"

namespace fovea {
namespace {

/// Calls f(convolution, the types of its inputs) for each convolution; f returns the type of its
/// output. Returns that of the last one.
template <class F>
Type for_each_convolution(const DepthwiseBlock& op, const Types& in, const F& f) {
  const std::vector<Conv> convolutions = op.convolutions();
  Type x = in[0];
  for (size_t i = 0; i < convolutions.size(); ++i) {
    Types types{x, in[1 + 2 * i], in[2 + 2 * i]};
    if (i + 1 == convolutions.size())
      types.insert(types.end(), in.begin() + 3 + 2 * static_cast<std::ptrdiff_t>(i), in.end());
    x = f(convolutions[i], types);
  }
  return x;
}

}  // namespace

std::vector<Conv> DepthwiseBlock::convolutions() const {
  const ConvGeometry pixels{
      .stride = {1, 1}, .dilation = {1, 1}, .padding_begin = {0, 0}, .padding_end = {0, 0}};
  std::vector<Conv> result;
  if (expands)
    result.push_back({.geometry = pixels, .kernel = {1, 1}, .bias = true, .epilogue = expanded});
  result.push_back({.geometry = geometry, .kernel = kernel, .bias = true, .epilogue = filtered});
  if (projects)
    result.push_back({.geometry = pixels, .kernel = {1, 1}, .bias = true, .epilogue = projected});
  return result;
}

Types DepthwiseBlock::infer(const Types& in) const {
  const Epilogue& last = projects ? projected : filtered;
  const size_t count = 1u + (expands ? 1u : 0u) + (projects ? 1u : 0u);
  require_inputs(name, in, 1 + 2 * count + last.residuals());
  require(expanded.residuals() == 0 && (!projects || filtered.residuals() == 0),
          "depthwise_block adds only after its last convolution");
  return {for_each_convolution(
      *this, in, [](const Conv& conv, const Types& types) { return conv.infer(types)[0]; })};
}

void DepthwiseBlock::reference(const Views& v) const {
  const std::vector<Conv> convolutions = this->convolutions();
  std::vector<double> x(v.in[0].data, v.in[0].data + v.in[0].numel()), y;
  Shape shape = v.in[0].shape;
  for (size_t i = 0; i < convolutions.size(); ++i) {
    const bool last = i + 1 == convolutions.size();
    const Conv& conv = convolutions[i];
    Views own{.in = {{x.data(), shape}, v.in[1 + 2 * i], v.in[2 + 2 * i]}, .out = {}};
    if (last) {
      own.in.insert(own.in.end(), v.in.begin() + 3 + 2 * static_cast<std::ptrdiff_t>(i),
                    v.in.end());
      own.out = v.out;
    } else {
      const Types types{{DType::f64, shape},
                        {DType::f64, v.in[1 + 2 * i].shape},
                        {DType::f64, v.in[2 + 2 * i].shape}};
      shape = conv.infer(types)[0].shape;
      y.resize(static_cast<size_t>(shape.numel()));
      own.out = {{y.data(), shape}};
    }
    conv.reference(own);
    x.swap(y);
  }
}

double DepthwiseBlock::flops(const Types& in, const Types&) const {
  double sum = 0;
  for_each_convolution(*this, in, [&](const Conv& conv, const Types& types) {
    const Type y = conv.infer(types)[0];
    sum += conv.flops(types, {y});
    return y;
  });
  return sum;
}

}  // namespace fovea
