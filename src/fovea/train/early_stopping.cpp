#include "fovea/train/early_stopping.h"

#include "fovea/core/text.h"
#include "fovea/train/trainer.h"

namespace fovea::train {

int64_t EarlyStopping::stagnant(std::span<const double> scores) const {
  int64_t epochs = 0;
  for (size_t i = 1, best = 0; i < scores.size(); ++i) {
    const bool improved = scores[i] > scores[best] + options_.min_change;
    if (improved) best = i;
    epochs = improved ? 0 : epochs + 1;
  }
  return epochs;
}

void EarlyStopping::on_epoch(Trainer& trainer, EpochRecord& record, bool) {
  std::vector<double> scores = trainer.scores();
  const std::optional<double> score = trainer.score(record);
  if (!score) return;  // without validation nothing is monitored
  scores.push_back(*score);
  const int64_t epochs = stagnant(scores);
  if (epochs < options_.patience) return;
  trainer.finish("stopped early: " + trainer.monitored() + " has not improved in " +
                 counted(epochs, "epoch"));
}

}  // namespace fovea::train
