#include "fovea/explain/methods.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu_time.h"
#include "error_text.h"
#include "explain/nets.h"
#include "fovea/explain/map_layer.h"
#include "fovea/explain/untrained.h"
#include "fovea/nn.h"
#include "fovea/tasks/segmentation.h"
#include "fovea/weights/fit.h"
#include "golden_fill.h"

namespace fovea::explain {
namespace {

double largest_size(const Array& array) {
  double size = 0;
  for (int64_t i = 0; i < array.numel(); ++i) size = std::max(size, std::abs(array.at(i)));
  return size;
}

Explanation explained(Explainer& explainer, const std::string& method, const Request& request) {
  for (Family family : {Family::cam, Family::saliency}) {
    for (const Method& row : methods()) {
      if (row.family == family && row.choice.name == parse_choice(method).name)
        return explain(explainer, choose_method(method, family), request);
    }
  }
  ADD_FAILURE() << method;
  return {};
}

/// The weights [classes, channels] of the last linear layer combined with its inputs' map.
std::vector<double> classic_cam(const Array& features, const Array& weight, int64_t label) {
  const int64_t channels = features.dim(1), positions = features.shape().slice(2).numel();
  std::vector<double> map(static_cast<size_t>(positions), 0);
  for (int64_t k = 0; k < channels; ++k) {
    for (int64_t p = 0; p < positions; ++p)
      map[static_cast<size_t>(p)] +=
          weight.at(label * channels + k) * features.at(k * positions + p);
  }
  for (double& v : map) v = std::max(v, 0.0);
  return map;
}

TEST(Cam, OfANetThatEndsInPoolingAndOneLayerIsTheClassicOne) {
  Filled net("keras_cnn");  // relu(conv3), global mean, fc
  const Array images = golden_fill::uniform("images", DType::f32, {3, 3, 32, 32});
  Inference inference(*net.model, net.state, {});
  const Array conv = inference.tapped(images, {"conv3"}).taps[0].second.clone();
  for (const char* method : {"gradcam", "hirescam"}) {
    const Explanation e =
        explained(net.explainer, method, {.inputs = images, .classes = {4, 4, 9}});
    EXPECT_EQ(e.layers, (std::vector<std::string>(3, "conv3+relu")));
    ASSERT_EQ(e.maps.shape(), (Shape{3, 8, 8}));
    for (int64_t i = 0; i < 3; ++i) {
      Array features = rows(conv, i, 1);
      for (float& v : features.data<float>()) v = std::max(v, 0.0f);
      const std::vector<double> cam =
          classic_cam(features, net.state.get("fc.weight"), i < 2 ? 4 : 9);
      const Array map = rows(e.maps, i, 1);
      const double high = *std::ranges::max_element(cam), got = largest_size(map);
      ASSERT_GT(high, 0);
      ASSERT_GT(got, 0);
      for (int64_t p = 0; p < 64; ++p)
        EXPECT_NEAR(map.at(p) / got, cam[static_cast<size_t>(p)] / high, 1e-5) << method << p;
    }
  }
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, MethodsGiveWhatOtherPackagesDo) {
  const std::map<std::string, Array> golden = golden_fill::file("explain");
  Filled net(GetParam());
  const std::string draw = std::to_string(golden.at(GetParam() + "/draw").data<int64_t>()[0]);
  Array noise = golden_fill::uniform("explain noise", DType::f32, {20, 3, 32, 32});
  for (float& v : noise.data<float>()) v /= 4;
  Array masks = golden_fill::uniform("explain masks", DType::f32, {20, 1, 32, 32});
  for (float& v : masks.data<float>()) v = v > 0 ? 1 : 0;
  int compared = 0;
  for (const Method& method : methods()) {
    const auto expected = golden.find(GetParam() + "/" + method.choice.name);
    if (expected == golden.end()) continue;
    ++compared;
    Request request{.inputs = golden_fill::uniform("explain " + draw, DType::f32, {1, 3, 32, 32}),
                    .classes = {3},
                    .layer = GetParam() == "small_cnn" ? "bn2" : "features.10"};
    std::string text = method.choice.name;
    if (text == "integrated-gradients") text += ":50";
    if (text == "occlusion") text += ":8:4";
    if (text == "smoothgrad") request.draws = noise;
    if (text == "rise") request.draws = masks;
    const Array got = explained(net.explainer, text, request).values;
    ASSERT_EQ(got.numel(), expected->second.numel()) << text;
    const double size = largest_size(expected->second);
    double same = 0, opposite = 0;  // eigencam's golden values have either sign, and no relu yet
    for (int64_t i = 0; i < got.numel(); ++i) {
      const double want = expected->second.at(i);
      const bool signless = text == "eigencam";
      same = std::max(same, std::abs(got.at(i) - (signless ? std::max(want, 0.0) : want)));
      opposite = std::max(opposite, signless ? std::abs(got.at(i) - std::max(-want, 0.0)) : 1e9);
    }
    EXPECT_LE(std::min(same, opposite) / size, 1e-4) << text;
  }
  EXPECT_EQ(compared, GetParam() == "small_cnn" ? 13 : 15);
}

INSTANTIATE_TEST_SUITE_P(Methods, Golden, testing::Values("simple_cnn_gap", "small_cnn"),
                         [](const auto& net) { return net.param; });

TEST(Saliency, IntegratedGradientsSumToTheDifferenceOfOutputs) {
  Filled net("simple_cnn_gap");
  const Array images = golden_fill::uniform("images", DType::f32, {3, 3, 32, 32});
  const Array outputs = net.explainer.outputs(images),
              start = net.explainer.outputs(Array::zeros(DType::f32, {1, 3, 32, 32}));
  const Explanation e = explained(net.explainer, "integrated-gradients", {.inputs = images});
  for (int64_t i = 0; i < 3; ++i) {
    double total = 0;
    for (int64_t p = 0; p < 1024; ++p) total += e.maps.at(i * 1024 + p);
    const int64_t label = e.classes[static_cast<size_t>(i)];
    const double difference = outputs.at(i * 10 + label) - start.at(label);
    EXPECT_NEAR(total, difference, 0.01 * std::abs(difference)) << i;
  }
}

TEST(Explain, ChoosesPredictedClassesAndDoesNotDependOnTheBatch) {
  Filled net("small_cnn");
  const Array images = golden_fill::uniform("images", DType::f32, {19, 3, 32, 32});
  const std::vector<int64_t> predicted = largest(net.explainer.outputs(images));
  for (const char* method : {"gradcam", "eigencam", "gradient", "smoothgrad:4", "rise:20"}) {
    const Explanation all = explained(net.explainer, method, {.inputs = images});
    EXPECT_EQ(all.classes, predicted) << method;
    const Explanation given =
        explained(net.explainer, method,
                  {.inputs = rows(images, 0, 2), .classes = {predicted[0], predicted[1]}});
    for (int64_t i = 0; i < given.maps.numel(); ++i)
      ASSERT_NEAR(given.maps.at(i), all.maps.at(i), 1e-4 * largest_size(all.maps)) << method;
  }
}

TEST(Explain, ChangesNothingInTheModel) {
  Filled net("small_cnn");
  const Array images = golden_fill::uniform("images", DType::f32, {2, 3, 32, 32});
  const Array before = net.explainer.outputs(images);
  const uint64_t version = net.state.version();
  std::map<std::string, Array> arrays;
  for (const nn::Variable* v : net.model->variables())
    arrays[v->name()] = net.state.get(v->name()).clone();
  for (const Method& method : methods()) {
    if (method.choice.name != "rise" && method.choice.name != "occlusion")
      (void)explained(net.explainer, method.choice.name, {.inputs = images});
  }
  (void)explained(net.explainer, "occlusion:16", {.inputs = images});
  (void)explained(net.explainer, "rise:4", {.inputs = images});
  EXPECT_EQ(net.state.version(), version);
  for (const auto& [name, array] : arrays)
    EXPECT_EQ(std::memcmp(array.raw(), net.state.get(name).raw(), array.bytes()), 0) << name;
  const Array after = net.explainer.outputs(images);
  EXPECT_EQ(std::memcmp(before.raw(), after.raw(), before.bytes()), 0);
}

TEST(Explain, GivesFiniteMapsWhateverTheWeightsAndShapes) {
  const auto all_finite = [](Explainer& explainer, const Request& request) {
    for (const Method& method : methods()) {
      std::string text = method.choice.name;
      if (text == "occlusion") text = "occlusion:3:3";
      if (text == "rise") text = "rise:8:2";
      if (text == "smoothgrad") text = "smoothgrad:2";
      if (text == "guided-backprop" && request.layer == "no relu") continue;
      const Explanation e = explained(explainer, text, request);
      for (int64_t i = 0; i < e.maps.numel(); ++i)
        ASSERT_TRUE(std::isfinite(e.maps.at(i))) << text << " " << i;
      const Array zero_to_one = scaled(e.maps);
      for (int64_t i = 0; i < zero_to_one.numel(); ++i)
        ASSERT_TRUE(zero_to_one.at(i) >= 0 && zero_to_one.at(i) <= 1) << text;
    }
  };
  const Array one = golden_fill::uniform("one", DType::f32, {1, 3, 8, 8});
  {
    Filled net("keras_cnn", {.outputs = 1000, .input = Shape{3, 8, 8}});
    all_finite(net.explainer, {.inputs = one});
    all_finite(net.explainer, {.inputs = one, .classes = {999}, .layer = "pool1"});
    all_finite(net.explainer, {.inputs = one, .layer = "avgpool"});  // a 1x1 map
    all_finite(net.explainer, {.inputs = Array::zeros(DType::f32, {2, 3, 8, 8})});
    for (const nn::Variable* v : net.model->parameters())  // constant activations, zero gradients
      net.state.set(v->name(), Array::zeros(DType::f32, v->shape()));
    all_finite(net.explainer, {.inputs = one});
  }
  Filled gray("keras_cnn", {.outputs = 2, .input = Shape{1, 8, 8}});
  all_finite(gray.explainer, {.inputs = golden_fill::uniform("gray", DType::f32, {1, 1, 8, 8})});
}

/// Convolutions over any number of axes, global mean, linear.
class AnyAxes : public nn::Module {
 public:
  AnyAxes(const nn::Scope& s, int axes)
      : Module(s),
        weight_(at("weight"), kernel(axes), nn::init::kaiming_normal()),
        fc_(at("fc"), 4, 3) {}
  Tensor forward(Tensor x) const override {
    x = relu(conv(x, weight_(x), {}, {.padding = 1}));
    return fc_(flatten(global_avg_pool(x)));
  }

