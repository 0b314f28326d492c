#include "inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/data/image_files.h"

namespace fovea::cli {

std::vector<std::string> files_of(const std::string& argument, const data::Modality* modality) {
  namespace fs = std::filesystem;
  std::error_code problem;
  const bool one = modality != nullptr && modality->takes(argument);  // which may be a folder
  if (one || !fs::is_directory(argument, problem)) return {argument};
  std::vector<std::string> found;
  for (fs::recursive_directory_iterator entry(argument, problem), end; !problem && entry != end;
       entry.increment(problem)) {
    const bool taken = modality != nullptr
                           ? modality->takes(entry->path())
                           : data::is_image_name(entry->path()) && !entry->is_directory(problem);
    if (!taken) continue;
    found.push_back(entry->path().string());
    entry.disable_recursion_pending();
  }
  if (problem) throw Error(ErrorKind::data, fmt::format("{}: {}", argument, problem.message()));
  if (found.empty()) {
    const std::string expected =
        modality != nullptr ? join(modality->suffixes()) : ".png, .jpg, .jpeg or .webp";
    throw Error(ErrorKind::data, fmt::format("{}: a folder without {}", argument,
                                             modality != nullptr ? modality->noun(2) : "images"))
        .with("expected", fmt::format("files that end in {}, in it or in folders below", expected));
  }
  std::ranges::sort(found);
  return found;
}

void check_input(const Array& input, const Shape& takes, const std::string& path) {
  constexpr std::string_view letters = "CDHW";
  std::string axes = "N";
  for (int i = 0; i < takes.rank(); ++i) {
    axes += ", ";
    axes += i == 0 ? letters[0] : letters[letters.size() - static_cast<size_t>(takes.rank() - i)];
  }
  if (input.dtype() != DType::f32 || input.shape().rank() != takes.rank() + 1) {
    throw Error(ErrorKind::usage, fmt::format("--input {}: f32 values {} are expected", path, axes))
        .with("found", describe(input))
        .with("try", "array.astype('<f4')");
  }
  if (input.dim(1) == takes[0]) return;
  throw Error(ErrorKind::usage, fmt::format("--input {}: the model takes other channels", path))
      .with("found", describe(input))
      .with("expected", fmt::format("{} on axis 1", counted(takes[0], "channel")));
}

std::string file_word(std::string text) {
  constexpr size_t longest = 150;
  if (text.size() > longest) text.resize(longest);
  for (char& c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '.') c = '_';
  }
  return text.starts_with('.') ? "_" + text : text;
}

}  // namespace fovea::cli
