#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "commands.h"
#include "fovea/formats/npy.h"
#include "fovea/images/codec.h"
#include "model.h"

namespace fovea::cli {
namespace {

struct Flags : TrainedFlags {
  const CLI::App* app = nullptr;
  std::string input, output;
  std::vector<std::string> images;
  int64_t top = 5;
};

struct Prediction {
  std::string path;
  std::vector<Guess> guesses;  ///< the best of them
};

std::string to_text(const Prediction& prediction) {
  constexpr int bar = 20;
  size_t width = 0;
  for (const Guess& guess : prediction.guesses) width = std::max(width, guess.name.size());
  std::string text = prediction.path + "\n";
  for (const Guess& guess : prediction.guesses) {
    const auto filled = static_cast<size_t>(std::lround(guess.probability * bar));
    text += fmt::format("  {:<{}}  {:6.2f}%  {}", guess.name, width, 100 * guess.probability,
                        std::string(filled, '#'));
    text.resize(text.find_last_not_of(' ') + 1);
    text += "\n";
  }
  return text;
}

Json to_json(const std::vector<Prediction>& predictions) {
  Json list = Json::array();
  for (const Prediction& prediction : predictions) {
    Json classes = Json::array();
    for (const Guess& guess : prediction.guesses) {
      classes.push_back({{"name", guess.name}, {"probability", guess.probability}});
    }
    list.push_back({{"path", prediction.path}, {"classes", classes}});
  }
  return {{"predictions", list}};
}

int predict_images(const Flags& flags, Console& console) {
  const std::unique_ptr<Predictor> predictor = load_predictor(flags, console);
  std::vector<Prediction> predictions;
  for (const std::string& path : flags.images) {
    Prediction prediction{path, predictor->classify(decode_image(path))};
    const size_t most = std::min(static_cast<size_t>(flags.top), prediction.guesses.size());
    prediction.guesses.resize(most);
    console.result(to_text(prediction));
    predictions.push_back(std::move(prediction));
  }
  console.document(to_json(predictions));
  return 0;
}

/// Raw input has no preprocessing to make it fit, so it has to fit.
void check_input(const Array& input, const Preprocessing& takes, const std::string& path) {
  if (input.dtype() != DType::f32 || input.shape().rank() != 4) {
    throw Error(ErrorKind::usage, "--input " + path + ": f32 values N, C, H, W are expected")
        .with("found", describe(input))
        .with("try", "array.astype('<f4')");
  }
  if (input.dim(1) == takes.channels && input.dim(2) == takes.height &&
      input.dim(3) == takes.width) {
    return;
  }
  throw Error(ErrorKind::usage, "--input " + path + ": the model takes images of another size")
      .with("found", describe(input))
      .with("expected",
            fmt::format("f32[N, {}, {}, {}]", takes.channels, takes.height, takes.width));
}

/// Logits of all rows, a bounded number of images at a time.
Array logits_of(Predictor& predictor, const Array& input, Console& console) {
  constexpr int64_t most = 64;
  const int64_t count = input.dim(0);
  const int64_t classes = predictor.classes();
  Array output(DType::f32, {count, classes});
  const size_t row = count == 0 ? 0 : input.bytes() / static_cast<size_t>(count);
  for (int64_t first = 0; first < count; first += most) {
    const int64_t n = std::min(most, count - first);
    Array batch(DType::f32, Shape{n}.concat(input.shape().slice(1)));  // aligned, as a slice is not
    std::memcpy(batch.raw(), input.raw() + static_cast<size_t>(first) * row, batch.bytes());
    const Array logits = predictor.logits(batch);
    std::memcpy(output.raw() + static_cast<size_t>(first * classes) * sizeof(float), logits.raw(),
                logits.bytes());
    console.status(static_cast<double>(first + n) / static_cast<double>(count),
                   grouped(first + n) + " of " + grouped(count) + " images");
  }
  return output;
}

int predict_array(const Flags& flags, Console& console) {
  const std::unique_ptr<Predictor> predictor = load_predictor(flags, console);
  const Array input = read_npy(flags.input);
  check_input(input, predictor->file().preprocessing, flags.input);
  const Array output = logits_of(*predictor, input, console);
  write_npy(flags.output, output);
  console.document({{"input", flags.input},
                    {"output", flags.output},
                    {"count", output.dim(0)},
                    {"classes", output.dim(1)}});
  console.result(fmt::format("{}: logits {}\n", flags.output, describe(output)));
  return 0;
}

int run(const Flags& flags, Console& console) {
  require_flag(*flags.app, "--model");
  const bool array = !flags.input.empty() || !flags.output.empty();
  if (array == !flags.images.empty()) {
    throw Error(ErrorKind::usage, array ? "predict: images and --input cannot be given together"
                                        : "predict: no image is given")
        .with("try", "fovea predict --model FILE cat.png, or --input x.npy --output y.npy");
  }
  if (!array) return predict_images(flags, console);
  require_flag(*flags.app, "--input");
  require_flag(*flags.app, "--output");
  return predict_array(flags, console);
}

}  // namespace

void add_predict(Commands& commands) {
  const auto flags = std::make_shared<Flags>();
  CLI::App& app = commands.add(commands.root(), "predict", "Classify pictures with a trained model",
                               [flags](Console& console) { return run(*flags, console); });
  flags->app = &app;
  flags->add(app);
  app.add_option("IMAGE", flags->images, "PNG or JPEG files");
  add_count(app, "--top", flags->top, "Classes to show for each picture");
  app.add_option("--input", flags->input, "Instead of images: raw f32 values N, C, H, W")
      ->type_name("X.npy");
  app.add_option("--output", flags->output, "Where the logits of --input go")->type_name("Y.npy");
}

}  // namespace fovea::cli
