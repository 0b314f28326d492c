#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace fovea::data {

/// What a data.yaml says of a data set in YOLO's form.
struct DataYaml {
  std::string path;  ///< the folder that the others are relative to; "": that of the file
  /// The folders or lists of images of "train", "val" and "test".
  std::map<std::string, std::vector<std::string>> splits;
  std::vector<std::string> names;  ///< of the classes
};

/// Reads the few forms of YAML that these files have: `key: value`, with the values text, quoted or
/// not, a list or numbered names in brackets, `[a, b]` or `{0: a, 1: b}`, on one or several lines,
/// or indented lines of `- item` or `0: name`; comments. Of other keys the values are skipped,
/// indented lines included. Errors: data, naming the line, for anything else, values of more than
/// 4,095 bytes or with control characters, a list of names with gaps, or a number of names that is
/// not `nc`; for more than 4 MiB.
DataYaml read_data_yaml(const std::filesystem::path& file);

}  // namespace fovea::data
