#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// Four 3x3x3 convolutions with norms, of 16, 32, 64 and 128 channels, three of them followed by
/// pooling, and the mean over all that is left: the smallest net that does well on short clips and
/// small volumes x [N, C, D, H, W], of any size. The first pooling keeps the depth, which is often
/// the smallest side.
class SmallCnn3d : public nn::Module {
 public:
  SmallCnn3d(const nn::Scope& s, const Config& c)
      : Module(s), features(at("features")), head(at("head")) {
    int64_t channels = c.input[0];
    for (const int64_t width : {16, 32, 64, 128}) {
      features.add<nn::Conv3d>(channels, width,
                               nn::ConvOptions{.kernel = 3, .padding = 1, .bias = false});
      features.add<nn::BatchNorm3d>(width);
      features.add<nn::ReLU>();
      if (width == 16) features.add<nn::MaxPool3d>(PoolOptions{.kernel = {1, 2, 2}});
      if (width == 32 || width == 64) features.add<nn::MaxPool3d>(2);
      channels = width;
    }
    head.add<nn::AdaptiveAvgPool3d>(1);
    head.add<nn::Flatten>();
    head.add<nn::Dropout>(c.choices.number("dropout"));
    head.add<nn::Linear>(channels, c.outputs);
  }

  Tensor forward(Tensor x) const override { return head(features(x)); }

 private:
  nn::Sequential features, head;
};

}  // namespace

// Counts: worked out by hand.
std::vector<Entry> cnn_3d() {
  return {{.name = "small_cnn_3d",
           .input = {1, 8, 32, 32},
           .choices = {dropout(0.2)},
           .counts = Counts{292'506, 480, 53'085'440},
           .build = build<SmallCnn3d>()}};
}

}  // namespace fovea::models
