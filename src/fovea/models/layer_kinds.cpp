#include "fovea/models/layer_kinds.h"

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

using Module = std::unique_ptr<nn::Module>;

constexpr double most_channels = 1e6, most_size = 65536;

// Attributes, as the table says them.

Attribute channels(std::string name) {
  return {.name = std::move(name),
          .type = AttributeType::whole,
          .least = 1,
          .most = most_channels,
          .words = {"classes"}};
}
Attribute inferred(std::string name) {
  return {.name = std::move(name),
          .type = AttributeType::whole,
          .least = 1,
          .most = most_channels,
          .follows = "the input's"};
}
Attribute whole(std::string name, AttributeValue usual, double most, double least = 1) {
  return {.name = std::move(name),
          .type = AttributeType::whole,
          .usual = std::move(usual),
          .least = least,
          .most = most};
}
Attribute number(std::string name, double usual, double most, double least = 0) {
  return {.name = std::move(name),
          .type = AttributeType::number,
          .usual = usual,
          .least = least,
          .most = most};
}
Attribute probability(std::string name, double usual) {
  Attribute attribute = number(std::move(name), usual, 1);
  attribute.words = {"dropout"};
  return attribute;
}
Attribute flag(std::string name, bool usual) {
  return {.name = std::move(name), .type = AttributeType::flag, .usual = usual};
}
Attribute word(std::string name, std::string usual, std::vector<std::string> words) {
  return {.name = std::move(name),
          .type = AttributeType::word,
          .usual = std::move(usual),
          .words = std::move(words)};
}
/// One number an axis that has to be given.
Attribute sizes(std::string name) {
  return {.name = std::move(name), .type = AttributeType::sizes, .least = 1, .most = most_size};
}
Attribute sizes(std::string name, int64_t usual, double least = 1) {
  Attribute attribute = sizes(std::move(name));
  attribute.usual = std::vector<int64_t>{usual};
  attribute.least = least;
  return attribute;
}
Attribute factors(std::string name, double least, double most) {
  return {.name = std::move(name), .type = AttributeType::factors, .least = least, .most = most};
}
Attribute padding() {
  Attribute attribute = sizes("padding", 0, 0);
  attribute.words = {"same", "valid", "full"};
  return attribute;
}
Attribute sizes_like(std::string name, std::string other) {
  Attribute attribute = sizes(std::move(name));
  attribute.follows = std::move(other);
  return attribute;
}

int64_t channels_of(const Shape& input) {
  if (input.rank() > 1) return input[1];
  throw Error(ErrorKind::usage, "the input " + to_string(input) + " has no channels");
}

/// A layer that is made of its scope alone.
template <class M>
LayerKind plain(std::string name, std::string about) {
  return {.name = std::move(name),
          .about = std::move(about),
          .build = [](const nn::Scope& s, const Shape&, const Attributes&) -> Module {
            return std::make_unique<M>(s);
          }};
}

/// A layer whose constructor takes its scope and what `arguments` gives of input and attributes.
template <class M, class F>
LayerKind kind(std::string name, std::string about, std::vector<Attribute> attributes,
               const F& make) {
  return {.name = std::move(name),
          .about = std::move(about),
          .attributes = std::move(attributes),
          .build = [make](const nn::Scope& s, const Shape& x, const Attributes& a) -> Module {
            return std::apply(
                [&](const auto&... arguments) { return std::make_unique<M>(s, arguments...); },
                make(x, a));
          }};
}

class Add : public Merge {
 public:
  using Merge::Merge;
  Tensor forward(const Tensor& first, const Tensors& others) const override {
    Tensor sum = first;
    for (const Tensor& x : others) sum = sum + x;
    return sum;
  }
};

class Mul : public Merge {
 public:
  using Merge::Merge;
  Tensor forward(const Tensor& first, const Tensors& others) const override {
    Tensor product = first;
    for (const Tensor& x : others) product = product * x;
    return product;
  }
};

class Concat : public Merge {
 public:
  Concat(const nn::Scope& s, int axis) : Merge(s), axis_(axis) {}
  Tensor forward(const Tensor& first, const Tensors& others) const override {
    Tensors all{first};
    all.insert(all.end(), others.begin(), others.end());
    return concat(all, axis_);
  }

 private:
  int axis_;
};

