#include "fovea/models/families.h"
#include "fovea/models/series.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// The fully convolutional net of Wang et al. 2016, "Time series classification from scratch with
/// deep neural networks": three convolutions of lengths 8, 5 and 3, and the mean over time.
class Fcn1d : public nn::Module {
 public:
  Fcn1d(const nn::Scope& s, const Config& c)
      : Module(s),
        masked_(c.choices.flag("masked")),
        block1(at("block1"), series_channels(c), 128, 8),
        block2(at("block2"), 128, 256, 5),
        block3(at("block3"), 256, 128, 3),
        fc(at("fc"), 128, c.outputs) {}

  Tensor forward(Tensor input) const override {
    const Series series(input, masked_);
    Tensor x = series.x;
    for (const SeriesConvNorm* block : {&block1, &block2, &block3})
      x = series.kept(relu(nn::call(*block, x, series.mask)));
    return fc(series.mean(x));
  }

 private:
  bool masked_;
  SeriesConvNorm block1, block2, block3;
  nn::Linear fc;
};

}  // namespace

std::vector<Entry> fcn_1d() {
  return {{.name = "fcn_1d",
           .input = {1, 128},
           .choices = {masked()},
           .counts = Counts{265'994, 1'024, 33'686'784},
           .build = build<Fcn1d>()}};
}

}  // namespace fovea::models
