// What a user of the library adds to it from outside: a net with a choice, a data set, transforms,
// optimisers, a schedule, a task, a metric and a callback, each known by its name from then on; and
// a net of one's own trained on arrays with a loop of one's own, one of its layers tapped.
#include <fovea/core/random.h>
#include <fovea/data/augmentation.h>
#include <fovea/data/registry.h>
#include <fovea/models/registry.h>
#include <fovea/nn.h>
#include <fovea/ops.h>
#include <fovea/optim/schedule.h>
#include <fovea/optim/sgd.h>
#include <fovea/predict/predictor.h>
#include <fovea/tasks/regression.h>
#include <fovea/train/fit.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>

#include <unistd.h>

using namespace fovea;

class DotNet : public nn::Module {
 public:
  explicit DotNet(nn::Scope s, int64_t channels = 8)
      : Module(s),
        conv(at("conv"), 1, channels, {.kernel = 3, .padding = 1}),
        fc(at("fc"), channels * 4 * 4, 2) {}

  Tensor forward(Tensor x) const override {
    return fc(flatten(max_pool2d(relu(conv(x)), {.kernel = 2})));
  }

  nn::Conv2d conv;
  nn::Linear fc;
};

/// Images 8x8 of one bright dot; the target is its row and column, from 0 to 1.
class Dots : public data::Dataset {
 public:
  explicit Dots(uint64_t seed) : seed_(seed) {}
  int64_t size() const override { return 512; }
  std::optional<Type> input() const override { return Type{DType::u8, {8, 8, 1}}; }
  const data::Targets& targets() const override { return targets_; }
  data::Sample sample(int64_t i) const override {
    Random random(seed_, "dots", static_cast<uint64_t>(i));
    const auto row = static_cast<int64_t>(random.below(8)),
               column = static_cast<int64_t>(random.below(8));
    data::Sample sample{Array::zeros(DType::u8, {8, 8, 1}), Array(DType::f32, {2})};
    sample.input.set(row * 8 + column, 255);
    sample.target.set(0, static_cast<double>(row) / 7);
    sample.target.set(1, static_cast<double>(column) / 7);
    return sample;
  }

 private:
  uint64_t seed_;
  data::Targets targets_{.type = {DType::f32, {2}}, .names = {"row", "column"}};
};

/// Turns an image upside down with probability `p`, and its target with it.
class Upend : public data::Transform {
 public:
  explicit Upend(double p) : p_(p) {}
  std::string text() const override { return "upend:" + std::to_string(p_); }
  void operator()(data::Sample& sample, data::TransformContext& context) const override {
    if (context.random.uniform() >= p_) return;
    const Array before = sample.input.clone();
    for (int64_t i = 0; i < 64; ++i) sample.input.set(i, before.at((7 - i / 8) * 8 + i % 8));
    sample.target.set(0, 1 - sample.target.at(0));
  }

 private:
  double p_;
};

/// Dims the images of a batch by a factor drawn for each batch.
class Dim : public data::BatchTransform {
 public:
  std::string text() const override { return "dim"; }
  std::vector<Array> draw(const Shape&, Random& random) const override {
    return {Array::full(DType::f32, {}, 0.5 + 0.5 * random.uniform())};
  }
  data::BatchTensors trace(const data::BatchTensors& batch, const data::Targets&,
                           const Tensors& random) const override {
    return {random[0] * batch.inputs, batch.targets};
  }
};

/// Numbers again, but with the absolute error as the loss.
class Absolute : public tasks::Regression {
 public:
  using Regression::Regression;
  std::string_view name() const override { return "absolute"; }
  Tensor loss(const Tensor& output, const Tensor& target,
              const tasks::LossOptions&) const override {
    return smooth_l1_loss(output, target, 0.01);
  }
};

/// The share of samples whose numbers are all within a tenth.
tasks::Metric within(const data::Targets&) {
  return {.name = "within", .sum = [](const Tensor& y, const Tensor& t) {
            const Tensor d = cast(y, DType::f64) - cast(t, DType::f64);
            // Far above 1 outside of the tenth, far below inside; relu6 / 6 makes it 1 or 0.
            const Tensor outside = relu6((max(d * d, {1}) - 0.01) * 1e6) / 6;
            return sum(1.0 - outside);
          }};
}

/// Moves against the sign of each gradient (signSGD, Bernstein et al. 2018).
class SignSgd : public optim::Optimizer {
 public:
  void step(optim::ParameterStep& p) const override {
    p.parameter = p.parameter - p.lr * sign(p.gradient);
  }
};

/// Lion (Chen et al. 2023).
class Lion : public optim::Optimizer {
 public:
  Lion(double beta1, double beta2, const optim::WeightDecay& decay)
      : Optimizer(decay), beta1_(beta1), beta2_(beta2) {}

