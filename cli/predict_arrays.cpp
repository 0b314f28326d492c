#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/formats/npy.h"
#include "inputs.h"
#include "predict.h"

namespace fovea::cli {
namespace {

/// Whether --output is a folder.
bool is_folder(const std::string& output) {
  return !output.ends_with(".npy") && !is_stream(output);
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
    if (before == 0 && rows > 0) origin = predictor.inference().nonfinite_origin(batch).text;
  }
};

using NamedArrays = std::vector<std::pair<std::string, Array>>;

/// The net's raw outputs by name: "out" and, in a folder, others that the net has.
NamedArrays raw_outputs(const PredictFlags& flags, Predictor& predictor, const Array& input,
                        NotFinite& not_finite, Console& console) {
  // What one sample gives; a file without any tells of none.
  NamedArrays all{{"out", Array(DType::f32, Shape{0}.concat({predictor.task().outputs()}))}};
  for_each_batch(input, console, [&](int64_t first, const Array& batch) {
    const NamedArrays parts = is_folder(flags.output)
                                  ? predictor.inference().named(batch)
                                  : NamedArrays{{"out", predictor.output(batch)}};
    all.resize(parts.size());
    for (size_t i = 0; i < parts.size(); ++i) {
      const auto& [name, part] = parts[i];
      if (first == 0)
        all[i] = {name, Array(DType::f32, Shape{input.dim(0)}.concat(part.shape().slice(1)))};
      const size_t row = part.bytes() / static_cast<size_t>(part.dim(0));
      std::memcpy(all[i].second.raw() + static_cast<size_t>(first) * row, part.raw(), part.bytes());
    }
    not_finite.look(parts[0].second, predictor, batch);
  });
  return all;
}

/// What is predicted for each sample, in files of its own: "boxes" or, of several samples,
/// "boxes-0", "boxes-1", ...
void write_predictions(const PredictFlags& flags, Predictor& predictor, const Array& input,
                       Console& console) {
  const int64_t count = input.dim(0);
  Json files = Json::array();
  for_each_batch(input, console, [&](int64_t first, const Array& batch) {
    const auto predictions = predictor.predict(batch, flags.top);
    for (size_t i = 0; i < predictions.size(); ++i) {
      for (const auto& [name, array] : predictions[i]->arrays()) {
        const std::string number =
            count == 1 ? "" : fmt::format("-{}", first + static_cast<int64_t>(i));
        const auto file = std::filesystem::path(flags.output) / (name + number + ".npy");
        write_npy(file, array, Flush::later);
        files.push_back(file.string());
      }
    }
  });
  console.document(
      {{"input", flags.input}, {"output", flags.output}, {"count", count}, {"files", files}});
  console.result(fmt::format("{}: {}\n", flags.output, counted(std::ssize(files), "file")));
}

/// The net's raw outputs or, where it finds different numbers of things, what it found, into
/// --output.
void write_outputs(const PredictFlags& flags, Predictor& predictor, const Array& input,
                   Console& console) {
  const bool folder = is_folder(flags.output);
  if (folder) make_folder(flags.output);
  if (predictor.task().has_places()) {
    if (folder) return write_predictions(flags, predictor, input, console);
    throw Error(
        ErrorKind::usage,
        fmt::format("--output {}: the model has several results for each sample", flags.output))
        .with("try", "--output DIR, a folder");
  }
  NotFinite not_finite;
  const NamedArrays all = raw_outputs(flags, predictor, input, not_finite, console);
  const Array& output = all[0].second;
  Json document{{"input", flags.input},
                {"output", flags.output},
                {"count", output.dim(0)},
                {"classes", output.dim(1)},
                {"not_finite", not_finite.rows}};
  for (const auto& [name, array] : all) {
    const std::string file =
        folder ? (std::filesystem::path(flags.output) / (name + ".npy")).string() : flags.output;
    write_npy(file, array);
    if (folder) document["files"].push_back(file);
    console.result(fmt::format("{}: outputs {}\n", file, describe(array)));
  }
  if (not_finite.rows > 0) {
    console.note(fmt::format("warning: {} of {} rows of outputs are not finite: {}",
                             grouped(not_finite.rows), grouped(output.dim(0)), not_finite.origin));
  }
  console.document(document);
}

}  // namespace

int predict_array(const PredictFlags& flags, Console& console) {
  const std::unique_ptr<Predictor> predictor = flags.load(console);
  const Array input = read_npy(flags.input);
  check_input(input, predictor->input(), flags.input);
  if (!flags.output.empty()) {
    write_outputs(flags, *predictor, input, console);
    return 0;
  }
  PredictReport report(flags, "sample", console);
  for_each_batch(input, console, [&](int64_t first, const Array& batch) {
    const auto predictions = predictor->predict(batch, flags.classes_shown());
    for (size_t i = 0; i < predictions.size(); ++i) {
      report.add(fmt::format("{}[{}]", flags.input, first + static_cast<int64_t>(i)),
                 *predictions[i]);
    }
  });
  return report.finish();
}

}  // namespace fovea::cli