 private:
  static Shape kernel(int axes) {
    Shape shape{4, 2};
    for (int i = 0; i < axes; ++i) shape = shape.concat({3});
    return shape;
  }
  nn::Parameter weight_;
  nn::Linear fc_;
};

TEST(Explain, WorksAlongOneAxisAndThree) {
  for (const Shape& size : {Shape{12}, Shape{5, 6, 7}}) {
    AnyAxes net(nn::Scope("net"), size.rank());
    State state;
    nn::declare(state, net, 3);
    Explainer explainer(net, state);
    const Array x = golden_fill::uniform("x", DType::f32, Shape{2, 2}.concat(size));
    for (const Method& method : methods()) {
      const std::string text = method.choice.name == "rise" ? "rise:10:3" : method.choice.name;
      const Explanation e = explained(explainer, text, {.inputs = x});
      EXPECT_EQ(e.maps.shape(), Shape{2}.concat(size)) << text;
      EXPECT_GT(largest_size(e.maps), 0) << text;
    }
  }
}

TEST(Explain, FindsTheCornerThatDecides) {
  Corner corner;
  const Array images = corner.images(40, 1000);
  const std::vector<int64_t> labels = corner.labels(40, 1000);
  ASSERT_EQ(largest(corner.explainer.outputs(images)), labels);
  std::vector<int64_t> marked;  // those of class 1 have the mark
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == 1) marked.push_back(static_cast<int64_t>(i));
  }
  for (const char* method :
       {"gradcam", "gradcam++", "hirescam", "xgradcam", "layercam", "occlusion:4:2"}) {
    double inside = 0, all = 0;
    for (int64_t i : marked) {
      const Explanation e =
          explained(corner.explainer, method, {.inputs = rows(images, i, 1), .classes = {1}});
      const int64_t side = e.maps.dim(1);
      for (int64_t p = 0; p < side * side; ++p) {
        const double mass = std::max(e.maps.at(p), 0.0);
        all += mass;
        if (p / side < side / 2 && p % side < side / 2) inside += mass;
      }
    }
    EXPECT_GT(inside, 0.6 * all) << method;
  }
}

