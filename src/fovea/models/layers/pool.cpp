#include "fovea/nn/pool.h"

#include <fmt/format.h>

#include "fovea/core/error.h"
#include "fovea/models/layers/rows.h"

namespace fovea::models::layers {
namespace {

Argument pool_stride() {
  Argument argument = sizes("stride");
  argument.follows = "kernel_size";
  return argument;
}

/// What both kinds of pooling have.
PoolOptions pool_options(const Arguments& a) {
  PoolOptions options{.kernel = dims(a, "kernel_size"),
                      .padding = dims(a, "padding"),
                      .ceil_mode = a.flag("ceil_mode")};
  if (a.has("stride")) options.stride = dims(a, "stride");
  return options;
}

template <int Axes>
LayerKind max_pool() {
  const std::string name = fmt::format("MaxPool{}d", Axes);
  return row<nn::WindowPool<Axes, fovea::max_pool>>(
      {.name = name,
       .arguments = {sizes("kernel_size"), pool_stride(), sizes("padding", 0, 0),
                     sizes("dilation", 1), flag("ceil_mode", false)},
       .help = "Maximum of each window"},
      {fmt::format("{{ type = \"{}\", kernel_size = 3, stride = 2, padding = 1 }}", name),
       maps<Axes>(3)},
      [](const Shape&, const Arguments& a) {
        PoolOptions options = pool_options(a);
        options.dilation = dims(a, "dilation");
        return std::tuple(options);
      });
}

template <int Axes>
LayerKind avg_pool() {
  const std::string name = fmt::format("AvgPool{}d", Axes);
  return row<nn::WindowPool<Axes, fovea::avg_pool>>(
      {.name = name,
       .arguments = {sizes("kernel_size"), pool_stride(), sizes("padding", 0, 0),
                     flag("ceil_mode", false), flag("count_include_pad", true)},
       .help = "Mean of each window"},
      {fmt::format("{{ type = \"{}\", kernel_size = 2 }}", name), maps<Axes>(3)},
      [](const Shape&, const Arguments& a) {
        PoolOptions options = pool_options(a);
        options.count_include_pad = a.flag("count_include_pad");
        return std::tuple(options);
      });
}

/// The inverse of max pooling. Of the outputs that it receives the first is put back, to where the
/// maxima of the second were.
class MaxUnpool : public Merge {
 public:
  MaxUnpool(const nn::Scope& s, int axes, PoolOptions options)
      : Merge(s), axes_(axes), options_(std::move(options)) {}

  Tensor forward(const Tensor& first, const Tensors& others) const override {
    const std::string op = fmt::format("max_unpool{}d", axes_);
    if (others.size() != 1) {
      throw Error(ErrorKind::usage, op + ": two layers are needed: the values, and what was pooled")
          .with("try", "from = \"NAME\" of the layer before the pooling");
    }
    const Tensor& pooled = others[0];
    require_spatial(op, pooled, axes_);
    return max_unpool(first, max_pool_with_indices(pooled, options_)[1], pooled.shape().slice(2));
  }

 private:
  int axes_;
  PoolOptions options_;
};

template <int Axes>
LayerKind max_unpool_row() {
  const std::string name = fmt::format("MaxUnpool{}d", Axes);
  LayerKind kind = row<MaxUnpool>(
      {.name = name,
       .arguments = {sizes("kernel_size"), pool_stride(), sizes("padding", 0, 0),
                     flag("ceil_mode", false)},
       .help = "Each value put back to where the maximum of its window was in the layer that "
               "MaxPool pooled, 0 elsewhere: from names that layer"},
      {fmt::format("{{ type = \"{}\", kernel_size = 1, from = \"stem\" }}", name), maps<Axes>(3)},
      [](const Shape&, const Arguments& a) { return std::tuple(Axes, pool_options(a)); });
  kind.merges = true;
  return kind;
}

template <int Axes, Tensor (*F)(const Tensor&, const Dims&)>
LayerKind adaptive(const std::string& name, std::string help, const std::string& size) {
  const std::string type = fmt::format("{}{}d", name, Axes);
  return row<nn::AdaptivePool<Axes, F>>(
      {.name = type, .arguments = {sizes("output_size")}, .help = std::move(help)},
      {fmt::format("{{ type = \"{}\", output_size = {} }}", type, size), maps<Axes>(3)},
      [](const Shape&, const Arguments& a) { return std::tuple(dims(a, "output_size")); });
}

template <int Axes>
LayerKind adaptive_avg() {
  return adaptive<Axes, adaptive_avg_pool>(
      "AdaptiveAvgPool", "Average pooling to the given output size; 1 is global average pooling",
      "1");
}

template <int Axes>
LayerKind adaptive_max() {
  return adaptive<Axes, adaptive_max_pool>(
      "AdaptiveMaxPool", "Max pooling to the given output size; 1 is global max pooling",
      Axes == 2 ? "[2, 4]" : "2");
}

}  // namespace

std::vector<LayerKind> pools() {
  return {max_pool<1>(),       max_pool<2>(),     max_pool<3>(),       avg_pool<1>(),
          avg_pool<2>(),       avg_pool<3>(),     max_unpool_row<1>(), max_unpool_row<2>(),
          max_unpool_row<3>(), adaptive_avg<1>(), adaptive_avg<2>(),   adaptive_avg<3>(),
          adaptive_max<1>(),   adaptive_max<2>(), adaptive_max<3>()};
}

}  // namespace fovea::models::layers
