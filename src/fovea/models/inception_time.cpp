#include "fovea/models/families.h"
#include "fovea/models/series.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

constexpr int64_t filters = 32, inception_width = 4 * filters;
constexpr int64_t modules = 6, modules_per_shortcut = 3;

/// Below any value of a normalised series, and in the range of f16.
constexpr double lowest = -3e4;

/// Convolutions of lengths 40, 20 and 10 over a bottleneck, and one of length 1 after max pooling.
class Module1d : public nn::Module {
 public:
  using Module::forward;  // overloaded, not hidden
  Module1d(const nn::Scope& s, int64_t in)
      : Module(s),
        bottleneck(in > 1 ? std::optional<nn::Conv1d>(std::in_place, at("bottleneck"), in, filters,
                                                      options(1))
                          : std::nullopt),
        conv1(at("conv1"), in > 1 ? filters : in, filters, options(40)),
        conv2(at("conv2"), in > 1 ? filters : in, filters, options(20)),
        conv3(at("conv3"), in > 1 ? filters : in, filters, options(10)),
        pool(at("pool"), {.kernel = 3, .stride = 1, .padding = 1}),
        conv4(at("conv4"), in, filters, options(1)),
        bn(at("bn"), inception_width) {}

  Tensor forward(const Tensor& x, const Series& series) const {
    const Tensor narrow = bottleneck ? (*bottleneck)(x) : x;
    // The border of a series is no value to choose: neither are the zeros that pad it.
    const Tensor pooled = pool(series.mask ? x + (series.mask - 1) * -lowest : x);
    const Tensor y =
        concat({conv1(narrow), conv2(narrow), conv3(narrow), conv4(series.kept(pooled))}, 1);
    return nn::call(bn, y, series.mask);
  }

 private:
  static nn::ConvOptions options(int64_t kernel) {
    return {.kernel = kernel, .padding = "same", .bias = false};
  }

  std::optional<nn::Conv1d> bottleneck;
  nn::Conv1d conv1, conv2, conv3;
  nn::MaxPool1d pool;
  nn::Conv1d conv4;
  nn::BatchNorm1d bn;
};

/// One net of InceptionTime (Fawaz et al. 2019, "InceptionTime: finding AlexNet for time series
/// classification"), which is an ensemble of five: six modules, and a shortcut after every third.
class InceptionTime : public nn::Module {
 public:
  InceptionTime(const nn::Scope& s, const Config& c)
      : Module(s),
        masked_(c.choices.flag("masked")),
        blocks(at("blocks")),
        shortcuts(at("shortcuts")),
        fc(at("fc"), inception_width, c.outputs) {
    int64_t in = series_channels(c);
    for (int64_t i = 0; i < modules; ++i) {
      module_.push_back(&blocks.add<Module1d>(i == 0 ? in : inception_width));
      if ((i + 1) % modules_per_shortcut != 0) continue;
      shortcut_.push_back(&shortcuts.add<SeriesConvNorm>(in, inception_width, 1, false));
      in = inception_width;
    }
  }

  Tensor forward(Tensor input) const override {
    const Series series(input, masked_);
    Tensor x = series.x, before = x;
    for (size_t i = 0; i < module_.size(); ++i) {
      x = nn::call(*module_[i], x, series);
      const bool last = (i + 1) % modules_per_shortcut == 0;
      if (last) x = x + nn::call(*shortcut_[i / modules_per_shortcut], before, series.mask);
      x = series.kept(relu(x));
      if (last) before = x;
    }
    return fc(series.mean(x));
  }

 private:
  bool masked_;
  nn::Sequential blocks, shortcuts;  // their modules are called one by one
  nn::Linear fc;
  std::vector<Module1d*> module_;
  std::vector<SeriesConvNorm*> shortcut_;
};

}  // namespace

std::vector<Entry> inception_time() {
  return {{.name = "inception_time",
           .input = {1, 128},
           .choices = {masked()},
           .counts = Counts{421'482, 2'048, 53'523'712},
           .build = build<InceptionTime>()}};
}

}  // namespace fovea::models