TEST(Layers, TheLastOneBeforePoolingOrFlattenIsTheDefault) {
  const auto chosen = [](const std::string& model, const std::string& name = "") {
    const auto net = models::make(model);
    State state;
    const Explainer explainer(*net, state);
    const Explainer::Traced t = explainer.trace(1, models::entry(model).input);
    return find_layer(t.input, t.output, name);
  };
  EXPECT_EQ(chosen("resnet18").name, "layer4.1");
  EXPECT_EQ(chosen("small_cnn").name, "pool2");
  EXPECT_EQ(chosen("simple_cnn_gap").name, "features.11");
  EXPECT_EQ(chosen("efficientnet_lite0").name, "_bn1+relu6");
  EXPECT_EQ(chosen("efficientnet_lite0").value.shape(), (Shape{1, 1280, 7, 7}));
  EXPECT_EQ(chosen("densenet121").name, "features.norm5+relu");
  EXPECT_EQ(chosen("efficientnet_lite0", "_bn1+relu6").value.shape(), (Shape{1, 1280, 7, 7}));
  EXPECT_EQ(chosen("resnet18", "layer2").value.shape(), (Shape{1, 128, 28, 28}));
  expect_error(
      ErrorKind::usage,
      "unknown layer \"layer5\"\n  nearest layer1, layer2, layer3\n  layers  conv1, bn1, maxpool",
      [&] { (void)chosen("resnet18", "layer5"); });
  expect_error(ErrorKind::usage, "layer fc has no map of positions\n  result  f32[1, 1000]",
               [&] { (void)chosen("resnet18", "fc"); });
}

