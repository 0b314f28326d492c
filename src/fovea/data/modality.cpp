#include "fovea/data/modality.h"

#include <algorithm>

#include "fovea/core/text.h"
#include "fovea/data/clip.h"
#include "fovea/data/series.h"
#include "fovea/data/sound.h"
#include "fovea/data/volume.h"

namespace fovea::data {
namespace {

ChoiceTable<ModalityEntry>& modality_table() {
  static ChoiceTable<ModalityEntry> all(
      "modality", {sound_entry(), series_entry(), clip_entry(), volume_entry()});
  return all;
}

}  // namespace

std::string Modality::noun(int64_t count) const {
  const std::string text = this->text();
  const std::string one = text.substr(0, text.find(':'));
  return count == 1 || one.ends_with('s') ? one : one + "s";
}

bool Modality::takes(const std::filesystem::path& file) const {
  return std::ranges::count(suffixes(), lower(file.extension().string())) > 0;
}

const std::vector<ModalityEntry>& modalities() { return modality_table().rows(); }

void add_modality(ModalityEntry entry) { modality_table().add(std::move(entry)); }

std::shared_ptr<const Modality> make_modality(std::string_view text) {
  const auto [entry, arguments] = modality_table().read(text);
  return entry.make(arguments);
}

}  // namespace fovea::data