std::vector<LayerKind> merges() {
  std::vector<LayerKind> kinds{
      plain<Add>("Add", "Sum of several layers"),
      kind<Concat>("Concat", "Several layers side by side, along channels unless dim says another",
                   {whole("dim", int64_t{1}, 4)},
                   [](const Shape&, const Attributes& a) {
                     return std::tuple(static_cast<int>(a.whole("dim")));
                   }),
      plain<Mul>("Mul", "Product of several layers, such as a map of features and its weights"),
  };
  for (LayerKind& kind : kinds) kind.merges = true;
  return kinds;
}

std::vector<LayerKind> convolutions() {
  const auto conv = [](const Shape& x, const Attributes& a) {
    return std::tuple(a.whole("in_channels", channels_of(x)), a.whole("out_channels"),
                      nn::ConvOptions{.kernel = a.sizes("kernel_size"),
                                      .stride = a.sizes("stride"),
                                      .padding = a.padding("padding"),
                                      .dilation = a.sizes("dilation"),
                                      .groups = a.whole("groups"),
                                      .bias = a.flag("bias")});
  };
  const auto transposed = [](const Shape& x, const Attributes& a) {
    return std::tuple(a.whole("in_channels", channels_of(x)), a.whole("out_channels"),
                      nn::ConvTransposeOptions{.kernel = a.sizes("kernel_size"),
                                               .stride = a.sizes("stride"),
                                               .padding = a.sizes("padding"),
                                               .output_padding = a.sizes("output_padding"),
                                               .dilation = a.sizes("dilation"),
                                               .groups = a.whole("groups"),
                                               .bias = a.flag("bias")});
  };
  const auto linear = [](const Shape& x, const Attributes& a) {
    return std::tuple(a.whole("in_features", x[-1]), a.whole("out_features"),
                      nn::LinearOptions{.bias = a.flag("bias")});
  };
  const Attribute groups = whole("groups", int64_t{1}, most_channels);
  return {kind<nn::Conv2d>(
              "Conv2d", "Convolution",
              {channels("out_channels"), sizes("kernel_size"), sizes("stride", 1), padding(),
               sizes("dilation", 1), groups, flag("bias", true), inferred("in_channels")},
              conv),
          kind<nn::ConvTranspose2d>(
              "ConvTranspose2d", "Transposed convolution, which makes maps larger",
              {channels("out_channels"), sizes("kernel_size"), sizes("stride", 1),
               sizes("padding", 0, 0), sizes("output_padding", 0, 0), sizes("dilation", 1), groups,
               flag("bias", true), inferred("in_channels")},
              transposed),
          kind<nn::Linear>("Linear", "Weighted sums of the last axis, behind Flatten",
                           {channels("out_features"), flag("bias", true), inferred("in_features")},
                           linear)};
}

std::vector<LayerKind> norms() {
  const auto batch_norm = [](const Shape& x, const Attributes& a) {
    return std::tuple(a.whole("num_features", channels_of(x)),
                      nn::BatchNormOptions{.eps = a.number("eps"),
                                           .momentum = a.optional_number("momentum"),
                                           .affine = a.flag("affine")});
  };
  Attribute momentum = number("momentum", 0.1, 1);
  momentum.words = {"none"};
  const std::vector<Attribute> batch_attributes{number("eps", 1e-5, 1), momentum,
                                                flag("affine", true), inferred("num_features")};
  const auto layer_norm_options = [](const Attributes& a) {
    return nn::LayerNormOptions{.eps = a.number("eps"),
                                .elementwise_affine = a.flag("elementwise_affine"),
                                .bias = a.flag("bias")};
  };
  const auto layer_norm_attributes = [](double eps) {
    return std::vector<Attribute>{number("eps", eps, 1), flag("elementwise_affine", true),
                                  flag("bias", true)};
  };
  const auto of_channels = [](const Shape& x, const Attributes& a) {
    return std::tuple(channels_of(x), a.number("eps"));
  };
  return {
      kind<nn::BatchNorm2d>("BatchNorm2d", "Batch normalisation", batch_attributes, batch_norm),
      kind<nn::BatchNorm1d>("BatchNorm1d", "The same, behind Linear", batch_attributes, batch_norm),
      kind<nn::GroupNorm>(
          "GroupNorm", "Normalisation over groups of channels of each image",
          {whole("num_groups", {}, most_channels), number("eps", 1e-5, 1), flag("affine", true)},
          [](const Shape& x, const Attributes& a) {
            return std::tuple(
                a.whole("num_groups"), channels_of(x),
                nn::GroupNormOptions{.eps = a.number("eps"), .affine = a.flag("affine")});
          }),
      kind<nn::InstanceNorm2d>("InstanceNorm2d", "Normalisation of each channel of each image",
                               {number("eps", 1e-5, 1), flag("affine", false)},
                               [](const Shape& x, const Attributes& a) {
                                 return std::tuple(channels_of(x), nn::GroupNormOptions{
                                                                       .eps = a.number("eps"),
                                                                       .affine = a.flag("affine")});
                               }),
      kind<nn::LayerNorm>("LayerNorm", "Normalisation over the last axis",
                          layer_norm_attributes(1e-5),
                          [=](const Shape& x, const Attributes& a) {
                            return std::tuple(Shape{x[-1]}, layer_norm_options(a));
                          }),
      kind<nn::LayerNormChannels>("LayerNormChannels",
                                  "Normalisation over the channels of each pixel",
                                  layer_norm_attributes(1e-6),
                                  [=](const Shape& x, const Attributes& a) {
                                    return std::tuple(channels_of(x), layer_norm_options(a));
                                  }),
      kind<nn::GlobalResponseNorm>("GlobalResponseNorm",
                                   "Global response normalisation of ConvNeXt V2",
                                   {number("eps", 1e-6, 1)}, of_channels),
      kind<nn::LayerScale>("LayerScale", "A learned factor for each channel",
                           {number("value", 1e-6, 1e6)},
                           [](const Shape& x, const Attributes& a) {
                             return std::tuple(channels_of(x), a.number("value"));
                           }),
  };
}

