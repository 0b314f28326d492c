#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace fovea::data {

/// The texts that a pattern with braces stands for, in order, as a shell expands them: {000..009}
/// counts (keeping the digits), {a,b} lists. Errors: usage for braces that mean neither, and beyond
/// 100,000 texts.
std::vector<std::string> expand_braces(const std::string& pattern);

/// Files by the split that their names begin with.
struct ShardSplits {
  std::vector<std::filesystem::path> train, val, test;
};

/// The files that `pattern` names: a folder (its .tar files), or a path with braces and, in its
/// last part, * and ?. Errors: data when there are none, or one that braces name is missing.
ShardSplits find_shards(const std::filesystem::path& pattern);

}  // namespace fovea::data
