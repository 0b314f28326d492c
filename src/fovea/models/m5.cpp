#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// What tells the two members apart.
struct M5Plan {
  std::vector<int64_t> widths;  ///< of the four convolutions, in units of `channels`
  bool padded = false;          ///< convolutions divide the length by their stride alone
};

/// A net for raw waveforms (Dai et al. 2016, "Very deep convolutional neural networks for raw
/// waveforms", arXiv:1610.00087): a first convolution as long as a window of a spectrogram, three
/// short ones, and the mean over time. x [N, C, T].
class M5 : public nn::Module {
 public:
  M5(const nn::Scope& s, const Config& c, const M5Plan& plan)
      : Module(s),
        stride_(c.choices.integer("stem_stride")),
        plan_(plan),
        conv1(at("conv1"), c.input[0], width(c, 0), first()),
        bn1(at("bn1"), width(c, 0)),
        pool1(at("pool1"), pool()),
        conv2(at("conv2"), width(c, 0), width(c, 1), other()),
        bn2(at("bn2"), width(c, 1)),
        pool2(at("pool2"), pool()),
        conv3(at("conv3"), width(c, 1), width(c, 2), other()),
        bn3(at("bn3"), width(c, 2)),
        pool3(at("pool3"), pool()),
        conv4(at("conv4"), width(c, 2), width(c, 3), other()),
        bn4(at("bn4"), width(c, 3)),
        pool4(at("pool4"), pool()),
        fc1(at("fc1"), width(c, 3), c.outputs) {}

  Tensor forward(Tensor x) const override {
    x = pool1(relu(bn1(conv1(x))));
    x = pool2(relu(bn2(conv2(x))));
    x = pool3(relu(bn3(conv3(x))));
    x = pool4(relu(bn4(conv4(x))));
    return fc1(flatten(global_avg_pool(x)));
  }

 private:
  static constexpr int64_t window = 80;

  int64_t width(const Config& c, size_t i) const {
    return plan_.widths[i] * c.choices.integer("base_channels");
  }
  nn::ConvOptions first() const {
    const int64_t padding = plan_.padded ? (window - stride_) / 2 : 0;
    return {.kernel = window, .stride = stride_, .padding = padding};
  }
  nn::ConvOptions other() const { return {.kernel = 3, .padding = plan_.padded ? 1 : 0}; }
  PoolOptions pool() const { return {.kernel = 4, .ceil_mode = plan_.padded}; }

  int64_t stride_;
  M5Plan plan_;
  nn::Conv1d conv1;
  nn::BatchNorm1d bn1;
  nn::MaxPool1d pool1;
  nn::Conv1d conv2;
  nn::BatchNorm1d bn2;
  nn::MaxPool1d pool2;
  nn::Conv1d conv3;
  nn::BatchNorm1d bn3;
  nn::MaxPool1d pool3;
  nn::Conv1d conv4;
  nn::BatchNorm1d bn4;
  nn::MaxPool1d pool4;
  nn::Linear fc1;
};

std::vector<Argument> m5_choices(int64_t channels, int64_t stride) {
  return {{.name = "base_channels",
           .type = ArgumentType::integer,
           .default_value = channels,
           .minimum = 1,
           .maximum = 4096,
           .help = "channels of the first (m5) or gated (wavenet) layers"},
          {.name = "stem_stride",
           .type = ArgumentType::integer,
           .default_value = stride,
           .minimum = 1,
           .maximum = 80,
           .help = "stride of the first convolution"}};
}

}  // namespace

// The paper's net (0.5 million parameters) and that of PyTorch's tutorial on speech commands, whose
// layers have its names. Counts: the same nets in PyTorch.
std::vector<Entry> m5() {
  return {{.name = "m5",
           .input = {1, 32000},
           .choices = m5_choices(128, 4),
           .counts = Counts{559'114, 2'048, 278'533'120},
           .build = build<M5>(M5Plan{.widths = {1, 1, 2, 4}, .padded = true})},
          {.name = "m5_small",
           .outputs = 35,
           .input = {1, 8000},
           .choices = m5_choices(32, 16),
           .counts = Counts{26'915, 384, 1'880'256},
           .build = build<M5>(M5Plan{.widths = {1, 1, 2, 2}})}};
}

}  // namespace fovea::models
