#pragma once

#include <string>
#include <string_view>

namespace fovea::optim {

/// The learning rate over a training run, as a factor times the base rate; time is in epochs and
/// may be fractional.
class Schedule {
 public:
  /// Reads the text of --schedule: `constant`; `cosine[:FINAL]`, from 1 down to the factor FINAL
  /// (default 0) at the end (Loshchilov & Hutter 2017, without restarts); `step:EPOCHS[:GAMMA]`,
  /// times GAMMA (default 0.1) every EPOCHS epochs. The first `warmup` epochs rise linearly to 1,
  /// and the cosine runs over what is left. Errors: usage, listing what there is; when warmup is
  /// below 0 or longer than the run.
  Schedule(std::string_view text, double epochs, double warmup = 0);

  /// The factor at `epoch` (0 at the start); beyond the end it stays what it was there.
  double factor(double epoch) const;

 private:
  enum class Kind : unsigned char { constant, cosine, step } kind_ = Kind::constant;
  double epochs_, warmup_;
  double final_ = 0, every_ = 1, gamma_ = 0.1;
};

}  // namespace fovea::optim
