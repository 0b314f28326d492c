#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <optional>

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
  int64_t top = 5, max_pixels = default_pixel_limit;
};

struct Prediction {
  std::string path;
  std::vector<Guess> guesses;  ///< the best of them
  std::optional<Error> error;  ///< why there are none
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

Json to_json(const Prediction& prediction) {
  Json json{{"path", prediction.path}};
  if (prediction.error) {
    json.update(cli::to_json(*prediction.error));
    return json;
  }
  json["classes"] = Json::array();
  for (const Guess& guess : prediction.guesses) {
    json["classes"].push_back({{"name", guess.name}, {"probability", guess.probability}});
  }
  return json;
}

/// Whether the error is of one picture, and others may still be classified.
bool concerns_one_picture(ErrorKind kind) {
  return kind == ErrorKind::data || kind == ErrorKind::diverged || kind == ErrorKind::memory;
}

Prediction predict_image(const Flags& flags, const std::string& path, Predictor& predictor) {
  Prediction prediction{path, {}, {}};
  try {
    prediction.guesses = predictor.classify(decode_image(path, flags.max_pixels));
  } catch (const Error& error) {
    if (!concerns_one_picture(error.kind())) throw;
    prediction.error = error;
    if (!error.headline().starts_with(path)) prediction.error->with("picture", path);
  } catch (const std::bad_alloc&) {
    prediction.error = Error(ErrorKind::memory, path + ": not enough memory to classify it");
  }
  prediction.guesses.resize(std::min(static_cast<size_t>(flags.top), prediction.guesses.size()));
  return prediction;
}

/// A bad picture costs its own prediction only. The exit code is the highest of all.
int predict_images(const Flags& flags, Console& console) {
  const std::unique_ptr<Predictor> predictor = load_predictor(flags, console);
  Json predictions = Json::array();
  int code = 0;
  for (const std::string& path : flags.images) {
    const Prediction prediction = predict_image(flags, path, *predictor);
    predictions.push_back(to_json(prediction));
    if (prediction.error) {
      console.complaint(*prediction.error);
      code = std::max(code, prediction.error->exit_code());
    } else {
      console.result(to_text(prediction));
    }
  }
  console.document({{"predictions", predictions}});
  return code;
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

/// How many rows of logits hold a number that is not finite, and where the first of them began.
struct NotFinite {
  int64_t rows = 0;
  std::string origin;
};

NotFinite not_finite_in(const Array& logits, Predictor& predictor, const Array& batch) {
  NotFinite found;
  const int64_t classes = logits.dim(1);
  for (int64_t row = 0; row < logits.dim(0); ++row) {
    bool finite = true;
    for (int64_t k = 0; k < classes; ++k)
      finite = finite && std::isfinite(logits.at(row * classes + k));
    found.rows += !finite;
  }
  if (found.rows > 0) found.origin = predictor.inference().nonfinite_origin(batch);
  return found;
}

/// Logits of all rows, a bounded number of images at a time.
Array logits_of(Predictor& predictor, const Array& input, Console& console, NotFinite& found) {
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
    const NotFinite here = not_finite_in(logits, predictor, batch);
    if (found.rows == 0) found.origin = here.origin;
    found.rows += here.rows;
    console.status(static_cast<double>(first + n) / static_cast<double>(count),
                   grouped(first + n) + " of " + grouped(count) + " images");
  }
  return output;
}

int predict_array(const Flags& flags, Console& console) {
  const std::unique_ptr<Predictor> predictor = load_predictor(flags, console);
  const Array input = read_npy(flags.input);
  check_input(input, predictor->file().preprocessing, flags.input);
  NotFinite not_finite;
  const Array output = logits_of(*predictor, input, console, not_finite);
  write_npy(flags.output, output);
  if (not_finite.rows > 0) {
    console.note(fmt::format("warning: {} of {} rows of logits are not finite: {}",
                             grouped(not_finite.rows), grouped(output.dim(0)), not_finite.origin));
  }
  console.document({{"input", flags.input},
                    {"output", flags.output},
                    {"count", output.dim(0)},
                    {"classes", output.dim(1)},
                    {"not_finite", not_finite.rows}});
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
  console.data_goes_to("--output", flags.output);
  return predict_array(flags, console);
}

}  // namespace

void add_predict(Commands& commands) {
  const auto flags = std::make_shared<Flags>();
  CLI::App& app = commands.add(commands.root(), "predict", "Classify pictures with a trained model",
                               [flags](Console& console) { return run(*flags, console); });
  flags->app = &app;
  flags->add(app);
  app.add_option("IMAGE", flags->images, "PNG or JPEG files; - is standard input");
  add_count(app, "--top", flags->top, "Classes to show for each picture");
  add_max_pixels(app, flags->max_pixels);
  app.add_option("--input", flags->input, "Instead of images: raw f32 values N, C, H, W")
      ->type_name("X.npy");
  app.add_option("--output", flags->output, "Where the logits of --input go; - is standard output")
      ->type_name("Y.npy");
}

}  // namespace fovea::cli
