#include "fovea/data/modality_files.h"

#include <algorithm>

#include "fovea/core/error.h"

namespace fovea::data {

ModalityFiles::ModalityFiles(std::shared_ptr<const Modality> modality, FileList files,
                             Targets meaning)
    : modality_(std::move(modality)), files_(std::move(files)), meaning_(std::move(meaning)) {
  const Type all{meaning_.type.dtype, Shape{size()}.concat(meaning_.type.shape)};
  const bool grouped = files_.groups.empty() || files_.groups.size() == files_.paths.size();
  if (files_.targets.dtype() == all.dtype && files_.targets.shape() == all.shape && grouped) return;
  throw Error(ErrorKind::usage, "files: one target and at most one group per file is expected")
      .with("files", std::to_string(size()))
      .with("targets", describe(files_.targets))
      .with("expected", to_string(all));
}

Sample ModalityFiles::sample(int64_t i) const { return {modality_->read(path(i)), target(i)}; }

Array ModalityFiles::target(int64_t i) const {
  Array one(meaning_.type.dtype, meaning_.type.shape);
  std::copy_n(files_.targets.raw() + static_cast<size_t>(i) * one.bytes(), one.bytes(), one.raw());
  return one;
}

int64_t ModalityFiles::group(int64_t i) const {
  return files_.groups.empty() ? i : files_.groups[static_cast<size_t>(i)];
}

std::filesystem::path ModalityFiles::path(int64_t i) const {
  return files_.root / files_.paths[static_cast<size_t>(i)];
}

}  // namespace fovea::data
