#pragma once

#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/models/selection.h"
#include "fovea/optim/optimizer.h"
#include "fovea/optim/schedule.h"
#include "fovea/train/settings.h"

namespace fovea::train {

/// Arrays of a net that are trained in their own way or only for a part of the run.
struct Group {
  std::string selection;  ///< as models::select reads it
  models::ArrayNames arrays;
  double lr = 0;  ///< peak learning rate; 0: that of the run times `lr_scale`
  double lr_scale = 1;
  std::string weight_decay = {}, optimizer = {};  ///< "": those of the run
  std::string schedule = {};  ///< "": that of the run; else one over the group's own epochs
  double from = 0, until = std::numeric_limits<double>::infinity();  ///< epochs; else it is frozen

  bool trained_at(double epoch) const { return epoch >= from && epoch < until; }
};

/// What --group, --freeze and the settings that belong to it say: how the arrays of a net are
/// trained, and when. Of several groups that contain an array, the first one counts.
///
/// --group is a list of SELECTION:KEY=VALUE,..., separated by semicolons:
///     "*.bias:lr=0.05,weight-decay=0; head:optimizer=nesterov:0.85,lr-scale=2; stem.*:until=3"
/// Keys: lr, lr-scale, weight-decay, optimizer and schedule as the flags of these names (schedule:
/// over the epochs of the group alone), from and until: epochs, which may be fractional, between
/// which the arrays are trained; before and after they are frozen, as by --freeze.
class Groups {
 public:
  /// For the arrays of `model`; `head`: see models::head. Errors: usage for text that cannot be
  /// read, a selection without arrays, and settings that have no effect.
  Groups(const Settings& settings, const nn::Module& model, const models::ArrayNames& head);

  /// Whether an array is frozen at `epoch`, which counts from 0 and may be fractional.
  bool frozen(std::string_view array, double epoch) const;
  /// Whether any array is ever frozen.
  bool freezes() const;

  /// The epochs inside the run at which arrays are frozen or unfrozen, ascending. Between them lie
  /// the phases of the run.
  const std::vector<double>& changes() const { return changes_; }
  /// The phase at an epoch, counted from 0.
  size_t phase(double epoch) const;
  /// An epoch in that phase.
  double begin(size_t phase) const { return phase == 0 ? 0 : changes_[phase - 1]; }

  /// Gives an optimiser the groups.
  void add_to(optim::Optimizer& optimizer) const;
  /// The learning rates of the optimiser's groups, where that of the run is `lr`; `lr_factor`
  /// scales those that have a schedule of their own, `scores` as in optim::ScheduleTime.
  std::vector<double> rates(double epoch, double lr, double lr_factor,
                            std::span<const double> scores) const;

 private:
  const Group* find(std::string_view array) const;

  double lr_;  ///< of the run, at its peak
  std::string optimizer_, weight_decay_;
  std::vector<Group> groups_;    ///< the last is that of --freeze, if there is one
  std::optional<Group> freeze_;  ///< of --freeze
  std::vector<std::optional<optim::Schedule>> schedules_;  ///< of each of groups_
  std::vector<double> changes_;
};

}  // namespace fovea::train
