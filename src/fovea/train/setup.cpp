#include "fovea/train/setup.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/core/process.h"
#include "fovea/core/text.h"
#include "fovea/data/prepared.h"
#include "fovea/data/registry.h"
#include "fovea/kernels/tuning_session.h"
#include "fovea/nn/trace.h"
#include "fovea/tasks/class_weights.h"
#include "fovea/train/run_folder.h"
#include "fovea/weights/arguments.h"
#include "fovea/weights/fit.h"

namespace fovea::train {
namespace {

/// Checks the settings themselves. Errors: usage for one that has no effect without another, or two
/// that contradict each other.
const Settings& consistent(const Settings& s) {
  const auto needs = [](bool given, const std::string& flag, bool there, const std::string& other) {
    if (given && !there)
      throw Error(ErrorKind::usage, fmt::format("{} has no effect without {}", flag, other));
  };
  needs(s.min_change > 0, "--min-change", s.patience > 0, "--patience");
  needs(s.keep > 0, "--keep", SaveEvery(s.save_every).epochs > 0, "--save-every N in epochs");
  needs(s.unfreeze_after > 0, "--unfreeze-after", !s.freeze.empty(), "--freeze");
  needs(s.backbone_lr > 0, "--backbone-lr", s.unfreeze_after > 0, "--unfreeze-after");
  needs(s.backbone_lr > 0, "--backbone-lr", s.lr > 0, "an --lr above 0, whose schedule it shares");
  check_tuning(s.tune, s.deterministic);
  (void)parse_precision(s.precision);
  const auto one_of = [](const std::string& flag, const std::string& text,
                         const std::vector<std::string>& words) {
    if (std::ranges::find(words, text) != words.end()) return;
    throw Error(ErrorKind::usage, fmt::format("{}: unknown value \"{}\"", flag, printable(text)))
        .with("known", join(words));
  };
  one_of("--on-bad-image", s.on_bad_image, {"fail", "skip"});
  one_of("--tensorboard", s.tensorboard, {"off", "scalars", "histograms"});
  return s;
}

data::DataSets open_data(const Settings& settings, std::string_view index) {
  return data::open(consistent(settings).data, index);
}

/// For images of different sizes: the size that the net was made for, in colour.
Shape default_input(const Settings& settings, const nn::Module* net) {
  if (net != nullptr) {
    throw Error(ErrorKind::usage,
                fmt::format("the images differ in size, and {} does not say which "
                            "size it takes",
                            net->name()))
        .with("try", "Settings::input, such as \"64x64\"");
  }
  const Shape own = models::configure(settings.model, {.net = settings.net}).input;
  if (own.rank() == 3) return {3, own[1], own[2]};
  throw Error(ErrorKind::usage, fmt::format("{} does not take images", settings.model))
      .with("input", to_string(own));
}

/// The shape of one sample as the net sees it: from --input, or that of the data; if images differ
/// in size, the one that the net was made for. Images are resized to it; other inputs must have
/// that shape.
Shape input_of(const Settings& settings, const data::Dataset& samples, const nn::Module* net) {
  const std::optional<Type> type = samples.input(), typical = samples.typical_input();
  if (settings.input.empty())
    return typical ? data::net_shape(*typical) : default_input(settings, net);
  const Argument size{
      .name = "input", .type = ArgumentType::integer, .minimum = 1, .maximum = 16384};
  std::vector<int64_t> sizes;
  for (const std::string& part : split(settings.input, 'x')) {
    const ArgumentValue value = size.read(part);
    sizes.push_back(std::holds_alternative<int64_t>(value) ? std::get<int64_t>(value) : 0);
  }
  if (type && !data::is_image(*type)) {
    const Shape own = data::net_shape(*type);
    if (std::ranges::equal(sizes, own)) return own;
    throw Error(
        ErrorKind::usage,
        fmt::format("--input: \"{}\" is not the shape of the data set's inputs", settings.input))
        .with("inputs", to_string(*type))
        .with("try", "no --input: only images can be resized");
  }
  const int64_t channels = typical ? data::net_shape(*typical)[0] : 3;
  if (sizes.size() == 2) sizes.insert(sizes.begin(), channels);
  const bool possible = sizes.size() == 3 && std::ranges::count(sizes, 0) == 0;
  if (possible && (sizes[0] == 1 || sizes[0] == 3)) return Shape(sizes);
  throw Error(ErrorKind::usage, fmt::format("--input: \"{}\" is not a size", settings.input))
      .with("expected", "HxW, or CxHxW with 1 or 3 channels, such as 224x224");
}

data::Augmentation augmentation_of(const Settings& settings, const data::Dataset& samples) {
  data::Augmentation augmentation =
      data::Augmentation::parse(settings.augment, data::Augmentation::standard(samples));
  if (settings.mix.empty()) return augmentation;
  if (!augmentation.batch.empty()) {
    throw Error(ErrorKind::usage, "--mix and --augment both mix batches")
        .with("--mix", settings.mix)
        .with("--augment", settings.augment)
        .with("try", "one of them");
  }
  augmentation.batch.push_back(data::parse_mixing(settings.mix));
  return augmentation;
}

/// Takes 1 for the std of channels that have none.
void require_spread(std::vector<double>& std, std::string_view what,
                    std::vector<std::string>& notes) {
  for (size_t c = 0; c < std.size(); ++c) {
    if (std[c] >= minimum_std) continue;
    std[c] = 1;
    notes.push_back(fmt::format(
        "channel {} of the {} has the same value everywhere: its std is taken as 1", c, what));
  }
}

/// How the data's images become the net's inputs: resized if sizes differ, normalised as for the
/// initial weights or by the data's own statistics, or left from 0 to 1 if the net learns to give
/// them back. None for numbers.
std::optional<Preprocessing> preprocessing_of(const Settings& settings, const Shape& input,
                                              const data::Dataset& samples, bool learns_inputs,
                                              const std::optional<Preprocessing>& learned,
                                              std::vector<std::string>& notes) {
  const std::optional<Type> type = samples.input();
  if (type && !data::is_image(*type)) return std::nullopt;
  constexpr int64_t images_measured = 2000;  // of images that have to be decoded
  Preprocessing p{.height = static_cast<int>(input[1]),
                  .width = static_cast<int>(input[2]),
                  .channels = static_cast<int>(input[0]),
                  .resize = {},
                  .filter = Filter::bilinear,
                  .mean = std::vector<double>(static_cast<size_t>(input[0]), 0),
                  .std = std::vector<double>(static_cast<size_t>(input[0]), 1)};
  // Photos keep their aspect ratio: as much is cropped as in torchvision's 224 of 256 pixels.
  // With targets that lie in the image all of it is wanted, and boxes keep their shape.
  if (!samples.typical_input()) {
    if (!data::lies_in_image(samples.targets().type))
      p.resize = std::max(p.height, p.width) * 8 / 7;
    if (data::is_boxes(samples.targets().type)) p.letterbox = letterbox_gray;
  }
  for (const auto& step : augmentation_of(settings, samples).before) step->prepare_likewise(p);
  if (learns_inputs) return p;
  if (learned && learned->channels == p.channels) {
    p.filter = learned->filter;
    p.mean = learned->mean;
    p.std = learned->std;
    return p;
  }
  const std::shared_ptr<const data::Dataset> same(&samples, [](const auto*) {});
  const bool as_they_are = type && data::net_shape(*type)[0] == p.channels;
  const data::ChannelStats stats = data::channel_stats(
      as_they_are ? samples : *data::prepared(same, p), type ? 0 : images_measured);
  p.mean = stats.mean;
  p.std = stats.std;
  require_spread(p.std, "images", notes);
  return p;
}

/// By which numbers inputs of a modality are normalised: those of the training data, or for pixels
/// that the net learns to give back 0 and 1.
data::ChannelStats statistics_of(const data::Dataset& samples, bool learns_inputs,
                                 std::vector<std::string>& notes) {
  const std::shared_ptr<const data::Modality> modality = samples.modality();
  if (!modality || !modality->normalizes()) return {};
  if (const Type input = modality->input(); learns_inputs && is_pixel(input.dtype)) {
    const auto channels = static_cast<size_t>(data::net_shape(input)[0]);
    return {.mean = std::vector<double>(channels, 0), .std = std::vector<double>(channels, 1)};
  }
  constexpr int64_t inputs_measured = 2000;
  data::ChannelStats stats = data::channel_stats(samples, inputs_measured);
  require_spread(stats.std, "inputs", notes);
  return stats;
}

/// The bytes that --cache allows. Errors: usage.
size_t cache_limit(const std::string& text) {
  if (text == "auto") return memory_limits().available / 4;
  if (const std::optional<size_t> bytes = parse_bytes(text)) return *bytes;
  throw Error(ErrorKind::usage,
              fmt::format("--cache: \"{}\" is not an amount of memory", printable(text)))
      .with("expected", "auto, 0, or a number and K, M, G or T, such as 1G or 500M");
}

/// The first `limit` samples in an order drawn by the seed; 0: all.
std::shared_ptr<const data::Dataset> limited(std::shared_ptr<const data::Dataset> all,
                                             const Settings& settings) {
  if (settings.limit == 0 || settings.limit >= all->size()) return all;
  std::vector<int64_t> order =
      data::permutation(all->size(), static_cast<uint64_t>(settings.seed), "limit");
  order.resize(static_cast<size_t>(settings.limit));
  std::ranges::sort(order);
  return std::make_shared<data::Subset>(std::move(all), std::move(order));
}

/// The training and validation data: the data set's own validation data take precedence over --val.
data::ValidationSplit divided(const Settings& settings, const data::DataSets& sets) {
  std::shared_ptr<const data::Dataset> train = limited(sets.train, settings);
  if (sets.val) return {std::move(train), sets.val};
  return data::split_validation(std::move(train), settings.val,
                                static_cast<uint64_t>(settings.seed));
}

/// The task. Errors: data when a split has targets that it cannot learn.
std::unique_ptr<tasks::Task> task_of(const Settings& settings, const data::DataSets& sets) {
  std::unique_ptr<tasks::Task> task = tasks::make(settings.task, sets.targets());
  for (const auto& split : {sets.train, sets.val, sets.test}) {
    if (split) task->check(*split);
  }
  return task;
}

/// The model's configuration. Errors: usage when the axes of its inputs differ from those of the
/// data.
models::Config configured(const Settings& settings, int64_t outputs, const Shape& input,
                          const data::Modality* modality, std::vector<std::string>& notes) {
  models::Options options = model_options(settings, outputs, input);
  models::Config config = models::configure(settings.model, options);
  if (modality != nullptr && modality->masks() && !options.choices.contains("masked")) {
    if (config.choices.contains("masked")) {
      options.choices.set("masked", true);
      config = models::configure(settings.model, options);
    } else {
      notes.push_back(fmt::format(
          "the series are padded, and {} does not leave padding out: it gets the mask as a channel",
          settings.model));
    }
  }
  if (config.input == input) return config;
  throw Error(ErrorKind::usage,
              fmt::format("{} takes inputs of {} axes, but those of the data set have {}",
                          settings.model, config.input.rank(), input.rank()))
      .with("model", to_string(config.input, image_axes(config.input.rank() + 1).substr(1)))
      .with("data", to_string(input));
}

/// As many numbers as the task needs or, if it learns the inputs, as many channels as these have.
int64_t outputs_for(const tasks::Task& task, const Shape& input) {
  return task.learns_inputs() ? input[0] : task.outputs();
}

/// The configuration of the caller's net. Errors: usage when it has no choices to make, or does not
/// give `outputs` numbers for an input.
models::Config configuration_of(const nn::Module& net, const Settings& settings,
                                const tasks::Task& task, const Shape& input) {
  if (!settings.choices.values().empty()) {
    throw Error(
        ErrorKind::usage,
        fmt::format("{} is a module: its choices are made when it is constructed", net.name()))
        .with("given", settings.choices.values().begin()->first);
  }
  const Shape one = Shape{1}.concat(input);
  const Tensor output = nn::trace(net, one)->output("output");
  if (task.takes(output))
    return {.outputs = outputs_for(task, input), .input = input, .module = true};
  throw Error(ErrorKind::usage,
              fmt::format("{} gives {} for one sample, but the task needs {} numbers", net.name(),
                          to_string(output.shape()), task.outputs()))
      .with("input", to_string(one))
      .with("try", fmt::format("a last layer of {} outputs", task.outputs()));
}

InitialWeights initial_weights(const Settings& settings, const Shape& input) {
  if (settings.weights.empty()) return {};
  return read_initial_weights(settings.weights, settings.model, input);
}

/// ImageNet's weights expect RGB, MNIST's images are gray, and `--input` can convert them.
void check_channels(const Setup& setup) {
  const Shape& input = setup.config.input;
  if (input.rank() != 3 || !setup.preprocessing) return;
  const std::optional<int64_t> wanted = image_channels(*setup.model, input[0], setup.start.weights);
  if (!wanted || *wanted == input[0]) return;
  Error error(ErrorKind::usage,
              fmt::format("{}: the weights are for images of {}, but the net's input has {}",
                          setup.settings.weights, counted(*wanted, "channel"), input[0]));
  const std::string size = std::to_string(input[1]) + "x" + std::to_string(input[2]);
  if (*wanted == 3) error.with("try", fmt::format("--input 3x{}: each gray image as RGB", size));
  if (*wanted == 1) error.with("try", fmt::format("--input 1x{}: each colour image as gray", size));
  throw error;
}

data::DataSets readable(const Settings& settings, data::DataSets sets,
                        std::vector<data::BadSample>& skipped) {
  if (settings.on_bad_image != "skip") return sets;
  return without_bad_images(std::move(sets), skipped);
}

}  // namespace

data::DataSets without_bad_images(data::DataSets sets, std::vector<data::BadSample>& skipped) {
  const bool same = sets.val == sets.test;
  for (std::shared_ptr<const data::Dataset>* part : {&sets.train, &sets.val, &sets.test}) {
    if (*part == nullptr || !data::reads_files(**part) || (same && part == &sets.test)) continue;
    const std::vector<data::BadSample> bad = data::find_bad(**part);
    *part = data::without(*part, bad);
    if ((*part)->size() == 0) {
      throw Error(ErrorKind::data, fmt::format("data set {}: none of its {} {} can be read",
                                               sets.name, bad.size(), data::noun_of(**part, 2)))
          .with("first", bad[0].message);
    }
    skipped.insert(skipped.end(), bad.begin(), bad.end());
  }
  if (same) sets.test = sets.val;
  return sets;
}

std::shared_ptr<const data::Dataset> validation_of(const ModelFile& model,
                                                   const data::DataSets& sets) {
  if (sets.val) return sets.val;
  const auto fail = [](const std::string& what) {
    return Error(ErrorKind::usage, what).with("try", "--split test or --split train");
  };
  const auto trained = [&](const std::string& key) -> std::optional<std::string> {
    const auto found = model.training.find(key);
    return found == model.training.end() ? std::nullopt : std::optional(found->second);
  };
  Settings settings;
  for (const Setting& setting : settings_table()) {
    if (setting.name != "val" && setting.name != "seed" && setting.name != "limit") continue;
    const std::optional<std::string> text = trained("setting." + std::string(setting.name));
    if (!text) throw fail("the model file does not say which samples validated its training");
    try {
      setting.set(settings, *text);
    } catch (const Error& error) {
      throw Error(ErrorKind::model, fmt::format("model file: {}", error.headline()));
    }
  }
  if (settings.val == 0) throw fail("the model was trained without validation data: --val 0");
  const std::string fingerprint = data::fingerprint(*sets.train);
  if (trained("data.fingerprint") != fingerprint) {
    throw fail("the validation data were held out of different training data")
        .with("model", trained("data.fingerprint").value_or("does not say"))
        .with("data", fingerprint);
  }
  return divided(settings, sets).val;
}

Setup::Setup(const Settings& given, std::string_view index)
    : Setup(given, open_data(given, index), {}) {}

Setup::Setup(const Settings& given, data::DataSets data, const std::optional<Preprocessing>& known,
             const nn::Module* net)
    : settings(net != nullptr ? consistent(given) : with_net(consistent(given))),
      sets(readable(settings, tasks::sets_for(settings.task, std::move(data)), skipped)),
      task(task_of(settings, sets)),
      metrics(tasks::metrics(*task)),
      monitored(tasks::monitored(metrics, settings.monitor)),
      input(input_of(settings, *sets.train, net)),
      start(initial_weights(settings, input)),
      preprocessing(preprocessing_of(settings, input, *sets.train, task->learns_inputs(),
                                     start.preprocessing ? start.preprocessing : known, notes)),
      modality(sets.train->modality()),
      statistics(statistics_of(*sets.train, task->learns_inputs(), notes)),
      split(divided(settings, sets)),
      class_weights(tasks::class_weights(settings.class_weights, *task, *split.train)),
      optimizer(optim::parse(settings.optimizer, settings.weight_decay)),
      config(net != nullptr
                 ? configuration_of(*net, settings, *task, input)
                 : configured(settings, outputs_for(*task, input), input, modality.get(), notes)),
      model(models::given_or_made(net, settings.model, from_arguments(to_arguments(config)))),
      head(net != nullptr ? models::ArrayNames() : models::head(settings.model, config)),
      groups(settings, *model, head) {
  if (sets.index && !sets.index->note().empty()) notes.push_back(sets.index->note());
  groups.add_to(*optimizer);
  check_channels(*this);
  check_batches();
  check_views();
  check_monitoring();
  keep_images();
}

/// Errors: usage when the views of the test are not a choice of views, or do not suit the net.
void Setup::check_views() const {
  if (settings.tta.empty()) return;
  const auto graph = Graph::make(Mode::eval);
  const Shape one = Shape{1}.concat(input);
  (void)apply(*model, graph->input("inputs", {DType::f32, one}), {},
              TestViews::parse(settings.tta));
}

/// Errors: usage for what follows the monitored metric where nothing is validated.
void Setup::check_monitoring() const {
  if (split.val->size() > 0) return;
  const auto fail = [](const std::string& flag) {
    throw Error(ErrorKind::usage, fmt::format("{} has no effect without validation data", flag))
        .with("try", "a --val above 0");
  };
  if (settings.patience > 0) fail("--patience");
  if (optim::find_schedule(settings.schedule).scored) fail("--schedule " + settings.schedule);
}

/// Keeps images that have to be decoded in memory: resized, unless training changes them before.
void Setup::keep_images() {
  const auto limit = static_cast<int64_t>(cache_limit(settings.cache));
  if (!data::reads_files(*split.train) || limit == 0) return;
  const data::LoaderOptions options = loader_options();
  cache = std::make_shared<data::CacheLimit>(limit);
  const auto keep = [&](std::shared_ptr<const data::Dataset>& part, bool resized) {
    const MinimumSize size = resized ? MinimumSize{} : data::minimum_of(options);
    part = std::make_shared<data::Cached>(resized ? prepared(part) : part, cache, size);
  };
  const int64_t images = split.train->size() + split.val->size();
  const bool resized = options.augment.before.empty();
  cache_bytes = resized
                    ? std::min(limit, images * static_cast<int64_t>(inputs(1).bytes() +
                                                                    evaluation_targets(1).bytes()))
                    : limit;
  const bool varies = std::ranges::any_of(
      options.augment.after, [](const auto& step) { return data::chooses_stretch(*step); });
  if (!varies) keep(split.train, resized);
  if (split.val->size() > 0) keep(split.val, true);
}

/// Errors: usage when an epoch has no batch, or one that the net cannot be trained on.
void Setup::check_batches() const {
  const int64_t size = split.train->size(), batch = std::min(settings.batch, size);
  const std::string sizes =
      std::to_string(size) + " to train on, --batch " + std::to_string(settings.batch);
  const auto noun = [&](int64_t count) { return data::noun_of(*split.train, count); };
  if (settings.drop_last && settings.batch > size) {
    throw Error(ErrorKind::usage, "--drop-last leaves an epoch without batches")
        .with(noun(2), sizes)
        .with("try", fmt::format("--batch {} or less", size));
  }
  if (const std::optional<Error> error = refusal(batch)) throw *error;
  const int64_t last = settings.drop_last ? 0 : size % batch;
  if (last == 0) return;
  const std::optional<Error> error = refusal(last);
  if (!error) return;
  int64_t other = batch - 1;  // the next smaller batch size without such a remainder
  while (other > last && size % other > 0 && size % other <= last) --other;
  throw Error(ErrorKind::usage,
              fmt::format("the last batch of an epoch has {} {}, too few to train this net", last,
                          noun(last)))
      .with(noun(2), sizes)
      .with("because", error->headline())
      .with("try", fmt::format("--drop-last, which leaves that batch out{}",
                               (other > last ? ", or --batch " + std::to_string(other) : "")));
}

int64_t Setup::epoch_samples() const {
  const int64_t size = split.train->size();
  return settings.drop_last ? size - size % settings.batch : size;
}

std::optional<Error> Setup::refusal(int64_t n) const {
  State state;
  nn::declare(state, *model, static_cast<uint64_t>(settings.seed));
  try {
    for (size_t phase = 0; phase <= groups.changes().size(); ++phase)
      (void)TrainStep(*model, state, step_options(phase)).trace(inputs(n), targets(n));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) throw;
    return error;
  }
  return std::nullopt;
}

