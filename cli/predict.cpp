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

/// Whether the error is of one picture, and others may still be used.
bool concerns_one_picture(ErrorKind kind) {
  return kind == ErrorKind::data || kind == ErrorKind::diverged || kind == ErrorKind::memory;
}

/// What was said of each input, and its document for --json.
class Report {
 public:
  explicit Report(Console& console) : console_(console) {}
  void add(const std::string& name, const tasks::Prediction& prediction) {
    console_.result(name + "\n" + prediction.text());
    Json entry = Json::parse(prediction.json());
    entry["path"] = name;
    list_.push_back(std::move(entry));
  }
  /// There is no prediction for this one. The exit code is the highest of all.
  void add(const std::string& name, Error error) {
    if (!error.headline().starts_with(name)) error.with("picture", name);
    Json entry{{"path", name}};
    entry.update(cli::to_json(error));
    list_.push_back(std::move(entry));
    console_.complaint(error);
    code_ = std::max(code_, error.exit_code());
  }
  int finish() {
    console_.document({{"predictions", list_}});
    return code_;
  }

 private:
  Console& console_;
  Json list_ = Json::array();
  int code_ = 0;
};

/// A bad picture costs its own prediction only.
int predict_images(const Flags& flags, Console& console) {
  const std::unique_ptr<Predictor> predictor = load_predictor(flags, console);
  Report report(console);
  for (const std::string& path : flags.images) {
    try {
      report.add(path, *predictor->predict(decode_image(path, flags.max_pixels), flags.top));
    } catch (const Error& error) {
      if (!concerns_one_picture(error.kind())) throw;
      report.add(path, error);
    } catch (const std::bad_alloc&) {
      report.add(path, Error(ErrorKind::memory, path + ": not enough memory to use it"));
    }
  }
  return report.finish();
}

/// Raw input has no preprocessing to make it fit. Sizes may be any that the net takes, which says
/// itself what it cannot.
void check_input(const Array& input, const Shape& takes, const std::string& path) {
  constexpr std::string_view letters = "CDHW";
  std::string axes = "N";
  for (int i = 0; i < takes.rank(); ++i) {
    axes += ", ";
    axes += i == 0 ? letters[0] : letters[letters.size() - static_cast<size_t>(takes.rank() - i)];
  }
  if (input.dtype() != DType::f32 || input.shape().rank() != takes.rank() + 1) {
    throw Error(ErrorKind::usage, "--input " + path + ": f32 values " + axes + " are expected")
        .with("found", describe(input))
        .with("try", "array.astype('<f4')");
  }
  if (input.dim(1) == takes[0]) return;
  throw Error(ErrorKind::usage, "--input " + path + ": the model takes images of other channels")
      .with("found", describe(input))
      .with("expected", std::to_string(takes[0]) + " channels on axis 1");
}

/// Calls body(first, batch) for all rows, a bounded number of them at a time.
template <class Body>
void for_each_batch(const Array& input, Console& console, const Body& body) {
  constexpr int64_t most = 64;
  const int64_t count = input.dim(0);
  const size_t row = count == 0 ? 0 : input.bytes() / static_cast<size_t>(count);
  for (int64_t first = 0; first < count; first += most) {
    const int64_t n = std::min(most, count - first);
    Array batch(DType::f32, Shape{n}.concat(input.shape().slice(1)));  // aligned, as a slice is not
    std::memcpy(batch.raw(), input.raw() + static_cast<size_t>(first) * row, batch.bytes());
    body(first, batch);
    console.status(static_cast<double>(first + n) / static_cast<double>(count),
                   grouped(first + n) + " of " + grouped(count) + " samples");
  }
}

/// How many rows of outputs hold a number that is not finite, and where the first of them began.
struct NotFinite {
  int64_t rows = 0;
  std::string origin;

  void look(const Array& output, Predictor& predictor, const Array& batch) {
    const int64_t before = rows, row = output.dim(0) == 0 ? 0 : output.numel() / output.dim(0);
    for (int64_t i = 0; i < output.dim(0); ++i) {
      bool finite = true;
      for (int64_t k = 0; k < row; ++k) finite = finite && std::isfinite(output.at(i * row + k));
      rows += !finite;
    }
    if (before == 0 && rows > 0) origin = predictor.inference().nonfinite_origin(batch);
  }
};

/// The net's raw outputs, into --output.
void write_outputs(const Flags& flags, Predictor& predictor, const Array& input, Console& console) {
  // What one sample gives; a file without any tells of none.
  Array output(DType::f32, Shape{0}.concat({predictor.task().outputs()}));
  NotFinite not_finite;
  for_each_batch(input, console, [&](int64_t first, const Array& batch) {
    const Array part = predictor.output(batch);
    if (first == 0) output = Array(DType::f32, Shape{input.dim(0)}.concat(part.shape().slice(1)));
    const size_t row = part.bytes() / static_cast<size_t>(part.dim(0));
    std::memcpy(output.raw() + static_cast<size_t>(first) * row, part.raw(), part.bytes());
    not_finite.look(part, predictor, batch);
  });
  write_npy(flags.output, output);
  if (not_finite.rows > 0) {
    console.note(fmt::format("warning: {} of {} rows of outputs are not finite: {}",
                             grouped(not_finite.rows), grouped(output.dim(0)), not_finite.origin));
  }
  console.document({{"input", flags.input},
                    {"output", flags.output},
                    {"count", output.dim(0)},
                    {"classes", output.dim(1)},
                    {"not_finite", not_finite.rows}});
  console.result(fmt::format("{}: outputs {}\n", flags.output, describe(output)));
}

int predict_array(const Flags& flags, Console& console) {
  const std::unique_ptr<Predictor> predictor = load_predictor(flags, console);
  const Array input = read_npy(flags.input);
  check_input(input, predictor->input(), flags.input);
  if (!flags.output.empty()) {
    write_outputs(flags, *predictor, input, console);
    return 0;
  }
  Report report(console);
  for_each_batch(input, console, [&](int64_t first, const Array& batch) {
    const auto predictions = predictor->predict(batch, flags.top);
    for (size_t i = 0; i < predictions.size(); ++i) {
      report.add(fmt::format("{}[{}]", flags.input, first + static_cast<int64_t>(i)),
                 *predictions[i]);
    }
  });
  return report.finish();
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
  if (!flags.output.empty()) console.data_goes_to("--output", flags.output);
  return predict_array(flags, console);
}

}  // namespace

void add_predict(Commands& commands) {
  const auto flags = std::make_shared<Flags>();
  CLI::App& app =
      commands.add(commands.root(), "predict", "Use a trained model on pictures or numbers",
                   [flags](Console& console) { return run(*flags, console); });
  flags->app = &app;
  flags->add(app);
  app.add_option("IMAGE", flags->images, "PNG or JPEG files; - is standard input");
  add_count(app, "--top", flags->top, "Classes to show for each picture");
  add_max_pixels(app, flags->max_pixels);
  app.add_option("--input", flags->input,
                 "Instead of images: numbers as the net takes them, f32 N, C, H, W")
      ->type_name("X.npy");
  app.add_option("--output", flags->output,
                 "Where the raw outputs for --input go; predictions are shown by default; - is "
                 "standard output")
      ->type_name("Y.npy");
}

}  // namespace fovea::cli
