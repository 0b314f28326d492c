#include "fovea/train/checkpoint.h"

#include "fovea/core/error.h"
#include "fovea/formats/safetensors.h"

namespace fovea::train {
namespace {

constexpr Role kept_roles[] = {Role::parameter, Role::buffer, Role::moment};

void restore(const std::filesystem::path& path, State& state, Checkpoint& checkpoint) {
  const SafeTensors file = read_safetensors(path);
  if (!file.metadata.contains("fovea.checkpoint")) {
    throw Error(ErrorKind::model, path.string() + " is not a checkpoint")
        .with("try", "the folder of a run");
  }
  size_t expected = 0;
  for (Role role : kept_roles) expected += state.names(role).size();
  if (file.tensors.size() != expected) {
    throw Error(ErrorKind::model, path.string() + " holds " + std::to_string(file.tensors.size()) +
                                      " arrays, the run has " + std::to_string(expected));
  }
  for (const auto& [name, array] : file.tensors) {
    if (!state.contains(name) || state.type(name).shape != array.shape() ||
        state.type(name).dtype != array.dtype()) {
      throw Error(ErrorKind::model, path.string() + ": the run has no array \"" + name +
                                        "\" of type " + describe(array));
    }
  }
  for (const auto& [name, array] : file.tensors) state.set(name, array);
  checkpoint.progress = file.metadata;
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
    throw Error(ErrorKind::io, "cannot write " + latest.string() + ": " + failed.message());
}

bool load_checkpoint(const std::filesystem::path& folder, State& state, Checkpoint& checkpoint) {
  const std::filesystem::path latest = folder / "checkpoint.safetensors",
                              previous = folder / "checkpoint.previous.safetensors";
  try {
    if (std::filesystem::exists(latest)) {
      restore(latest, state, checkpoint);
      return true;
    }
  } catch (const Error& e) {
    if (!std::filesystem::exists(previous)) throw;
    checkpoint.warning = e.headline() + "; going on from the checkpoint before it";
  }
  if (!std::filesystem::exists(previous)) return false;
  restore(previous, state, checkpoint);
  return true;
}

}  // namespace fovea::train
