#include <fmt/format.h>

#include <optional>

#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// A dilated causal convolution: an output at time t sees inputs up to t.
nn::ConvOptions causal(int64_t kernel, int64_t dilation) {
  return {.kernel = kernel, .padding = {{(kernel - 1) * dilation, 0}}, .dilation = dilation};
}

/// A gated activation unit, tanh(filter) * sigmoid(gate), with a residual output, which the next
/// layer gets, and a skip output, added to those of the layers before (van den Oord et al. 2016,
/// eq. 2 and figure 4). The last layer has no next one.
class GatedLayer : public nn::Module {
 public:
  using Module::forward;  // overloaded, not hidden
  GatedLayer(const nn::Scope& s, int64_t channels, int64_t skip_channels, int64_t kernel,
             int64_t dilation, bool last)
      : Module(s),
        filter(at("filter"), channels, channels, causal(kernel, dilation)),
        gate(at("gate"), channels, channels, causal(kernel, dilation)),
        skip(at("skip"), channels, skip_channels, {.kernel = 1}) {
    if (!last) residual.emplace(at("residual"), channels, channels, nn::ConvOptions{.kernel = 1});
  }

  /// The residual output and the sum of all skip outputs so far; `sum`: those before.
  std::pair<Tensor, Tensor> forward(const Tensor& x, const std::optional<Tensor>& sum) const {
    const Tensor gated = tanh(filter(x)) * sigmoid(gate(x));
    const Tensor out = skip(gated);
    return {residual ? x + (*residual)(gated) : x, sum ? *sum + out : out};
  }

 private:
  nn::Conv1d filter, gate, skip;
  std::optional<nn::Conv1d> residual;
};

/// A stack of dilated causal convolutions over a waveform [N, C, T] (van den Oord et al. 2016,
/// "WaveNet: a generative model for raw audio", arXiv:1609.03499), as a classifier: the skip
/// outputs' sum goes through relu, 1x1 convolution, relu and the mean over time. The dilation
/// doubles from layer to layer and begins again in each stack.
class WaveNet : public nn::Module {
 public:
  WaveNet(const nn::Scope& s, const Config& c)
      : Module(s),
        input(at("input"), c.input[0], c.choices.integer("base_channels"),
              causal(c.choices.integer("kernel_size"), 1)) {
    const int64_t channels = c.choices.integer("base_channels");
    const int64_t skip = c.choices.integer("skip_channels");
    const int64_t depth = c.choices.integer("depth"), count = depth * c.choices.integer("stacks");
    for (int64_t i = 0; i < count; ++i) {
      layers.push_back(std::make_unique<GatedLayer>(at(fmt::format("layer{}", i)), channels, skip,
                                                    c.choices.integer("kernel_size"),
                                                    int64_t{1} << (i % depth), i == count - 1));
    }
    head.emplace(at("head"), skip, skip, nn::ConvOptions{.kernel = 1});
    fc.emplace(at("fc"), skip, c.outputs);
  }

  Tensor forward(Tensor x) const override {
    x = input(x);
    std::optional<Tensor> sum;
    for (const auto& layer : layers) {
      const auto [next, skips] = nn::call(*layer, x, sum);
      x = next;
      sum = skips;
    }
    return (*fc)(flatten(global_avg_pool(relu((*head)(relu(*sum))))));
  }

 private:
  nn::Conv1d input;
  std::vector<std::unique_ptr<GatedLayer>> layers;
  std::optional<nn::Conv1d> head;
  std::optional<nn::Linear> fc;
};

Argument size(std::string name, int64_t value, double maximum, std::string help) {
  return {.name = std::move(name),
          .type = ArgumentType::integer,
          .default_value = value,
          .minimum = 1,
          .maximum = maximum,
          .help = std::move(help)};
}

}  // namespace

// Counts: the same net in PyTorch.
std::vector<Entry> wavenet() {
  return {
      {.name = "wavenet",
       .input = {1, 8000},
       .choices = {size("base_channels", 32, 4096,
                        "channels of the first (m5) or gated (wavenet) layers"),
                   size("skip_channels", 64, 4096, "channels of the skip outputs"),
                   size("kernel_size", 2, 64, "length of the kernels of the causal convolutions"),
                   size("depth", 8, 20,
                        "layers of a stack; the dilation doubles from each to the next"),
                   size("stacks", 2, 64, "number of stacks; in each, dilations begin at 1 again")},
       .counts = Counts{121'098, 0, 942'592'640},
       .build = build<WaveNet>()}};
}

}  // namespace fovea::models