std::vector<LayerKind> activations() {
  const auto axis = [](const Shape&, const Attributes& a) {
    return std::tuple(static_cast<int>(a.whole("dim")));
  };
  std::vector<LayerKind> kinds{
      plain<nn::ReLU>("ReLU", "max(x, 0)"),
      plain<nn::ReLU6>("ReLU6", "min(max(x, 0), 6)"),
      kind<nn::LeakyReLU>(
          "LeakyReLU", "x, and negative_slope * x below 0", {number("negative_slope", 0.01, 1e6)},
          [](const Shape&, const Attributes& a) { return std::tuple(a.number("negative_slope")); }),
      kind<nn::PReLU>(
          "PReLU", "LeakyReLU with a learned slope, or one for each channel",
          {whole("num_parameters", int64_t{1}, most_channels), number("init", 0.25, 1e6)},
          [](const Shape&, const Attributes& a) {
            return std::tuple(a.whole("num_parameters"), a.number("init"));
          }),
      kind<nn::ELU>(
          "ELU", "x, and alpha * (exp(x) - 1) below 0", {number("alpha", 1, 1e6)},
          [](const Shape&, const Attributes& a) { return std::tuple(a.number("alpha")); }),
      plain<nn::GELU>("GELU", "x times the normal distribution's share below x"),
      plain<nn::GELUTanh>("GELUTanh", "GELU by the approximation with tanh"),
      plain<nn::SiLU>("SiLU", "x * sigmoid(x), also called swish"),
      plain<nn::Mish>("Mish", "x * tanh(softplus(x))"),
      plain<nn::Sigmoid>("Sigmoid", "1 / (1 + exp(-x))"),
      plain<nn::Tanh>("Tanh", "Hyperbolic tangent"),
      plain<nn::Hardsigmoid>("Hardsigmoid", "Sigmoid in straight lines"),
      plain<nn::Hardswish>("Hardswish", "SiLU in straight lines and a parabola"),
      kind<nn::Softmax>("Softmax", "Probabilities; not for the end of a net, whose loss has it",
                        {whole("dim", int64_t{1}, 4)}, axis),
      kind<nn::LogSoftmax>("LogSoftmax", "Their logarithms", {whole("dim", int64_t{1}, 4)}, axis),
  };
  return kinds;
}