StepOptions Setup::step_options(size_t phase) const {
  const tasks::LossOptions loss{.label_smoothing = settings.label_smoothing,
                                .class_weights = class_weights,
                                .losses = tasks::parse_losses(settings.loss, *task)};
  StepOptions options{.normalization = normalization(),
                      .mixing = {augmentation().batch, {DType::f32, input}, sets.targets()},
                      .learns_inputs = task->learns_inputs(),
                      .loss = [task = task.get(), loss](
                                  const Tensor& output,
                                  const Tensor& given) { return task->loss(output, given, loss); },
                      .metrics = tasks::in_training(metrics),
                      .seed = static_cast<uint64_t>(settings.seed),
                      .dtype = parse_precision(settings.precision),
                      .recompute = settings.recompute};
  options.weighted = settings.accumulate > 1;
  if (groups.freezes()) {
    options.frozen = [groups = groups, epoch = groups.begin(phase)](std::string_view array) {
      return groups.frozen(array, epoch);
    };
  }
  return options;
}

data::Augmentation Setup::augmentation() const { return augmentation_of(settings, *sets.train); }

data::LoaderOptions Setup::loader_options() const {
  data::LoaderOptions options{.batch = settings.batch,
                              .drop_last = settings.drop_last,
                              .sampling = data::parse_sampling(settings.sampling),
                              .seed = static_cast<uint64_t>(settings.seed),
                              .workers = static_cast<int>(settings.workers),
                              .augment = augmentation()};
  options.augment.batch.clear();  // part of the training step
  if (preprocessing &&
      (!options.augment.before.empty() || data::needs_resizing(*split.train, *preprocessing))) {
    Preprocessing resize = *preprocessing;
    if (options.augment.frames()) {  // nothing of the frame is cut off, or added to it
      resize.resize.reset();
      resize.letterbox.reset();
    }
    options.resize = std::make_shared<data::Resize>(std::move(resize));
  }
  return options;
}