  std::vector<optim::Moment> moments(const Type& parameter) const override {
    return {{"momentum", parameter}};
  }

  void step(optim::ParameterStep& p) const override {
    Tensor& m = p["momentum"];
    const Tensor direction = sign(beta1_ * m + (1 - beta1_) * p.gradient);
    p.parameter = p.parameter - p.lr * (direction + p.weight_decay * p.parameter);
    m = beta2_ * m + (1 - beta2_) * p.gradient;
  }

 private:
  double beta1_, beta2_;
};

/// Halves the rate once, adds a number to the history, and ends the run when it is good enough.
class Leader : public train::Callback {
 public:
  void on_batch(train::Trainer& trainer) override {
    ++batches_;
    (void)trainer;
  }
  void on_epoch(train::Trainer& trainer, train::EpochRecord& record, bool) override {
    if (record.epoch == 2) trainer.scale_lr(0.5);
    trainer.add("batches", batches_);
    if (tasks::find(record.numbers, "val_r2").value_or(0) > 0.9) trainer.finish();
  }

 private:
  double batches_ = 0;
};

/// What a layer computes, beside the output: the convolution itself, whose smallest value is below
/// 0 since the relu comes after it.
bool taps(Inference& inference, const Array& images) {
  const Inference::Tapped tapped = inference.tapped(images, {"conv"});
  const auto& [name, features] = tapped.taps.at(0);
  double smallest = 0;
  for (int64_t i = 0; i < features.numel(); ++i) smallest = std::min(smallest, features.at(i));
  std::printf("%s: %s, from %.4f\n", name.c_str(), to_string(features.shape()).c_str(), smallest);
  return name == "conv" && features.shape() == Shape{images.dim(0), 8, 8, 8} && smallest < 0;
}

/// A loop of one's own: is a dot in the left or the right half?
bool own_loop() {
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
  const Array logits = inference.output(images);
  int64_t right = 0;
  for (int64_t i = 0; i < n; ++i)
    right += (logits.at(2 * i) < logits.at(2 * i + 1)) == (labels.at(i) == 1);
  std::printf("loss %.4f, %lld of %lld right\n", loss, static_cast<long long>(right),
              static_cast<long long>(n));
  return right == n && taps(inference, images);
}

/// All that was added, in a run of the library's trainer.
bool whole_run(const std::filesystem::path& folder) {
  models::add({.name = "dot_net",
               .outputs = 2,
               .input = {1, 8, 8},
               .choices = {{.name = "channels",
                            .type = ArgumentType::integer,
                            .default_value = int64_t{8},
                            .minimum = 1,
                            .maximum = 1024,
                            .help = "channels of the convolution"}},
               .build = [](const nn::Scope& s, const models::Config& c) {
                 return std::make_unique<DotNet>(s, c.choices.integer("channels"));
               }});
  data::add({.name = "dots", .read = [](const std::filesystem::path&) {
               return data::DataSets{"dots", std::make_shared<Dots>(1), std::make_shared<Dots>(2)};
             }});
  data::add_transform({.choice = {.name = "upend",
                                  .arguments = {{.name = "p", .default_value = 0.5, .maximum = 1}},
                                  .help = "turns upside down with probability p"},
                       .make = [](const Arguments& a) -> data::AnyTransform {
                         return std::make_shared<Upend>(a.number("p"));
                       }});
  data::add_transform(
      {.choice = {.name = "dim", .help = "dims the images of a batch"},
       .make = [](const Arguments&) -> data::AnyTransform { return std::make_shared<Dim>(); }});
  optim::add_schedule({.choice = {.name = "ramp", .arguments = {{.name = "final", .maximum = 1}}},
                       .factor = [](const Arguments& a, const optim::ScheduleTime& time) {
                         const double done =
                             (time.epoch - time.warmup) / (time.epochs - time.warmup);
                         return 1 + done * (a.number("final") - 1);
                       }});
  tasks::add({.name = "absolute",
              .help = "numbers, by their absolute error",
              .fits = [](const data::Targets& t) { return t.type.dtype == DType::f32; },
              .make = [](const data::Targets& t,
                         const Arguments&) { return std::make_unique<Absolute>(t); }});
  tasks::add_metric("absolute", within);

  train::Settings settings;
  settings.data = "dots";
  settings.task = "absolute";
  settings.model = "dot_net";
  settings.augment = "upend:0.5,dim";
  settings.schedule = "ramp:0.1";
  settings.monitor = "within";
  settings.epochs = 60;
  settings.batch = 32;
  settings.lr = 0.05;
  settings.choices = {{"channels", int64_t{12}}};
  Leader leader;
  const train::Result result = train::train(settings, folder / "run", {&leader});
  const double r2 = tasks::find(result.test, "r2").value_or(-1);
  std::printf("%lld epochs, r2 %.4f, best by %s %.4f\n", static_cast<long long>(result.epochs), r2,
              result.best_metric.c_str(), result.best_value.value_or(-1));
  if (r2 < 0.7 || !tasks::find(result.history.back().numbers, "batches")) return false;

  // A model file: one call to write it, one to use it.
  Predictor trained(folder / "run/best.safetensors");
  if (trained.file().arguments.at("channels") != "12") return false;
  if (train::from_toml(folder / "run/config.toml").choices.integer("channels") != 12) return false;
  const auto task = tasks::make("absolute", trained.task().targets());
  save_model(folder / "copy.safetensors", trained.model(),
             models::configure("dot_net", {.choices = settings.choices}), trained.state(), *task,
             trained.file().preprocessing);
  Predictor copy(folder / "copy.safetensors");
  const data::Sample sample = Dots(3).sample(0);
  const Array one = sample.input.reshaped({1, 8, 8, 1});
  std::printf("%s", copy.predict(one)[0]->text().c_str());
  return copy.predict(one)[0]->json() == trained.predict(one)[0]->json();
}