/// No convolution at all.
class Mlp : public nn::Module {
 public:
  explicit Mlp(const nn::Scope& s) : Module(s), fc(at("fc"), 16, 3) {}
  Tensor forward(Tensor x) const override { return fc(flatten(x)); }
  nn::Linear fc;
};

TEST(Explain, SaysWhatItCannotExplain) {
  const Mlp net(nn::Scope("mlp"));
  State state;
  nn::declare(state, net, 1);
  Explainer explainer(net, state);
  const Request request{.inputs = Array::zeros(DType::f32, {1, 1, 4, 4})};
  expect_error(ErrorKind::usage, "mlp has no layer with a map: it flattens its input at once",
               [&] { (void)explained(explainer, "gradcam", request); });
  EXPECT_EQ(explained(explainer, "gradient", request).maps.shape(), (Shape{1, 4, 4}));
  expect_error(ErrorKind::usage, "guided-backprop: mlp has no relu to guide",
               [&] { (void)explained(explainer, "guided-backprop", request); });
  expect_error(ErrorKind::usage, "explain: there is no output 3\n  outputs 3", [&] {
    (void)explained(explainer, "gradient", {.inputs = request.inputs, .classes = {3}});
  });
  expect_error(ErrorKind::usage, "explain: 2 classes for 1 input", [&] {
    (void)explained(explainer, "gradient", {.inputs = request.inputs, .classes = {1, 2}});
  });
  expect_error(ErrorKind::usage, "unknown method \"gradcan\"",
               [&] { (void)choose_method("gradcan", Family::cam); });
  expect_error(ErrorKind::usage, "unknown method \"rise\"",
               [&] { (void)choose_method("rise", Family::cam); });
}

/// A convolution that covers its input: one position is left.
class OnePosition : public nn::Module {
 public:
  explicit OnePosition(const nn::Scope& s)
      : Module(s), conv(at("conv"), 1, 4, {.kernel = 4}), fc(at("fc"), 4, 3) {}
  Tensor forward(Tensor x) const override { return fc(flatten(relu(conv(x)))); }
  nn::Conv2d conv;
  nn::Linear fc;
};

TEST(Explain, MapsOfOnePositionAreMapsToo) {
  const OnePosition net(nn::Scope("one"));
  State state;
  nn::declare(state, net, 1);
  Explainer explainer(net, state);
  const Request request{.inputs = Array::full(DType::f32, {2, 1, 4, 4}, 0.5)};
  for (const Method& row : methods()) {
    if (row.family != Family::cam) continue;
    const Explanation found = explained(explainer, row.choice.name, request);
    EXPECT_EQ(found.maps.shape(), (Shape{2, 1, 1})) << row.choice.name;
    EXPECT_EQ(found.layers[0], "conv+relu");
    for (float v : found.maps.data<float>()) EXPECT_TRUE(std::isfinite(v)) << row.choice.name;
  }
}