std::vector<LayerKind> pools() {
  const auto pool = [](bool maximum) {
    return [maximum](const Shape&, const Attributes& a) {
      PoolOptions options{.kernel = a.sizes("kernel_size"),
                          .padding = a.sizes("padding"),
                          .ceil_mode = a.flag("ceil_mode")};
      if (a.has("stride")) options.stride = a.sizes("stride");
      if (maximum) options.dilation = a.sizes("dilation");
      if (!maximum) options.count_include_pad = a.flag("count_include_pad");
      return std::tuple(options);
    };
  };
  const auto output = [](const Shape&, const Attributes& a) {
    return std::tuple(a.sizes("output_size"));
  };
  const Attribute stride = sizes_like("stride", "kernel_size");
  return {kind<nn::MaxPool2d>("MaxPool2d", "The largest value of each window",
                              {sizes("kernel_size"), stride, sizes("padding", 0, 0),
                               sizes("dilation", 1), flag("ceil_mode", false)},
                              pool(true)),
          kind<nn::AvgPool2d>("AvgPool2d", "The mean of each window",
                              {sizes("kernel_size"), stride, sizes("padding", 0, 0),
                               flag("ceil_mode", false), flag("count_include_pad", true)},
                              pool(false)),
          kind<nn::AdaptiveAvgPool2d>("AdaptiveAvgPool2d",
                                      "Means, as many as output_size says; 1: of all pixels",
                                      {sizes("output_size")}, output),
          kind<nn::AdaptiveMaxPool2d>("AdaptiveMaxPool2d", "The same with the largest values",
                                      {sizes("output_size")}, output)};
}

std::vector<LayerKind> shapes() {
  const auto p = [](const Shape&, const Attributes& a) { return std::tuple(a.number("p")); };
  return {
      kind<nn::Flatten>("Flatten", "All axes from start_dim on as one",
                        {whole("start_dim", int64_t{1}, 4)},
                        [](const Shape&, const Attributes& a) {
                          return std::tuple(static_cast<int>(a.whole("start_dim")));
                        }),
      kind<nn::Dropout>("Dropout", "In training, values are 0 with probability p",
                        {probability("p", 0.5)}, p),
      kind<nn::Dropout2d>("Dropout2d", "In training, whole channels are 0 with probability p",
                          {probability("p", 0.5)}, p),
      kind<nn::DropPath>("DropPath", "In training, whole images are 0: for branches, before Add",
                         {number("p", 0.1, 1)}, p),
      kind<nn::Upsample>(
          "Upsample", "Larger or smaller maps by interpolation",
          {factors("scale_factor", 1e-3, 1e3), word("mode", "nearest", {"nearest", "bilinear"}),
           flag("align_corners", false), flag("recompute_scale_factor", false)},
          [](const Shape&, const Attributes& a) {
            return std::tuple(
                a.factors("scale_factor"),
                UpsampleOptions{.mode = a.word("mode") == "nearest" ? UpsampleMode::nearest
                                                                    : UpsampleMode::linear,
                                .align_corners = a.flag("align_corners"),
                                .recompute_scale_factor = a.flag("recompute_scale_factor")});
          }),
      kind<nn::PixelShuffle>(
          "PixelShuffle", "Channels become pixels of a larger map",
          {whole("upscale_factor", {}, 1024)},
          [](const Shape&, const Attributes& a) { return std::tuple(a.whole("upscale_factor")); }),
      kind<nn::ChannelShuffle>(
          "ChannelShuffle", "Channels of groups dealt out in turn",
          {whole("groups", {}, most_channels)},
          [](const Shape&, const Attributes& a) { return std::tuple(a.whole("groups")); }),
      plain<nn::Identity>("Identity", "Its input; a name for it"),
  };
}

template <class Activation>
Module make_conv_norm_act(const nn::Scope& s, int64_t in, int64_t out,
                          const nn::ConvNormActOptions& options) {
  return std::make_unique<nn::ConvNormAct<Activation>>(s, in, out, options);
}

