#pragma once

#include <filesystem>
#include <string>

#include "fovea/records/event_file.h"
#include "fovea/train/trainer.h"

namespace fovea::records {

/// Writes what TensorBoard shows of a run into its folder, `tensorboard --logdir runs`: numbers of
/// epochs ("train/loss", "val/accuracy", ...), about a hundred batches per epoch ("batch/loss",
/// "batch/lr"), pictures of the first batches (those of a Recorder before it among the callbacks),
/// hyper-parameters, and at the end "test/..."; where Settings::tensorboard is "histograms" also
/// the distributions of weights and gradients, each epoch: "weights/...", "gradients/..."; nothing
/// where it is "off". The steps of all are batches. A run that is resumed continues its file: what
/// was written after the checkpoint is cut off and happens again.
class TensorBoard : public train::Callback {
 public:
  void on_start(train::Trainer& trainer) override;
  void on_resume(train::Trainer& trainer) override;
  void on_batch(train::Trainer& trainer) override;
  void on_epoch(train::Trainer& trainer, train::EpochRecord& record, bool best) override;
  void on_end(train::Trainer& trainer, const train::Result& result) override;

 private:
  void begin(train::Trainer& trainer);
  void write_histograms(train::Trainer& trainer, EventTime time);

  std::string file_;     ///< its name; "" to write nothing
  double loss_sum_ = 0;  ///< of the epoch, before the current batch
};

/// The event file in the folder of a run; empty if there is none.
std::filesystem::path find_event_file(const std::filesystem::path& run);

}  // namespace fovea::records