/// Logits of two classes for each pixel: relu of a 3x3 convolution at half the size, scaled up.
class PixelNet : public nn::Module {
 public:
  explicit PixelNet(const nn::Scope& s)
      : Module(s),
        conv(at("conv"), 1, 4, {.kernel = 3, .padding = 1}),
        classifier(at("classifier"), 4, 2, {.kernel = 1}) {}
  Tensor forward(Tensor x) const override {
    return upsample(classifier(relu(conv(max_pool2d(x, {.kernel = 2})))), 2);
  }
  nn::Conv2d conv;
  nn::Conv2d classifier;
};

TEST(Explain, OfASegmentationCanBeOfAPixel) {
  const PixelNet net(nn::Scope("pixels"));
  State state;
  nn::declare(state, net, 1);
  const tasks::Segmentation task(data::mask_targets({"a", "b"}));
  ModelFile file =
      describe_model(net, {.outputs = 2, .input = {1, 16, 16}, .module = true}, task, std::nullopt);
  file.weights = weights_of(net, state);
  Predictor predictor(std::move(file), "pixels", &net);
  Explainer explainer(predictor);
  const Array input = golden_fill::uniform("input", DType::f32, {1, 1, 16, 16});
  // The map of the pixel in row 9 and column 4 is 0 outside of what its logits see: rows 6 to 11
  // and columns 2 to 7.
  explainer.look_at(tasks::Region{.top = 9, .left = 4, .bottom = 10, .right = 5});
  const Explanation pixel = explained(explainer, "gradient", {.inputs = input, .classes = {1}});
  double inside = 0;
  for (int64_t y = 0; y < 16; ++y) {
    for (int64_t x = 0; x < 16; ++x) {
      const double value = pixel.maps.at(16 * y + x);
      if (y >= 6 && y < 12 && x >= 2 && x < 8)
        inside += value;
      else
        EXPECT_EQ(value, 0) << y << ' ' << x;
    }
  }
  EXPECT_GT(inside, 0);
  EXPECT_EQ(explained(explainer, "gradcam", {.inputs = input}).layers[0], "classifier");
  // Without a place: the mean logit of the pixels of a class.
  explainer.look_at(std::nullopt);
  EXPECT_GT(largest_size(explained(explainer, "gradient", {.inputs = input}).maps), 0);
  const Array logits = predictor.output(input).clone(), means = explainer.outputs(input);
  double sum[2] = {}, count[2] = {};
  for (int64_t p = 0; p < 256; ++p) {
    const int64_t k = logits.at(256 + p) > logits.at(p) ? 1 : 0;
    sum[k] += logits.at(256 * k + p);
    ++count[k];
  }
  for (const int k : {0, 1}) {
    if (count[k] == 0) continue;
    EXPECT_NEAR(means.at(k), sum[k] / count[k], 1e-5);
  }
  explainer.look_at(tasks::Region{.top = 15, .left = 4, .bottom = 17, .right = 5});
  expect_error(ErrorKind::usage, "explain: the net predicts nothing for this place\n  place ",
               [&] { (void)explainer.outputs(input); });
}