LayerKind conv_norm_act() {
  using Make = Module (*)(const nn::Scope&, int64_t, int64_t, const nn::ConvNormActOptions&);
  static const std::vector<std::pair<std::string, Make>> known{
      {"ReLU", make_conv_norm_act<nn::ReLU>},
      {"ReLU6", make_conv_norm_act<nn::ReLU6>},
      {"LeakyReLU", make_conv_norm_act<nn::LeakyReLU>},
      {"ELU", make_conv_norm_act<nn::ELU>},
      {"GELU", make_conv_norm_act<nn::GELU>},
      {"SiLU", make_conv_norm_act<nn::SiLU>},
      {"Mish", make_conv_norm_act<nn::Mish>},
      {"Hardswish", make_conv_norm_act<nn::Hardswish>},
      {"Sigmoid", make_conv_norm_act<nn::Sigmoid>},
      {"Tanh", make_conv_norm_act<nn::Tanh>},
      {"Identity", make_conv_norm_act<nn::Identity>},
  };
  std::vector<std::string> words;
  for (const auto& [name, function] : known) words.push_back(name);
  return {.name = "ConvNormAct",
          .about = "Convolution, BatchNorm2d and an activation; padded to keep the size",
          .attributes = {channels("out_channels"), whole("kernel_size", int64_t{3}, 1023),
                         whole("stride", int64_t{1}, most_size),
                         whole("groups", int64_t{1}, most_channels), flag("bias", false),
                         word("activation", "ReLU", words)},
          .build = [](const nn::Scope& s, const Shape& x, const Attributes& a) -> Module {
            const auto found = std::find_if(known.begin(), known.end(), [&](const auto& entry) {
              return entry.first == a.word("activation");
            });
            return found->second(s, channels_of(x), a.whole("out_channels"),
                                 {.kernel = a.whole("kernel_size"),
                                  .stride = a.whole("stride"),
                                  .groups = a.whole("groups"),
                                  .bias = a.flag("bias")});
          }};
}

std::vector<LayerKind> blocks() {
  const auto stride = [] { return whole("stride", int64_t{1}, most_size); };
  const auto kernel = [](int64_t usual) { return whole("kernel_size", usual, 1023); };
  const auto widened = [](const Shape& x, const Attributes& a) {
    return std::tuple(channels_of(x), a.whole("out_channels"));
  };
  return {
      conv_norm_act(),
      kind<nn::MultiScale>("MultiScale",
                           "Inception block: 1x1, 3x3, 5x5 and pooling side by side, each with "
                           "out_channels",
                           {channels("out_channels")}, widened),
      kind<nn::DepthwiseSeparable>(
          "DepthwiseSeparable", "Depthwise, then 1x1 convolution; norm and relu behind each",
          {channels("out_channels"), kernel(3), stride(), flag("norm", true)},
          [](const Shape& x, const Attributes& a) {
            return std::tuple(channels_of(x), a.whole("out_channels"),
                              nn::DepthwiseSeparableOptions{.kernel = a.whole("kernel_size"),
                                                            .stride = a.whole("stride"),
                                                            .norm = a.flag("norm")});
          }),
      kind<nn::ChannelMixer>("ChannelMixer", "1x1 convolution", {channels("out_channels")},
                             widened),
      kind<nn::BasicBlock>("BasicBlock", "Residual block of ResNet-18: two 3x3 convolutions",
                           {channels("width"), stride()},
                           [](const Shape& x, const Attributes& a) {
                             return std::tuple(channels_of(x), a.whole("width"), a.whole("stride"));
                           }),
      kind<nn::Bottleneck>(
          "Bottleneck", "Residual block of ResNet-50: 1x1, 3x3, 1x1 to 4 * width channels",
          {channels("width"), stride(), whole("groups", int64_t{1}, most_channels),
           whole("group_width", int64_t{64}, most_channels)},
          [](const Shape& x, const Attributes& a) {
            return std::tuple(channels_of(x), a.whole("width"), a.whole("stride"),
                              nn::BottleneckOptions{.groups = a.whole("groups"),
                                                    .group_width = a.whole("group_width")});
          }),
      kind<nn::SEBasicBlock>("SEBasicBlock", "BasicBlock with SqueezeExcite",
                             {channels("width"), stride(), whole("reduction", int64_t{16}, 65536)},
                             [](const Shape& x, const Attributes& a) {
                               return std::tuple(channels_of(x), a.whole("width"),
                                                 a.whole("stride"), a.whole("reduction"));
                             }),
      kind<nn::SqueezeExcite>("SqueezeExcite", "Channels weighed by what all are like on average",
                              {whole("reduction", int64_t{16}, 65536)},
                              [](const Shape& x, const Attributes& a) {
                                return std::tuple(channels_of(x), a.whole("reduction"));
                              }),
      kind<nn::MBConv>("MBConv",
                       "1x1 to expansion times the channels, depthwise 3x3, SqueezeExcite, 1x1",
                       {channels("out_channels"), whole("expansion", int64_t{4}, 1024), stride(),
                        whole("reduction", int64_t{4}, 65536)},
                       [](const Shape& x, const Attributes& a) {
                         return std::tuple(channels_of(x), a.whole("out_channels"),
                                           nn::MBConvOptions{.expansion = a.whole("expansion"),
                                                             .stride = a.whole("stride"),
                                                             .reduction = a.whole("reduction")});
                       }),
      kind<nn::DenseLayer>(
          "DenseLayer", "growth new channels, of a DenseNet",
          {whole("growth", {}, most_channels), whole("bottleneck", int64_t{4}, 1024)},
          [](const Shape& x, const Attributes& a) {
            return std::tuple(channels_of(x), a.whole("growth"), a.whole("bottleneck"));
          }),
      kind<nn::DenseBlock>(
          "DenseBlock", "num_layers of them, each seeing all before; gives all side by side",
          {whole("num_layers", {}, 128), whole("growth", {}, most_channels),
           whole("bottleneck", int64_t{4}, 1024)},
          [](const Shape& x, const Attributes& a) {
            return std::tuple(static_cast<int>(a.whole("num_layers")), channels_of(x),
                              a.whole("growth"), a.whole("bottleneck"));
          }),
      kind<nn::ConvNeXtBlock>(
          "ConvNeXtBlock",
          "Depthwise 7x7, then a hidden layer at every pixel, added to the input; layer_scale 0 "
          "leaves the learned scale out",
          {kernel(7), whole("expansion", int64_t{4}, 1024), number("layer_scale", 1e-6, 1e6),
           number("drop_path", 0, 1)},
          [](const Shape& x, const Attributes& a) {
            nn::ConvNeXtOptions options{.kernel = a.whole("kernel_size"),
                                        .expansion = a.whole("expansion"),
                                        .layer_scale = a.number("layer_scale"),
                                        .drop_path = a.number("drop_path")};
            if (options.layer_scale == 0) options.layer_scale.reset();
            return std::tuple(channels_of(x), options);
          }),
  };
}

