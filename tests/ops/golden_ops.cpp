#include "ops/golden_ops.h"

#include "fovea/core/error.h"

namespace fovea::golden_ops {
namespace {

/// The word's index in `names`, as an enumerator.
template <class Enum>
Enum enumerator(const Json& json, const std::vector<std::string>& names) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (json == names[i]) return static_cast<Enum>(i);
  }
  throw Error(ErrorKind::internal, "unknown word in a golden file: " + json.dump());
}

using Rows = std::map<std::string, Row>;

/// A row of one result.
template <class F>
Row one(F f) {
  return [f](Call& c) { return Tensors{f(c)}; };
}
Row unary(Tensor (*f)(const Tensor&)) {
  return [f](Call& c) { return Tensors{f(c["x"])}; };
}
Row binary(Tensor (*f)(const Tensor&, const Tensor&)) {
  return [f](Call& c) { return Tensors{f(c["a"], c["b"])}; };
}

// ---- convolution and pooling

Tensor convolution(Call& c) {
  ConvOptions options;
  c.set("stride", options.stride);
  c.set("padding", options.padding);
  c.set("dilation", options.dilation);
  c.set("groups", options.groups);
  c.set("padding_mode", options.padding_mode);
  c.set("padding_value", options.padding_value);
  return conv(c["x"], c["weight"], c["bias"], options);
}

Tensor transposed_convolution(Call& c) {
  ConvTransposeOptions options;
  c.set("stride", options.stride);
  c.set("padding", options.padding);
  c.set("output_padding", options.output_padding);
  c.set("dilation", options.dilation);
  c.set("groups", options.groups);
  return conv_transpose(c["x"], c["weight"], c["bias"], options);
}

PoolOptions pool_options(Call& c) {
  PoolOptions options{.kernel = c.get<Dims>("kernel", 0)};
  c.set("stride", options.stride);
  c.set("padding", options.padding);
  c.set("dilation", options.dilation);
  c.set("ceil_mode", options.ceil_mode);
  c.set("count_include_pad", options.count_include_pad);
  return options;
}

/// Back to where the pooled values came from.
Tensor unpooling(Call& c) {
  const Tensors pooled = max_pool_with_indices(c["x"], pool_options(c));
  return max_unpool(pooled[0], pooled[1], c["x"].shape().slice(2));
}

Rows windows() {
  return {
      {"conv", one(convolution)},
      {"conv_transpose", one(transposed_convolution)},
      {"max_pool", one([](Call& c) { return max_pool(c["x"], pool_options(c)); })},
      {"max_pool_with_indices",
       [](Call& c) { return max_pool_with_indices(c["x"], pool_options(c)); }},
      {"max_unpool", one(unpooling)},
      {"avg_pool", one([](Call& c) { return avg_pool(c["x"], pool_options(c)); })},
      {"adaptive_avg_pool",
       one([](Call& c) { return adaptive_avg_pool(c["x"], c.get<Dims>("output", 0)); })},
      {"adaptive_max_pool",
       one([](Call& c) { return adaptive_max_pool(c["x"], c.get<Dims>("output", 0)); })},
      {"global_avg_pool", unary(global_avg_pool)},
      {"global_max_pool", unary(global_max_pool)},
  };
}

// ---- norms and other ops with one number per channel

Tensors batch_normalised(Call& c) {
  c.get<bool>("training", true);  // the graph's mode
  BatchNormOptions options;
  c.set("eps", options.eps);
  c.set("momentum", options.momentum);
  return batch_norm(c["x"], c["gamma"], c["beta"], c["running_mean"], c["running_var"], options);
}

Rows norms() {
  return {
      {"batch_norm", batch_normalised},
      {"batch_norm_eval", one([](Call& c) {
         return c.with<double>("eps", [&](auto... eps) {
           return batch_norm_eval(c["x"], c["gamma"], c["beta"], c["mean"], c["var"], eps...);
         });
       })},
      {"layer_norm", one([](Call& c) {
         const int axes = c.get<int>("axes", 1);
         return c.with<double>("eps", [&](auto... eps) {
           return layer_norm(c["x"], c["gamma"], c["beta"], axes, eps...);
         });
       })},
      {"layer_norm_channels", one([](Call& c) {
         return c.with<double>("eps", [&](auto... eps) {
           return layer_norm_channels(c["x"], c["gamma"], c["beta"], eps...);
         });
       })},
      {"group_norm", one([](Call& c) {
         const auto groups = c.get<int64_t>("groups");
         return c.with<double>("eps", [&](auto... eps) {
           return group_norm(c["x"], groups, c["gamma"], c["beta"], eps...);
         });
       })},
      {"instance_norm", one([](Call& c) {
         return c.with<double>("eps", [&](auto... eps) {
           return instance_norm(c["x"], c["gamma"], c["beta"], eps...);
         });
       })},
      {"global_response_norm", one([](Call& c) {
         return c.with<double>("eps", [&](auto... eps) {
           return global_response_norm(c["x"], c["gamma"], c["beta"], eps...);
         });
       })},
      {"layer_scale", one([](Call& c) { return layer_scale(c["x"], c["gamma"]); })},
      {"prelu", one([](Call& c) { return prelu(c["x"], c["slope"]); })},
  };
}