TEST(Explain, OfADetectionIsOfTheLevelThatTheBoxComesFrom) {
  models::Options options{.outputs = 3, .input = Shape{3, 64, 64}};
  options.choices = {{"width", 0.125}};
  const auto predictor = untrained("fcos_resnet18_fpn", options, 1);
  // Every box has sides of about two strides: 16 on the first level, 64 on the third.
  State& state = predictor->state();
  state.set("head.regression_head.bbox_reg.bias", Array::full(DType::f32, {4}, 1));
  Explainer explainer(*predictor);
  const Array input = golden_fill::uniform("input", DType::f32, {1, 3, 64, 64});
  const auto of_box = [&](int64_t side) {
    explainer.look_at(tasks::Region{.top = 4, .left = 4, .bottom = 4 + side, .right = 4 + side});
    const Explanation found = explained(explainer, "layercam", {.inputs = input, .classes = {1}});
    EXPECT_EQ(found.maps.shape(), (Shape{1, 8, 8})) << "that of the finest level";
    EXPECT_GT(largest_size(found.maps), 0);
    return found;
  };
  const Explanation small = of_box(16), large = of_box(56);
  EXPECT_EQ(small.layers, std::vector<std::string>{"backbone.fpn.0.0#2"});
  EXPECT_EQ(large.layers, std::vector<std::string>{"backbone.fpn.2.0#2"});
  // A layer that is named is used, whatever level it is of.
  const Explanation named = explained(
      explainer, "layercam", {.inputs = input, .classes = {1}, .layer = "backbone.fpn.2.0#2"});
  EXPECT_EQ(named.maps.shape(), (Shape{1, 2, 2}));

  // Without a place each sample of a batch has its own level, and the map that it has alone.
  explainer.look_at(std::nullopt);
  const Array some = golden_fill::uniform("some", DType::f32, {4, 3, 64, 64});
  const Explanation together = explained(explainer, "gradcam", {.inputs = some});
  ASSERT_EQ(together.layers.size(), 4u);
  for (int64_t i = 0; i < 4; ++i) {
    const Explanation alone = explained(explainer, "gradcam", {.inputs = rows(some, i, 1)});
    const auto at = static_cast<size_t>(i);
    EXPECT_EQ(alone.layers[0], together.layers[at]);
    EXPECT_EQ(alone.classes[0], together.classes[at]);
    for (int64_t k = 0; k < 64; ++k)
      EXPECT_NEAR(alone.maps.at(k), together.maps.at(64 * i + k),
                  1e-5 * largest_size(together.maps));
  }
}

TEST(Explain, AClassifierHasNoPlaces) {
  const Mlp net(nn::Scope("mlp"));
  State state;
  nn::declare(state, net, 1);
  const auto task = tasks::make("classify", data::class_targets({"a", "b", "c"}));
  ModelFile file =
      describe_model(net, {.outputs = 3, .input = {1, 4, 4}, .module = true}, *task, std::nullopt);
  file.weights = weights_of(net, state);
  Predictor predictor(std::move(file), "mlp", &net);
  Explainer explainer(predictor);
  explainer.look_at(tasks::Region{.top = 0, .left = 0, .bottom = 1, .right = 1});
  expect_error(ErrorKind::usage,
               "explain: predictions of the task classify are not about places\n  try   "
               "  without --pixel and --box",
               [&] {
                 (void)explainer.outputs(Array::zeros(DType::f32, {1, 1, 4, 4}));
               });
}

TEST(Explain, TakesMethodsOfYourOwn) {
  add_method({.choice = {.name = "negative", .help = "minus the input"},
              .family = Family::saliency,
              .compute = [](Explainer& e, Batch& batch, const Arguments&) {
                if (batch.classes.empty()) batch.classes = largest(e.outputs(batch.inputs));
                Array values = batch.inputs.clone();
                for (float& v : values.data<float>()) v = -v;
                return values;
              }});
  Filled net("keras_cnn", {.outputs = 2, .input = Shape{1, 8, 8}});
  const Array x = golden_fill::uniform("x", DType::f32, {2, 1, 8, 8});
  EXPECT_EQ(explained(net.explainer, "negative", {.inputs = x}).maps.at(70), -x.at(70));
}

// The class activation map needs one pass forward, and one backward through the head alone.
TEST(Methods, AGradCamCostsLittleMoreThanThePrediction) {
  const TeamScope alone(1);  // threads that wait would count
  Filled net("resnet18_cifar", {.input = Shape{3, 32, 32}});
  const Array images = golden_fill::uniform("images", DType::f32, {32, 3, 32, 32});
  const auto method = choose_method("gradcam", Family::cam);
  const auto predict = [&] {
    for (int64_t first = 0; first < 32; first += batch_size)
      (void)net.explainer.probabilities(rows(images, first, batch_size));
  };
  const auto cams = [&] { (void)explain(net.explainer, method, {.inputs = images}); };
  predict();
  cams();  // both are compiled
  double prediction = HUGE_VAL;
  for (int i = 0; i < 3; ++i) prediction = std::min(prediction, cpu_seconds(predict));
  EXPECT_TRUE(takes_less_than(2 * prediction, [&] { return cpu_seconds(cams); }));
}

}  // namespace
}  // namespace fovea::explain