std::string value_text(const AttributeValue& value) {
  if (const auto* whole = std::get_if<int64_t>(&value)) return std::to_string(*whole);
  if (const auto* number = std::get_if<double>(&value)) return format_number(*number);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* word = std::get_if<std::string>(&value)) return '"' + *word + '"';
  return std::to_string(std::get<std::vector<int64_t>>(value)[0]);  // of a table: one for all axes
}

}  // namespace

std::string Attribute::text() const {
  if (!follows.empty()) return name + " = " + follows;
  if (std::holds_alternative<std::monostate>(usual)) return name;
  return name + " = " + value_text(usual);
}

bool Attributes::has(const std::string& name) const {
  return !std::holds_alternative<std::monostate>(at(name));
}

const AttributeValue& Attributes::at(const std::string& name) const {
  const auto found = values_.find(name);
  require(found != values_.end(), "a layer reads an attribute that its table does not have");
  return found->second;
}

template <class T>
const T& Attributes::get(const std::string& name) const {
  const T* value = std::get_if<T>(&at(name));
  require(value != nullptr, "a layer reads an attribute as something else than its table says");
  return *value;
}

int64_t Attributes::whole(const std::string& name, int64_t otherwise) const {
  return has(name) ? whole(name) : otherwise;
}

std::optional<double> Attributes::optional_number(const std::string& name) const {
  if (std::holds_alternative<std::string>(at(name))) return std::nullopt;
  return number(name);
}

Padding Attributes::padding(const std::string& name) const {
  if (const auto* word = std::get_if<std::string>(&at(name))) return {*word};
  return {sizes(name)};
}

const std::vector<LayerKind>& layer_kinds() {
  static const std::vector<LayerKind> all = [] {
    std::vector<LayerKind> kinds{
        {.name = "Sequential", .about = "The layers of a list of its own, `layers`"}};
    for (auto group : {merges, convolutions, norms, activations, pools, shapes, blocks}) {
      for (LayerKind& kind : group()) kinds.push_back(std::move(kind));
    }
    return kinds;
  }();
  return all;
}

const LayerKind& layer_kind(const std::string& name) {
  std::vector<std::string> names;
  for (const LayerKind& kind : layer_kinds()) {
    if (kind.name == name) return kind;
    names.push_back(kind.name);
  }
  throw unknown_name("type of layer", name, names, ErrorKind::model);
}

std::string layer_kinds_text() {
  std::string text;
  for (const LayerKind& kind : layer_kinds()) {
    text += kind.name + ": " + kind.about + "\n";
    std::vector<std::string> attributes;
    for (const Attribute& attribute : kind.attributes) attributes.push_back(attribute.text());
    if (!attributes.empty()) text += "    " + join(attributes) + "\n";
  }
  return text;
}

}  // namespace fovea::models