// ---- activations

Rows activations() {
  return {
      {"relu", unary(relu)},
      {"relu6", unary(relu6)},
      {"gelu", unary(gelu)},
      {"gelu_tanh", unary(gelu_tanh)},
      {"silu", unary(silu)},
      {"mish", unary(mish)},
      {"sigmoid", unary(sigmoid)},
      {"tanh", unary(tanh)},
      {"hardsigmoid", unary(hardsigmoid)},
      {"hardswish", unary(hardswish)},
      {"exp", unary(exp)},
      {"log", unary(log)},
      {"leaky_relu", one([](Call& c) {
         return c.with<double>("slope",
                               [&](auto... slope) { return leaky_relu(c["x"], slope...); });
       })},
      {"elu", one([](Call& c) {
         return c.with<double>("alpha", [&](auto... alpha) { return elu(c["x"], alpha...); });
       })},
      {"softmax", one([](Call& c) {
         return c.with<int>("axis", [&](auto... axis) { return softmax(c["x"], axis...); });
       })},
      {"log_softmax", one([](Call& c) {
         return c.with<int>("axis", [&](auto... axis) { return log_softmax(c["x"], axis...); });
       })},
  };
}

// ---- shapes

Tensor padded(Call& c) {
  const auto padding = c.get<Padding>("padding", 0);
  const auto mode = c.get<PadMode>("mode");
  return c.with<double>("value",
                        [&](auto... value) { return pad(c["x"], padding, mode, value...); });
}

UpsampleOptions upsample_options(Call& c) {
  UpsampleOptions options;
  if (c.get<bool>("linear")) options.mode = UpsampleMode::linear;
  c.set("align_corners", options.align_corners);
  c.set("recompute_scale_factor", options.recompute_scale_factor);
  return options;
}

Rows shapes() {
  using Floats = std::vector<float>;
  using Sizes = std::vector<int64_t>;
  using Axes = std::vector<int>;
  return {
      {"reshape", one([](Call& c) { return reshape(c["x"], c.get<Shape>("shape")); })},
      {"flatten", one([](Call& c) {
         return c.with<int>("start", [&](auto... start) { return flatten(c["x"], start...); });
       })},
      {"permute", one([](Call& c) { return permute(c["x"], c.get<Axes>("axes")); })},
      {"concat", one([](Call& c) { return concat(c.inputs(), c.get<int>("axis")); })},
      {"slice", one([](Call& c) {
         return slice(c["x"], c.get<int>("axis"), c.get<int64_t>("begin"), c.get<int64_t>("end"));
       })},
      {"split", [](Call& c) { return split(c["x"], c.get<Sizes>("sizes"), c.get<int>("axis")); }},
      {"cast", one([](Call& c) { return cast(c["x"], c.get<DType>("dtype")); })},
      {"pad", one(padded)},
      {"upsample", one([](Call& c) {
         return upsample(c["x"], c.get<Factors>("scale", 0), upsample_options(c));
       })},
      {"upsample_to", one([](Call& c) {
         return upsample_to(c["x"], c.get<Dims>("size", 0), upsample_options(c));
       })},
      {"pixel_shuffle", one([](Call& c) { return pixel_shuffle(c["x"], c.get<int64_t>("r")); })},
      {"pixel_unshuffle",
       one([](Call& c) { return pixel_unshuffle(c["x"], c.get<int64_t>("r")); })},
      {"channel_shuffle",
       one([](Call& c) { return channel_shuffle(c["x"], c.get<int64_t>("groups")); })},
      {"normalize_images", one([](Call& c) {
         return normalize_images(c["x"], c.get<Floats>("mean"), c.get<Floats>("std"));
       })},
  };
}

// ---- arithmetic

Tensors with_numbers(Call& c) {
  const Tensor x = c["x"];
  const auto n = c.get<double>("c");
  return {x + n, n + x, x - n, n - x, x * n, n * x, x / n, -x};
}

/// A reduction of all elements if no axes are given.
template <class F>
Row reduction(F f) {
  return one([f](Call& c) {
    if (!c.has("axes")) return f(c["x"]);
    const auto axes = c.get<std::vector<int>>("axes");
    return c.with<bool>("keep_axes", [&](auto... keep) { return f(c["x"], axes, keep...); });
  });
}

