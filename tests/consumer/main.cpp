// A net of one's own, trained on arrays with a loop of one's own: is a dot in the left or the right
// half of the image?
#include <fovea/core/random.h>
#include <fovea/nn.h>
#include <fovea/ops.h>
#include <fovea/optim/optimizer.h>
#include <fovea/predict/inference.h>
#include <fovea/train/step.h>

#include <cstdint>
#include <cstdio>

using namespace fovea;

class DotNet : public nn::Module {
 public:
  explicit DotNet(nn::Scope s)
      : Module(s),
        conv(at("conv"), 1, 8, {.kernel = 3, .padding = 1}),
        fc(at("fc"), 8 * 4 * 4, 2) {}

  Tensor forward(Tensor x) const override {
    return fc(flatten(max_pool2d(relu(conv(x)), {.kernel = 2})));
  }

  nn::Conv2d conv;
  nn::Linear fc;
};

int main() {
  constexpr int64_t n = 64, side = 8;
  Array images = Array::zeros(DType::f32, {n, 1, side, side});
  Array labels = Array::zeros(DType::i64, {n});
  Random random(7, "dots");
  for (int64_t i = 0; i < n; ++i) {
    const auto row = static_cast<int64_t>(random.below(side)),
               column = static_cast<int64_t>(random.below(side));
    images.set((i * side + row) * side + column, 1);
    labels.set(i, column < side / 2 ? 0 : 1);
  }

  const DotNet net(nn::Scope("dot_net"));
  State state;
  nn::declare(state, net, 1);
  train::TrainStep step(net, state, {});
  const auto optimizer = optim::sgd({.momentum = 0.9});
  optimizer->declare(state);
  double loss = 0;
  for (int64_t i = 1; i <= 200; ++i) {
    loss = step.gradient(images, labels, i).loss;
    optimizer->update(state, {.lr = 0.1});
  }

  Inference inference(net, state, {});
  const Array logits = inference.logits(images);
  int64_t right = 0;
  for (int64_t i = 0; i < n; ++i)
    right += (logits.at(2 * i) < logits.at(2 * i + 1)) == (labels.at(i) == 1);
  std::printf("loss %.4f, %lld of %lld right\n", loss, static_cast<long long>(right),
              static_cast<long long>(n));
  return right == n ? 0 : 1;
}
