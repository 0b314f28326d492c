#include <algorithm>
#include <cmath>

#include "fovea/models/families.h"
#include "fovea/nn.h"
#include "fovea/ops/pool.h"
#include "fovea/ops/shape_ops.h"

// Nets for the task reconstruct: x [N, C, H, W] gives [N, outputs, H, W], for images of any size
// from 8x8. `width` is a factor of all channel counts.
namespace fovea::models {
namespace {

constexpr int64_t base_width = 32;  // channels of the first of three levels; each doubles them

int64_t width_of(const Config& c, int level) {
  return std::max<int64_t>(std::llround(base_width * c.choices.number("width")), 1) << level;
}

/// A convolution and, unless it is the last, a norm and a relu.
template <class Convolution>
class AutoencoderStage : public nn::Sequential {
 public:
  AutoencoderStage(const nn::Scope& s, int64_t in, int64_t out,
                   typename Convolution::Options options, bool last = false)
      : Sequential(s) {
    options.bias = last;
    add<Convolution>(in, out, options);
    if (last) return;
    add<nn::BatchNorm2d>(out);
    add<nn::ReLU>();
  }
};

/// The pooled values where they were before pooling, and zeros between them; then a transposed
/// convolution, which fills these.
class Unpooling : public nn::Module {
 public:
  using Module::forward;

  Unpooling(const nn::Scope& s, int64_t in, int64_t out, bool last = false)
      : Module(s), conv(at("conv"), in, out, {.kernel = 3, .padding = 1}, last) {}

  /// `before`: what was pooled, whose size the result has.
  Tensor forward(const Tensor& x, const Tensor& indices, const Tensor& before) const {
    return conv(max_unpool(x, indices, before.shape().slice(2)));
  }

 private:
  AutoencoderStage<nn::ConvTranspose2d> conv;
};

/// Convolutions and max pooling, and the way back by unpooling with the indices of the maxima and
/// transposed convolutions: Zeiler et al. 2011, "Adaptive deconvolutional networks for mid and high
/// level feature learning"; Badrinarayanan et al. 2017, "SegNet".
class Autoencoder : public nn::Module {
 public:
  Autoencoder(const nn::Scope& s, const Config& c)
      : Module(s),
        encoder1(at("encoder1"), c.input[0], width_of(c, 0), {.kernel = 3, .padding = 1}),
        encoder2(at("encoder2"), width_of(c, 0), width_of(c, 1), {.kernel = 3, .padding = 1}),
        encoder3(at("encoder3"), width_of(c, 1), width_of(c, 2), {.kernel = 3, .padding = 1}),
        decoder3(at("decoder3"), width_of(c, 2), width_of(c, 1)),
        decoder2(at("decoder2"), width_of(c, 1), width_of(c, 0)),
        decoder1(at("decoder1"), width_of(c, 0), c.outputs, true) {}

  Tensor forward(Tensor x) const override {
    const Tensor map1 = encoder1(x);
    const Tensors pooled1 = max_pool_with_indices(map1, {.kernel = 2});
    const Tensor map2 = encoder2(pooled1[0]);
    const Tensors pooled2 = max_pool_with_indices(map2, {.kernel = 2});
    const Tensor map3 = encoder3(pooled2[0]);
    const Tensors pooled3 = max_pool_with_indices(map3, {.kernel = 2});
    Tensor y = nn::call(decoder3, pooled3[0], pooled3[1], map3);
    y = nn::call(decoder2, y, pooled2[1], map2);
    return nn::call(decoder1, y, pooled1[1], map1);
  }

 private:
  AutoencoderStage<nn::Conv2d> encoder1, encoder2, encoder3;
  Unpooling decoder3, decoder2, decoder1;
};

/// A transposed convolution that doubles the size, without the row and column that an odd size did
/// not have before it was halved.
class Doubling : public nn::Module {
 public:
  using Module::forward;

  Doubling(const nn::Scope& s, int64_t in, int64_t out, bool last = false)
      : Module(s), conv(at("conv"), in, out, {.kernel = 4, .stride = 2, .padding = 1}, last) {}

  /// `like`: has the size of the result.
  Tensor forward(const Tensor& x, const Tensor& like) const {
    Tensor y = conv(x);
    for (int axis = 2; axis < y.rank(); ++axis) {
      if (y.dim(axis) > like.dim(axis)) y = slice(y, axis, 0, like.dim(axis));
    }
    return y;
  }

 private:
  AutoencoderStage<nn::ConvTranspose2d> conv;
};

/// Convolutions of stride 2 and transposed ones: all that is known of the image is in the smallest
/// map, of an eighth of its size. For images with noise, of which the net learns what they were
/// without it (Vincent et al. 2008, "Extracting and composing robust features with denoising
/// autoencoders"): --augment noise.
class DenoisingAutoencoder : public nn::Module {
 public:
  DenoisingAutoencoder(const nn::Scope& s, const Config& c)
      : Module(s),
        encoder1(at("encoder1"), c.input[0], width_of(c, 0), halving()),
        encoder2(at("encoder2"), width_of(c, 0), width_of(c, 1), halving()),
        encoder3(at("encoder3"), width_of(c, 1), width_of(c, 2), halving()),
        decoder3(at("decoder3"), width_of(c, 2), width_of(c, 1)),
        decoder2(at("decoder2"), width_of(c, 1), width_of(c, 0)),
        decoder1(at("decoder1"), width_of(c, 0), c.outputs, true) {}

  Tensor forward(Tensor x) const override {
    const Tensor map1 = encoder1(x), map2 = encoder2(map1), map3 = encoder3(map2);
    Tensor y = nn::call(decoder3, map3, map2);
    y = nn::call(decoder2, y, map1);
    return nn::call(decoder1, y, x);
  }

 private:
  static nn::ConvOptions halving() { return {.kernel = 3, .stride = 2, .padding = 1}; }

  AutoencoderStage<nn::Conv2d> encoder1, encoder2, encoder3;
  Doubling decoder3, decoder2, decoder1;
};

}  // namespace

// Counts: worked out by hand.
std::vector<Entry> autoencoder() {
  return {{.name = "autoencoder",
           .outputs = 3,
           .choices = {width()},
           .counts = Counts{186'691, 640, 20'643'840},
           .build = build<Autoencoder>(),
           .task = "reconstruct"},
          {.name = "denoising_autoencoder",
           .outputs = 3,
           .choices = {width()},
           .counts = Counts{259'043, 640, 7'168'000},
           .build = build<DenoisingAutoencoder>(),
           .task = "reconstruct"}};
}

}  // namespace fovea::models
