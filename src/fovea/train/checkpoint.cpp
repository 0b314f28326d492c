#include "fovea/train/checkpoint.h"

#include <fmt/format.h>

#include <optional>
#include <set>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/formats/safetensors.h"

namespace fovea::train {
namespace {

constexpr Role kept_roles[] = {Role::parameter, Role::buffer, Role::moment};

/// A file of a checkpoint, and why it is not the latest.
struct Found {
  std::filesystem::path path;
  SafeTensors file;
  std::string warning;
};

SafeTensors read(const std::filesystem::path& path) {
  SafeTensors file = read_safetensors(path);
  if (file.metadata.contains("fovea.checkpoint")) return file;
  throw Error(ErrorKind::model, fmt::format("{} is not a checkpoint", path.string()))
      .with("try", "the folder of a run");
}

std::optional<Found> find(const std::filesystem::path& folder) {
  const std::filesystem::path latest = folder / "checkpoint.safetensors",
                              previous = folder / "checkpoint.previous.safetensors";
  std::string warning;
  try {
    if (exists(latest, ErrorKind::model)) return Found{latest, read(latest), ""};
  } catch (const Error& e) {
    if (!exists(previous, ErrorKind::model)) throw;
    warning = e.headline() + "; continuing from the previous checkpoint";
  }
  if (!exists(previous, ErrorKind::model)) return std::nullopt;
  return Found{previous, read(previous), warning};
}

/// "a, b, c and 7 more".
std::string some_of(const std::set<std::string>& names) {
  constexpr size_t maximum = 3;
  std::vector<std::string> first;
  for (const std::string& name : names) {
    if (first.size() < maximum) first.push_back(name);
  }
  return join(first, ", ") +
         (names.size() > maximum ? " and " + std::to_string(names.size() - maximum) + " more" : "");
}

/// Errors: model when the file does not hold the arrays of the run.
void check_arrays(const Found& found, const State& state) {
  std::set<std::string> missing, unexpected;
  for (Role role : kept_roles) {
    for (const std::string& name : state.names(role)) missing.insert(name);
  }
  const size_t expected = missing.size();
  for (const auto& [name, array] : found.file.tensors) {
    if (missing.erase(name) == 0) unexpected.insert(name);
  }
  if (!missing.empty() || !unexpected.empty()) {
    Error error(ErrorKind::model,
                fmt::format("{} does not hold the arrays of this run", found.path.string()));
    error.with("arrays", fmt::format("{} instead of {}", found.file.tensors.size(), expected));
    if (!missing.empty()) error.with("missing", some_of(missing));
    if (!unexpected.empty()) error.with("unexpected", some_of(unexpected));
    throw error.with("try", fmt::format("the version of Fovea that wrote it; or a new run that "
                                        "starts from its weights: --weights {}",
                                        (found.path.parent_path() / "last.safetensors").string()));
  }
  for (const auto& [name, array] : found.file.tensors) {
    if (state.type(name) == Type{array.dtype(), array.shape()}) continue;
    throw Error(ErrorKind::model, fmt::format("{}: the run has no array \"{}\" of type {}",
                                              found.path.string(), name, describe(array)));
  }
}

}  // namespace

void save_checkpoint(const std::filesystem::path& folder, State& state,
                     const std::map<std::string, std::string>& progress) {
  SafeTensors file{.metadata = progress, .tensors = {}};
  file.metadata["fovea.checkpoint"] = "1";
  for (Role role : kept_roles) {
    for (const std::string& name : state.names(role))
      file.tensors.emplace_back(name, state.get(name));
  }
  const std::filesystem::path latest = folder / "checkpoint.safetensors",
                              fresh = folder / "checkpoint.next.safetensors";
  write_safetensors(fresh, file);
  std::error_code ignored;  // there is none to keep the first time
  std::filesystem::rename(latest, folder / "checkpoint.previous.safetensors", ignored);
  std::error_code failed;
  std::filesystem::rename(fresh, latest, failed);
  if (failed)
    throw Error(ErrorKind::io,
                fmt::format("cannot write {}: {}", latest.string(), failed.message()));
}

bool load_checkpoint(const std::filesystem::path& folder, State& state, Checkpoint& checkpoint) {
  std::optional<Found> found = find(folder);
  if (!found) return false;
  check_arrays(*found, state);
  for (const auto& [name, array] : found->file.tensors) state.set(name, array);
  checkpoint = {.progress = std::move(found->file.metadata), .warning = std::move(found->warning)};
  return true;
}

std::map<std::string, std::string> checkpoint_progress(const std::filesystem::path& folder) {
  std::optional<Found> found = find(folder);
  if (!found) return {};
  return std::move(found->file.metadata);
}

}  // namespace fovea::train
