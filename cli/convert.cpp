#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "fovea/core/files.h"
#include "fovea/formats/model_file.h"
#include "fovea/formats/weight_file.h"
#include "fovea/weights/assemble.h"
#include "model.h"

namespace fovea::cli {
namespace {

struct ConvertFlags : ModelFlags {
  std::string in, out;
};

/// What was written.
struct Written {
  std::vector<std::pair<std::string, Array>> tensors;
  std::string model;  ///< empty: only weights

  size_t bytes() const {
    size_t sum = 0;
    for (const auto& [name, array] : tensors) sum += array.bytes();
    return sum;
  }
};

bool writes_safetensors(const std::string& out) {
  return out.ends_with(".safetensors") || !is_weight_file(out);
}

/// Checks the weights against the model, and records the model in the file if its format allows.
Written convert_model(const ConvertFlags& flags, Console& console) {
  models::Options options;
  flags.apply(options);
  const std::string name = model_name(flags.model, options);
  const ModelFile file =
      assemble_model(name, options, flags.in, [&](const std::string& text) { console.note(text); });
  if (!writes_safetensors(flags.out)) {
    write_weights(flags.out, file.weights);
    return {file.weights, ""};
  }
  save_model(flags.out, file);
  return {file.weights, file.architecture};
}

Written convert_tensors(const ConvertFlags& flags, Console& console) {
  WeightFile file = read_weights(flags.in);
  if (is_model_file(file) && writes_safetensors(flags.out)) {  // and stays one
    const ModelFile model = to_model_file(std::move(file), flags.in);
    save_model(flags.out, model);
    return {model.weights, model.architecture};
  }
  if (!file.note.empty()) console.note(flags.in + ": " + file.note);
  write_weights(flags.out, file.tensors);
  return {file.tensors, ""};
}

int run(const ConvertFlags& flags, Console& console) {
  if (flags.out.empty()) {
    throw Error(ErrorKind::usage, "convert: IN and OUT are required")
        .with("try", "fovea convert weights.pth weights.safetensors");
  }
  if (!is_weight_file(flags.out) && !is_stream(flags.out)) {
    throw Error(ErrorKind::usage,
                fmt::format("convert: the suffix of {} is not a known format", flags.out))
        .with("known", ".safetensors, .pth, .pt");
  }
  console.data_goes_to("OUT", flags.out);
  const std::string given = flags.given();
  if (flags.model.empty() && !given.empty()) {
    throw Error(ErrorKind::usage, fmt::format("convert: {} needs a model", given))
        .with("try", "--model NAME as well");
  }
  const Written written =
      flags.model.empty() ? convert_tensors(flags, console) : convert_model(flags, console);
  Json document = {{"in", flags.in},
                   {"out", flags.out},
                   {"tensors", written.tensors.size()},
                   {"bytes", written.bytes()}};
  if (!written.model.empty()) document["model"] = written.model;
  console.document(document);
  console.result(fmt::format("{}: {} tensors, {}{}\n", flags.out, written.tensors.size(),
                             bytes_text(written.bytes()),
                             written.model.empty() ? "" : ", a model file of " + written.model));
  return 0;
}

}  // namespace

void add_convert(Commands& commands) {
  const auto flags = std::make_shared<ConvertFlags>();
  Command command = commands.add(commands.root(), "convert",
                                 "Convert weights between PyTorch's .pth and .pt, and .safetensors",
                                 [flags](Console& console) { return run(*flags, console); });
  command.text("IN", flags->in, "Weights to read; - is standard input");
  command.text(
      "OUT", flags->out,
      "File to write; its suffix determines the format. - is standard output, as .safetensors");
  flags->add(command);
}

}  // namespace fovea::cli
