#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "fovea/draw/chart.h"
#include "fovea/train/history.h"

namespace fovea::records {

struct NamedHistory {
  std::string name;  ///< of the run
  std::vector<train::EpochRecord> history;
};

/// The curves of one run or several in two panels over epochs: the loss, and the `metric` that
/// decides ("val_accuracy") or else the learning rate; training dashed where there are several
/// runs.
draw::Chart curves(const std::vector<NamedHistory>& runs, const std::string& metric);

/// Those of one run while it trains: also the losses of its batches, with x in epochs.
draw::Chart live_curves(const std::vector<train::EpochRecord>& history, const std::string& metric,
                        draw::Series batch_losses);

/// `curves` as a file, .png or .svg. Errors: usage for another suffix, and when no epoch of any run
/// is complete; io.
void write_curves(const std::filesystem::path& file, const std::vector<NamedHistory>& runs,
                  const std::string& metric);

}  // namespace fovea::records
