#pragma once

#include "fovea/doctor/doctor.h"

// The checks, one per file, and what several of them need.
namespace fovea::doctor {

Finding check_finite(Patient&);
Finding check_memory(Patient&);
Finding check_label_balance(Patient&);
Finding check_input_scale(Patient&);
Finding check_leakage(Patient&);
Finding check_labels(Patient&);
Finding check_label_order(Patient&);
Finding check_frozen(Patient&);
Finding check_initial_loss(Patient&);
Finding check_dead_units(Patient&);
Finding check_gradients(Patient&);
Finding check_one_batch(Patient&);
Finding check_learning_rate(Patient&);
Finding check_statistics(Patient&);
Finding check_modes(Patient&);
Finding check_overfitting(Patient&);

inline Finding ok(std::string measured) { return {"", std::move(measured), "ok", ""}; }
inline Finding problem(std::string measured, std::string remedy) {
  return {"", std::move(measured), "problem", std::move(remedy)};
}
inline Finding skipped(std::string why) { return {"", std::move(why), "skipped", ""}; }

/// Samples of a split, evenly spaced, at most `count`, as the net takes them.
std::shared_ptr<const data::Dataset> some(const train::Setup& setup,
                                          std::shared_ptr<const data::Dataset> split,
                                          int64_t count);
/// Samples stacked as a batch. Errors: data when one cannot be read.
data::Batch stacked(const data::Dataset& samples, int64_t first, int64_t count);

/// Options of a training step without what makes its loss differ from that of the task: mixing,
/// label smoothing, class weights.
train::StepOptions plain_step(const train::Setup& setup);

/// The metrics of the net on samples that it can take, in eval mode.
tasks::Numbers measured(Patient& patient, const std::shared_ptr<const data::Dataset>& samples);

/// How far `hits` of `count` are above those expected at random with probability `chance`, in
/// standard deviations.
double deviations(double hits, double count, double chance);
/// The probability that two random samples have the same class.
double chance_of_equal(const std::vector<int64_t>& labels);
std::vector<int64_t> labels_of(const data::Dataset& samples);

/// The nearest other sample of each in the distance of small gray pictures or of the numbers
/// themselves; samples within `apart` places of each other are not considered.
std::vector<size_t> nearest(const data::Dataset& samples, int64_t apart);

}  // namespace fovea::doctor