Rows arithmetic() {
  using Axes = std::vector<int>;
  return {
      {"add", binary(operator+)},
      {"sub", binary(operator-)},
      {"mul", binary(operator*)},
      {"div", binary(operator/)},
      {"with_numbers", with_numbers},
      {"sum_to", one([](Call& c) { return sum_to(c["x"], c.get<Shape>("shape")); })},
      {"broadcast_to", one([](Call& c) { return broadcast_to(c["x"], c.get<Shape>("shape")); })},
      {"sum", reduction([](const Tensor& x, auto... more) { return sum(x, more...); })},
      {"mean", reduction([](const Tensor& x, auto... more) { return mean(x, more...); })},
      {"max", one([](Call& c) {
         const auto axes = c.get<Axes>("axes");
         return c.with<bool>("keep_axes", [&](auto... keep) { return max(c["x"], axes, keep...); });
       })},
      {"matmul", binary(matmul)},
      {"linear", one([](Call& c) { return linear(c["input"], c["weight"], c["bias"]); })},
  };
}

// ---- losses

Tensor cross_entropy_of(Call& c) {
  CrossEntropyOptions options{.class_weights = c["class_weights"]};
  c.set("label_smoothing", options.label_smoothing);
  c.set("ignore_index", options.ignore_index);
  return cross_entropy(c["logits"], c["targets"], options);
}

Tensor focal_loss_of(Call& c) {
  FocalOptions options;
  c.set("alpha", options.alpha);
  c.set("gamma", options.gamma);
  c.set("reduction", options.reduction);
  return focal_loss(c["x"], c["targets"], options);
}

Rows losses() {
  return {
      {"cross_entropy", one(cross_entropy_of)},
      {"focal_loss", one(focal_loss_of)},
      {"binary_cross_entropy_with_logits", one([](Call& c) {
         return c.with<Reduction>("reduction", [&](auto... reduction) {
           return binary_cross_entropy_with_logits(c["x"], c["targets"], reduction...);
         });
       })},
      {"mse_loss", one([](Call& c) {
         return c.with<Reduction>("reduction", [&](auto... reduction) {
           return mse_loss(c["x"], c["target"], reduction...);
         });
       })},
      {"smooth_l1_loss", one([](Call& c) {
         const auto beta = c.get<double>("beta", 1);
         return c.with<Reduction>("reduction", [&](auto... reduction) {
           return smooth_l1_loss(c["x"], c["target"], beta, reduction...);
         });
       })},
      {"dice_loss", one([](Call& c) {
         return c.with<double>(
             "smooth", [&](auto... smooth) { return dice_loss(c["x"], c["targets"], smooth...); });
       })},
      {"kl_div", one([](Call& c) { return kl_div(c["log_p"], c["log_q"]); })},
  };
}

}  // namespace

Tensor Call::operator[](const std::string& name) const {
  for (const auto& [key, tensor] : inputs_) {
    if (key == name) return tensor;
  }
  return {};
}

Tensors Call::inputs() const {
  Tensors result;
  for (const auto& [name, tensor] : inputs_) result.push_back(tensor);
  return result;
}

std::vector<std::string> Call::unknown() const {
  std::vector<std::string> result;
  for (const auto& [name, value] : options_.items()) {
    if (!asked_.contains(name)) result.push_back(name);
  }
  return result;
}

void Call::parse(const Json& json, Dims& value) {
  value = json.is_array() ? Dims(json.get<std::vector<int64_t>>()) : Dims(json.get<int64_t>());
}

void Call::parse(const Json& json, Factors& value) {
  value = json.is_array() ? Factors(json.get<std::vector<double>>()) : Factors(json.get<double>());
}

void Call::parse(const Json& json, Padding& value) {
  if (json.is_string()) {
    value = Padding(json.get<std::string>());
  } else if (json.is_array() && json[0].is_array()) {
    const auto pairs = json.get<std::vector<Padding::Pair>>();
    value = pairs.size() == 1   ? Padding{pairs[0]}
            : pairs.size() == 2 ? Padding{pairs[0], pairs[1]}
                                : Padding{pairs[0], pairs[1], pairs[2]};
  } else {
    Dims both = 0;
    parse(json, both);
    value = both;
  }
}

void Call::parse(const Json& json, Shape& value) {
  value = Shape(json.get<std::vector<int64_t>>());
}

void Call::parse(const Json& json, std::optional<Dims>& value) {
  Dims dims = 0;
  parse(json, dims);
  value = dims;
}

void Call::parse(const Json& json, PadMode& value) {
  value = enumerator<PadMode>(json, {"constant", "reflect", "replicate", "circular"});
}

void Call::parse(const Json& json, Reduction& value) {
  value = enumerator<Reduction>(json, {"mean", "sum", "none"});
}

void Call::parse(const Json& json, DType& value) {
  for (const DType dtype : {DType::f32, DType::f64, DType::i64}) {
    if (json == std::string(name(dtype))) value = dtype;
  }
}

const std::map<std::string, Row>& rows() {
  static const Rows all = [] {
    Rows result;
    for (Rows family : {windows(), norms(), activations(), shapes(), arithmetic(), losses()}) {
      result.merge(family);
    }
    return result;
  }();
  return all;
}

}  // namespace fovea::golden_ops