Normalization Setup::normalization() const {
  if (preprocessing) return {preprocessing->mean, preprocessing->std};
  return {.mean = statistics.mean,
          .std = statistics.std,
          .numbers = !statistics.mean.empty(),
          .masked = modality && modality->masks()};
}

std::shared_ptr<const data::Dataset> Setup::prepared(
    std::shared_ptr<const data::Dataset> samples) const {
  return preprocessing ? data::prepared(std::move(samples), *preprocessing) : samples;
}

Type Setup::inputs(int64_t n) const {
  const std::optional<Type> own = sets.train->input();
  if (own && data::is_clip(*own)) return {own->dtype, Shape{n}.concat(own->shape)};
  return preprocessing ? Type{sets.train->dtype(), {n, input[1], input[2], input[0]}}
                       : Type{DType::f32, Shape{n}.concat(input)};
}

Type Setup::targets(int64_t n) const {
  const data::Augmentation augment = augmentation();
  return stacked_targets(
      n, data::targets_after(augment.after, data::targets_after(augment.before, sets.targets())));
}

Type Setup::evaluation_targets(int64_t n) const { return stacked_targets(n, sets.targets()); }

Type Setup::stacked_targets(int64_t n, const data::Targets& targets) const {
  const Type batch = inputs(n);
  const Type one = data::target_type(targets, {batch.dtype, batch.shape.slice(1)});
  return {one.dtype, Shape{n}.concat(one.shape)};
}

int64_t evaluation_batch(int64_t batch) { return std::min<int64_t>(batch, 256); }

}  // namespace fovea::train