/// A trained model measured on data, and used on images in memory.
bool evaluate_and_predict(const std::filesystem::path& file) {
  Predictor model(file);
  const tasks::Measures measured = model.evaluation().measure(std::make_shared<Dots>(2));
  for (const auto& [name, value] : measured.numbers())
    std::printf("%s %.4f\n", name.c_str(), value);

  Image image = Image::black(8, 8, 1);
  image.pixels[2 * 8 + 5] = 255;  // row 2, column 5
  std::printf("%s", model.predict(image)->text().c_str());
  return measured.count() == 512 && tasks::find(measured.numbers(), "within").has_value();
}

/// A run in three lines: a net is trained, measured and used. Then it is saved, and read again.
bool three_lines(const std::filesystem::path& folder) {
  const data::DataSets dots{"dots", std::make_shared<Dots>(1), std::make_shared<Dots>(2)};
  const DotNet net(nn::Scope("my_net"));
  const History history =
      fit(net, dots, {.epochs = 20, .batch = 32, .lr = 0.05, .augment = "none"});
  const tasks::Numbers numbers = history.model->evaluate(dots.test);
  const auto predictions = history.model->predict(std::vector<Image>(3, Image::black(8, 8, 1)));
  std::printf("%s%s", history.csv().c_str(), predictions[2]->text().c_str());

  history.model->save(folder / "my_net.safetensors");
  Predictor again(folder / "my_net.safetensors", net);
  if (again.evaluate(dots.test) != numbers) return false;
  return history.history.size() == 20 && tasks::find(numbers, "r2").value_or(-1) > 0.7;
}

/// Trains a net on dots with this optimiser and gives the last loss by the first.
double trained_with(optim::Optimizer& optimizer) {
  const DotNet net(nn::Scope("dot_net"));
  State state;
  nn::declare(state, net, 1);
  optimizer.declare(state);
  train::TrainStep step(net, state,
                        {.normalization = {{0}, {1}},
                         .loss = [](const Tensor& y, const Tensor& t) { return mse_loss(y, t); }});
  data::Loader loader(std::make_shared<Dots>(1), {.batch = 64});
  double first = 0, last = 0;
  int64_t i = 0;
  for (int64_t epoch = 0; epoch < 5; ++epoch) {
    loader.start(epoch);
    while (const auto batch = loader.next()) {
      last = step.gradient(batch->inputs, batch->targets, ++i).loss;
      if (i == 1) first = last;
      optimizer.update(state, {.lr = 0.001});
    }
  }
  std::printf("loss %.4f to %.4f\n", first, last);
  return last / first;
}

/// Optimisers of one's own: in a loop of one's own, and by name.
bool own_optimizers() {
  optim::add({.choice = {.name = "lion",
                         .arguments = {{.name = "beta1", .default_value = 0.9, .maximum = 1},
                                       {.name = "beta2", .default_value = 0.99, .maximum = 1}},
                         .help = "the sign of a momentum"},
              .make = [](const Arguments& a, const optim::WeightDecay& decay) {
                return std::make_unique<Lion>(a.number("beta1"), a.number("beta2"), decay);
              }});
  SignSgd sign_sgd;
  const auto lion = optim::parse("lion:beta2=0.95", "0.01");
  return trained_with(sign_sgd) < 0.5 && trained_with(*lion) < 0.5;
}

int main() {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("fovea-consumer-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const bool good = own_loop() && whole_run(folder) &&
                    evaluate_and_predict(folder / "run/best.safetensors") && three_lines(folder) &&
                    own_optimizers();
  std::filesystem::remove_all(folder);
  return good ? 0 : 1;
}
